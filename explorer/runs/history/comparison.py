"""Finished runs side by side: final numbers, their trajectories, the widths they leave, and what their plans share."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from explorer.evaluation.contention import disturbed
from explorer.methods import criterion_of
from explorer.runs.history.facets import Facet, facets
from explorer.runs.history.finished import Finished
from explorer.runs.history.lineage import Branch
from explorer.runs.history.overlap import Difference, difference
from explorer.tasks import headline, metric_of


@dataclass(frozen=True)
class Row:
    """A run's settings and final numbers; `value` and its interval are of the `metric` on the test split, from 0 to 1.

    Args:
        base: the metric of the model that the run began with.
        change: how far `value` is from it.
        seconds: what the run took.
        steps: how many cuts it made, None where it cut once.
        taken_back: how many of them it took back.
        sparsity: the share of weights that are zero; None where channels were cut, as the next two.
        nonzero_params: the parameters that are not zero.
        compressed_bytes: the packed file.
        network: that it, or the first of the runs that it started from, began with.
        colour: its own, one of `explorer.runs.labels.COLOURS`; empty where that is not known.
        lost, gained: the test samples that only its base, and only the end, answers right; None where not known.
        p_value: of McNemar's exact test on them.
        verdict: of the same in a word, see `Paired.verdict`.
        latency_ratio: the time of one pass against its base, both timed in turns, with the interval `ratio_low` to
            `ratio_high`; None of runs by versions that did not time them so.
        disturbed: whether others had the processors while it was timed, so that `latency_ms` is too long.
    """

    run: str
    model: str
    data: str
    method: str
    criterion: str
    recover: str
    epochs: int | None
    seed: int
    macs_kept: float
    params_kept: float
    sparsity: float | None
    nonzero_params: int | None
    compressed_bytes: int | None
    metric: str
    base: float | None
    value: float | None
    low: float | None
    high: float | None
    change: float | None
    macs: int
    params: int
    size_bytes: int
    latency_ms: float
    seconds: float
    steps: int | None
    taken_back: int | None
    network: str
    colour: str
    lost: int | None
    gained: int | None
    p_value: float | None
    verdict: str | None
    latency_ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    disturbed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return asdict(self)


@dataclass(frozen=True)
class Point:
    """Where a run stood after a step: 0 is the model that it began with, None its end.

    Args:
        split: what it was judged on. The two ends are measured on the test split; the steps between on the validation
            split, which also decided about them, so that the two kinds of points don't belong on one line.
        macs: what is left of the base model's, as `params`.
        nonzero: the share of the base model's parameters that are there and not zero: the same as `params` where
            channels were cut.
        value: the metric, with `low` and `high` of its interval on the test split.
        as_cut: the metric before the step's recovery.
        rolled_back: whether the step was taken back.
    """

    split: str
    step: int | None
    macs: float
    params: float
    nonzero: float
    value: float | None
    low: float | None
    high: float | None
    as_cut: float | None
    rolled_back: bool


@dataclass(frozen=True)
class GroupWidths:
    """The channels that each of several runs keeps of a group, by the run's name.

    `size` is that of the widest model that one of them began with: a branch of another run begins with less.
    `network` is the one that the group is of: groups of different networks stand apart, whatever they are called.
    """

    name: str
    size: int
    kept: dict[str, int]
    network: str = ""


@dataclass(frozen=True)
class Comparison:
    """Everything that a comparison of runs shows.

    `facets` say which of them belong on the same axes; `groups` are of the runs that cut channels, `plans` has every
    pair of those that cut the same model.
    """

    runs: tuple[Row, ...]
    curves: Mapping[str, Sequence[Point]]
    groups: tuple[GroupWidths, ...]
    plans: tuple[Difference, ...]
    facets: tuple[Facet, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{runs: [Row], curves: {run: [Point]}, groups: [GroupWidths], plans: [Difference], facets: [Facet]}``."""
        return {
            "runs": [run.to_json() for run in self.runs],
            "curves": {name: [asdict(point) for point in points] for name, points in self.curves.items()},
            "groups": [asdict(group) for group in self.groups],
            "plans": [plan.to_json() for plan in self.plans],
            "facets": [facet.to_json() for facet in self.facets],
        }


def compare(runs: Sequence[Finished]) -> Comparison:
    """Runs side by side: their numbers, their curves, what they leave of every group, and what plans have in common."""
    cutting = [run for run in runs if not run.sparse]
    return Comparison(
        runs=tuple(map(row, runs)),
        curves={run.name: curve(run) for run in runs},
        groups=tuple(widths(cutting)),
        facets=tuple(facets(runs)),
        plans=tuple(difference(a, b) for a, b in combinations(cutting, 2) if a.plan.base == b.plan.base),
    )


