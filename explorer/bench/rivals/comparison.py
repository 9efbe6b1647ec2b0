"""What the rows of the comparison say: the choice against the best rival of each row, and everybody by themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from explorer.bench.answers import unpacked
from explorer.bench.kept import Row, made
from explorer.bench.rivals.bootstrap import interval
from explorer.bench.rivals.grid import REVISION, Grid
from explorer.bench.rivals.library import torch_pruning
from explorer.bench.rivals.players import CHOICE, OURS, THEIRS, player_of
from explorer.bench.rivals.playing import AS_CUT, RECALIBRATED, REPAIRED, STAGES, TUNED, play
from explorer.bench.rows import PlayedRival, read_rows
from explorer.progress import Report, silent

AHEAD, EQUAL, BEHIND = VERDICTS = ("ahead", "equal", "behind")
Line = dict[str, Any]
_AGAINST = {AS_CUT: (AS_CUT,), RECALIBRATED: (RECALIBRATED,), REPAIRED: (AS_CUT, RECALIBRATED), TUNED: (TUNED,)}
"""With what of a rival a stage of ours is compared: nobody else repairs, so there it is the better of the others."""


def compare(grid: Grid, *, kept: Path | None = None, processes: int = 1, report: Report = silent) -> list[Row]:
    """One row per run of the grid, see `play`; a run that can't be made has `error` instead.

    Args:
        kept: a file of finished rows, one JSON object a line; runs that are in it are not made again.
        processes: how many runs are made at a time, each on one thread.

    Raises:
        ExplorerError: an unknown name, torch-pruning is missing, or the file holds something else.
    """
    grid.check()
    if grid.rivals or (grid.tuned and grid.tuned_seeds):
        torch_pruning()
    runs = list(grid.runs())
    rows = made(
        runs,
        play,
        kind=PlayedRival,
        kept=kept,
        processes=processes,
        report=report,
        told=lambda row: f", {row['model']} at {row['target']} by {row['player']}",
    )
    return [rows[run.digest()] for run in runs]


def outdated(file: Path, rows: Sequence[Row]) -> int:
    """How many rows of a file that `compare` keeps are not used beside `rows`, which it gave, since they are of other
    weights or images of the same networks, or of an earlier revision of the comparison.

    Raises:
        DamagedError, ExplorerError: see `explorer.reading.read_text`.
    """
    if not file.exists():
        return 0
    now = {row["model"]: row["content"] for row in rows}
    found, _ = read_rows(file, PlayedRival)
    return sum(
        row.get("revision") != REVISION or row.get("content") != now.get(row["model"], row.get("content"))
        for row in found
    )


@dataclass(frozen=True)
class _Series:
    """One player at one stage of one network and target, in so many rounds with so many epochs, by seed."""

    player: str
    epochs: int
    stage: str
    rows: Mapping[int, Row]

    def mean(self, seeds: Sequence[int]) -> float:
        return fmean(self.rows[seed]["stages"][self.stage]["value"] for seed in seeds)

    def right(self, seeds: Sequence[int]) -> np.ndarray:
        """Answers, bool (seeds, images)."""
        rows = [self.rows[seed] for seed in seeds]
        return np.stack([unpacked(row["stages"][self.stage]["right"], row["tested"]) for row in rows])

    def over(self, seeds: Sequence[int], name: str) -> float:
        """The mean of the stage's own, where it has a plan of its own, else of the row's."""
        return fmean(self.rows[seed]["stages"][self.stage].get(name, self.rows[seed][name]) for seed in seeds)

    def seconds(self, seeds: Sequence[int]) -> float:
        return self.over(seeds, "reach") + fmean(self.rows[seed]["stages"][self.stage]["seconds"] for seed in seeds)


def compared(rows: Sequence[Row], choice: str = CHOICE) -> list[Line]:
    """One line per network, target and stage: the choice against the rival that is best there by its mean.

    The rival is chosen among all that were played after the fact, which is to its advantage. Both are taken over the
    seeds that both have, and fine-tuned ones with the most epochs that both sides have.

    Args:
        choice: the name of ours that is judged.

    Returns:
        `model`, `target`, `stage`, `split`, `ours` and `rival` (names), `rival_stage`, their means `ours_value` and
        `rival_value`, the `difference` with its interval `low` to `high` and the `verdict`; `base`; `lent`, the best
        mean of rivals' cuts after our repair, None where there is none; of both the shares of MACs and the seconds;
        the numbers of `seeds` and `images`.
    """
    lines = []
    for place, played in _by_place(rows).items():
        for stage, against in _AGAINST.items():
            rivals = [each for name in against for each in _series(played, THEIRS, name)]
            mine, line = _longest([each for each in _series(played, OURS, stage) if each.player == choice], rivals)
            if mine is not None and line is not None:
                lent = _series(played, THEIRS, REPAIRED) if stage == REPAIRED else ()
                means = [each.mean(seeds) for each in lent if (seeds := _shared(mine, each))]
                lines.append({**_about(place), "stage": stage, **line, "lent": max(means, default=None)})
    return lines


def _longest(mine: Sequence[_Series], rivals: Sequence[_Series]) -> tuple[_Series | None, Line | None]:
    """Ours with the most epochs that a rival was trained for too, and its line."""
    for each in sorted(mine, key=lambda series: -series.epochs):
        if line := _line(each, [rival for rival in rivals if rival.epochs == each.epochs]):
            return each, line
    return None, None


def _line(mine: _Series, rivals: Sequence[_Series]) -> Line | None:
    met = [(rival, seeds) for rival in rivals if (seeds := _shared(mine, rival))]
    if not met:
        return None
    best, seeds = max(met, key=lambda pair: pair[0].mean(pair[1]))
    low, high = interval(mine.right(seeds), best.right(seeds))
    ours, theirs = mine.mean(seeds), best.mean(seeds)
    row = mine.rows[seeds[0]]
    return {
        "ours": mine.player,
        "rival": best.player,
        "rival_stage": best.stage,
        "ours_value": ours,
        "rival_value": theirs,
        "difference": ours - theirs,
        "low": low,
        "high": high,
        "verdict": AHEAD if low > 0 else EQUAL if high >= 0 else BEHIND,
        "metric": row["metric"],
        "base": row["base"],
        "epochs": row["epochs"],
        "ours_macs": mine.over(seeds, "macs"),
        "rival_macs": best.over(seeds, "macs"),
        "ours_seconds": mine.seconds(seeds),
        "rival_seconds": best.seconds(seeds),
        "seeds": len(seeds),
        "images": row["tested"],
    }


def verdicts(lines: Sequence[Line]) -> dict[str, Any]:
    """How many lines are without training, in how many of those the choice is ahead, and in how many at least equal;
    and the same of those with training."""
    found: dict[str, Any] = {}
    for name, chosen in (
        ("untrained", [line for line in lines if line["stage"] != TUNED]),
        ("tuned", [line for line in lines if line["stage"] == TUNED]),
    ):
        ahead = sum(line["verdict"] == AHEAD for line in chosen)
        found[name] = {
            "lines": len(chosen),
            "ahead": ahead,
            "at_least_equal": ahead + sum(line["verdict"] == EQUAL for line in chosen),
        }
    return found


def everybody(rows: Sequence[Row]) -> list[Line]:
    """One line per network, target and player: the means of every stage over its seeds, its MACs and seconds.

    `stages` has the value of each stage that was played, `seeds` how many were; `error` stands where a run failed.
    """
    lines = []
    for place, played in _by_place(rows).items():
        for side in (OURS, THEIRS):
            for name in dict.fromkeys(row["player"] for row in played if row["side"] == side):
                mine = [row for row in played if (row["side"], row["player"]) == (side, name)]
                lines.append({**_about(place), "side": side, "player": name, **_alone(mine, side)})
    return lines


def _alone(rows: Sequence[Row], side: str) -> Line:
    if errors := [row["error"] for row in rows if "error" in row]:
        return {"error": errors[0]}
    found = {stage: _series(rows, side, stage) for stage in STAGES}
    series = {stage: max(each, key=lambda one: one.epochs) for stage, each in found.items() if each}
    return {
        "metric": rows[0]["metric"],
        "base": rows[0]["base"],
        "stages": {stage: each.mean(list(each.rows)) for stage, each in series.items()},
        "seconds": {stage: each.seconds(list(each.rows)) for stage, each in series.items()},
        "seeds": {stage: len(each.rows) for stage, each in series.items()},
        "macs": fmean(row["macs"] for row in rows),
    }


def choices(rows: Sequence[Row], choice: str = CHOICE) -> list[Line]:
    """One line per choice of ours, the best repaired first: from which the default follows, on the validation images.

    Returns:
        `player`; `stages`, the mean of each over those networks and targets that all choices have, which are `places`
        many; `seconds` until repaired; and how often it is `ahead`, `equal` and `behind` of `choice`, repaired, by the
        paired interval.
    """
    places = _by_place(rows).values()
    found = {
        stage: [{each.player: each for each in _series(played, OURS, stage)} for played in places]
        for stage in (AS_CUT, RECALIBRATED, REPAIRED)
    }
    names = dict.fromkeys(name for each in found[REPAIRED] for name in each)
    shared = {stage: [each for each in series if names.keys() <= each.keys()] for stage, series in found.items()}
    lines = []
    for name in names:
        mine = [(each[name], each[choice]) for each in shared[REPAIRED] if choice in each]
        met = [line["verdict"] for one, other in mine if (line := _line(one, [other])) is not None]
        lines.append(
            {
                "player": name,
                "metric": next(row["metric"] for row in rows if "metric" in row),
                "stages": {
                    stage: fmean(each[name].mean(list(each[name].rows)) for each in series)
                    for stage, series in shared.items()
                    if series
                },
                "seconds": fmean([each[name].seconds(list(each[name].rows)) for each in shared[REPAIRED]] or [0.0]),
                "places": len(shared[REPAIRED]),
                **{verdict: met.count(verdict) for verdict in VERDICTS},
            }
        )
    return sorted(lines, key=lambda line: -line["stages"].get(REPAIRED, 0.0))


def title_of(side: str, name: str) -> str:
    """A player for a person."""
    return player_of(side, name).title


_PLACE = ("model", "target", "split")
_ALIKE = ("samples", "content", "revision", "tested", "base")
"""What rows must have in common besides, to be compared at all."""


def _by_place(rows: Sequence[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each network, target and split, with what makes them comparable."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row.get(name) for name in (*_PLACE, *_ALIKE)), []).append(row)
    return found


def _about(place: tuple[Any, ...]) -> Line:
    """The network, target and split of a place."""
    return dict(zip(_PLACE, place, strict=False))


def _series(rows: Sequence[Row], side: str, stage: str) -> list[_Series]:
    """The players of one side at one stage, each by how long and in how many rounds it was trained."""
    found: dict[tuple[str, int, int], dict[int, Row]] = {}
    for row in rows:
        if row["side"] == side and stage in row.get("stages", {}):
            found.setdefault((row["player"], row["epochs"], row["rounds"]), {})[row["seed"]] = row
    return [_Series(player, epochs, stage, by_seed) for (player, epochs, _), by_seed in found.items()]


def _shared(one: _Series, other: _Series) -> list[int]:
    return sorted(one.rows.keys() & other.rows.keys())