def row(run: Finished) -> Row:
    """The run's settings and final numbers."""
    base, pruned, spec = run.result["base"], run.result["pruned"], run.spec
    before, after = headline(base), headline(pruned)
    return Row(
        run=run.name,
        **{key: spec[key] for key in ("model", "data", "method", "recover", "epochs", "seed")},
        criterion=criterion_of(spec),
        macs_kept=pruned["macs"] / base["macs"],
        params_kept=pruned["params"] / base["params"],
        sparsity=run.sparse["sparsity"] if run.sparse else None,
        nonzero_params=pruned["nonzero_params"] if run.sparse else None,
        compressed_bytes=pruned["compressed_bytes"] if run.sparse else None,
        metric=metric_of(base).name,
        base=before and before.value,
        value=after and after.value,
        low=after and after.low,
        high=after and after.high,
        change=after.value - before.value if before and after else None,
        macs=pruned["macs"],
        params=pruned["params"],
        size_bytes=pruned["size_bytes"],
        latency_ms=pruned["latency_ms"],
        seconds=run.result["seconds"],
        steps=len(run.steps) or None,
        taken_back=sum(step["rolled_back"] for step in run.steps) if run.steps else None,
        network=run.network,
        colour=run.colour,
        disturbed=disturbed(pruned.get("latency", ())),
        **_against_base(run),
    )


def _against_base(run: Finished) -> dict[str, Any]:
    paired, ratio = run.paired, run.ratio
    return {
        "lost": paired and paired.lost,
        "gained": paired and paired.gained,
        "p_value": paired and paired.p_value,
        "verdict": paired and paired.verdict,
        "latency_ratio": ratio and ratio["ratio"],
        "ratio_low": ratio and ratio["low"],
        "ratio_high": ratio and ratio["high"],
    }


def curve(run: Finished) -> list[Point]:
    """The run's points in order: the base model, the steps, the end."""
    base, pruned = run.result["base"], run.result["pruned"]
    metric = metric_of(base).name
    steps = [
        Point(
            split="validation",
            step=step["step"],
            **_shares(step, base),
            nonzero=(step["params"] - _zeros(step)) / base["params"],
            value=step[f"{metric}_after"],
            low=None,
            high=None,
            as_cut=step[f"{metric}_before"],
            rolled_back=step["rolled_back"],
        )
        for step in run.steps
    ]
    return [_measured(base, base, 0), *steps, _measured(pruned, base, None)]


def _shares(found: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, float]:
    return {kind: found[kind] / base[kind] for kind in ("macs", "params")}


def _zeros(step: Mapping[str, Any]) -> int:
    """The weights that are zero after a step."""
    return sum(layer["weights"] - layer["kept"] for layer in step.get("layers", ()))


def _measured(found: Mapping[str, Any], base: Mapping[str, Any], step: int | None) -> Point:
    main = headline(found)
    return Point(
        split="test",
        step=step,
        **_shares(found, base),
        nonzero=found.get("nonzero_params", found["params"]) / base["params"],
        value=main and main.value,
        low=main and main.low,
        high=main and main.high,
        as_cut=None,
        rolled_back=False,
    )


def widths(runs: Sequence[Finished]) -> list[GroupWidths]:
    """What is left of every group of any of the runs, in network order."""
    sizes: dict[tuple[str, str], int] = {}
    kept: dict[tuple[str, str], dict[str, int]] = {}
    for run in runs:
        for group in run.result["groups"]:
            key = run.network, group["name"]
            sizes[key] = max(sizes.get(key, 0), group["size"])
            kept.setdefault(key, {})[run.name] = group["kept"]
    return [GroupWidths(name, size, kept[network, name], network) for (network, name), size in sizes.items()]


def origins(forest: Sequence[Branch], runs: Mapping[str, Finished]) -> dict[str, dict[str, float]]:
    """The share of the first model's macs and params that each run of a tree began with, by id; 1 at the roots.

    `runs` are by id; those that branched off a run without a result are left out, with what branched off them.
    """
    found: dict[str, dict[str, float]] = {}

    def visit(branch: Branch, start: dict[str, float]) -> None:
        run = runs.get(branch.run.id)
        if run is None:
            return
        found[branch.run.id] = start
        for child in branch.children:
            left = _shares(_point(run, child.run.parent_step), run.result["base"])
            visit(child, {kind: start[kind] * share for kind, share in left.items()})

    for root in forest:
        visit(root, {"macs": 1.0, "params": 1.0})
    return found


def _point(run: Finished, step: int | None) -> Mapping[str, Any]:
    """The step of that number, or the run's end."""
    return next((entry for entry in run.steps if entry["step"] == step), run.result["pruned"])
