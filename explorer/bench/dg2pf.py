"""DG2PF on the bundled tasks: the four ablations of its paper, and the method against magnitude pruning."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from explorer.bench.kept import Row, data_of, made, pipes
from explorer.bench.rows import PlayedSparse
from explorer.bench.seeds import MOST_SEEDS, over_seeds
from explorer.errors import ExplorerError, unknown
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.progress import Report, silent
from explorer.tasks import METRICS

STEPS = "steps"
ABLATIONS: dict[str, tuple[str, str, tuple[str, ...]]] = {  # the title, what varies, and the paper's values
    "s_e": ("Epochs over which weights go (Table II)", STEPS, ("1", "3", "5", "7", "9", "11", "13", "15")),
    "s_sim": ("Simulated pruning (Table III)", "simulate", ("0", "0.01", "0.03", "0.05", "0.1", "0.2")),
    "alpha": ("Share of the divergence (Table IV)", "alpha", ("0", "0.1", "0.25", "0.5", "0.75", "0.9", "1")),
    "tau": ("Temperature (Table V)", "tau", ("0.1", "0.5", "1", "2", "4", "8")),
}
BASE = {"simulate": "0.1", "alpha": "0.75", "tau": "0.5"}  # of the paper's ablations, with s_e = 10 and 95 %
BASE_STEPS, BASE_SPARSITY = 10, 0.95
FINAL_STEPS = 15
RIVALS = {"one-shot": "one-shot magnitude", "cubic": "gradual magnitude"}  # by the schedule of method sparse
COMPARED = "methods"
TABLES = (*ABLATIONS, COMPARED)


@dataclass(frozen=True)
class Grid:
    """What is run: each line of the `tables` over the `seeds`.

    Each of DG2PF's two phases has at most `epochs`, the rivals train for twice as many. `rates` are those of its two
    phases: the paper's, 1e-5 and 1e-4, are for epochs of hundreds of steps, these tasks have about twenty.
    """

    models: tuple[str, ...] = ("demo:resnet20-digits",)
    tables: tuple[str, ...] = TABLES
    sparsities: tuple[float, ...] = (0.9, 0.95)
    seeds: int = 3
    epochs: int = 20
    rates: tuple[float, ...] = (1e-3, 1e-2)

    def check(self) -> None:
        """Raises for a name that nothing has, and for numbers that make no table."""
        for name in self.tables:
            if name not in TABLES:
                raise unknown("table", name, TABLES)
        if not 1 <= self.seeds <= MOST_SEEDS or self.epochs < 1 or not self.sparsities or len(self.rates) != 2:
            raise ExplorerError(f"tables need one seed, at most {MOST_SEEDS:,}, one epoch, one sparsity, and two rates")

    def runs(self) -> Iterator[tuple[str, str, str, Spec]]:
        """Table, line and spec of every run; DG2PF's own steps are as many as the epochs allow."""
        for model in self.models:
            data = data_of(model)
            for name in self.tables:
                for line, asked in self._lines(name):
                    for seed in range(self.seeds):
                        yield model, name, line, Spec(model, data, seed=seed, **asked)

    def _lines(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        if name == COMPARED:
            for sparsity in self.sparsities:
                yield f"DG2PF at {sparsity:.0%}", self._dg2pf(sparsity, FINAL_STEPS, {})
                for schedule, title in RIVALS.items():
                    yield f"{title} at {sparsity:.0%}", self._rival(sparsity, schedule)
            return
        _, what, values = ABLATIONS[name]
        for value in values:
            if what == STEPS:
                if int(value) <= self.epochs:
                    yield value, self._dg2pf(BASE_SPARSITY, int(value), BASE)
            else:
                yield value, self._dg2pf(BASE_SPARSITY, BASE_STEPS, {**BASE, what: value})

    def _dg2pf(self, sparsity: float, steps: int, settings: Mapping[str, str]) -> dict[str, Any]:
        rates = dict(zip(("rate", "tune_rate"), (f"{rate:g}" for rate in self.rates), strict=True))
        asked = {"sparsity": sparsity, "epochs": self.epochs, "steps": min(steps, self.epochs)}
        return METHODS["dg2pf"].defaults | {"method": "dg2pf", **asked, "settings": {**settings, **rates}}

    def _rival(self, sparsity: float, schedule: str) -> dict[str, Any]:
        asked = {"sparsity": sparsity, "epochs": 2 * self.epochs, "steps": min(FINAL_STEPS, self.epochs)}
        return METHODS["sparse"].defaults | {"method": "sparse", **asked, "settings": {"schedule": schedule}}


def tables(grid: Grid, *, kept: Path | None = None, processes: int = 1, report: Report = silent) -> list[Row]:
    """A line for every line of every table, with `model`, `table`, `line`, and see `over_seeds`.

    Args:
        kept: a file of finished runs, one JSON object a line; runs that are in it are not made again.
        processes: how many runs are made at a time, each on one thread.

    Raises:
        ExplorerError: an unknown name, or the file holds something else.
    """
    grid.check()
    lines: dict[tuple[str, str, str], list[Spec]] = {}
    for model, name, line, spec in grid.runs():
        lines.setdefault((model, name, line), []).append(spec)
    specs = {spec.digest(): spec for asked in lines.values() for spec in asked}
    rows = made(list(specs.values()), play, kind=PlayedSparse, kept=kept, processes=processes, report=report)
    return [
        {"model": model, "table": name, "line": line}
        | over_seeds([rows[spec.digest()] for spec in asked], ("as_cut", "sparsity", "seconds"))
        for (model, name, line), asked in lines.items()
    ]


def play(spec: Spec) -> Row:
    """Makes one run without writing anything: `run`, the test metric's `base`, `as_cut` and `value`, `sparsity`, …"""
    row = {"run": spec.digest(), "seed": spec.seed}
    started = perf_counter()
    try:
        outcome = METHODS[spec.method].function(spec)
    except ExplorerError as error:
        return {**row, "error": str(error)}
    metric = outcome.base["metric"]
    return {
        **row,
        "metric": metric,
        "base": outcome.base[metric],
        "as_cut": outcome.as_cut[metric],
        "value": outcome.pruned[metric],
        "samples": outcome.base["samples"],
        **{name: outcome.sparse[name] for name in ("sparsity", "compressed_bytes", "size_bytes")},
        "seconds": perf_counter() - started,
    }


HEADS = ("", "zero", "without training", "at the end", "95 %", "against base", "runs")


def cells(line: Row) -> list[str]:
    """A line for a person."""
    if "error" in line:
        return [line["line"], line["error"], *[""] * (len(HEADS) - 2)]
    metric = METRICS[line["metric"]]
    return [
        line["line"],
        f"{line['sparsity']:.1%}",
        metric.text(line["as_cut"]),
        metric.text(line["value"]),
        f"{metric.text(line['low'])} to {metric.text(line['high'])}",
        metric.difference(line["value"] - line["base"]),
        str(line["runs"]),
    ]


def markdown(lines: Sequence[Row]) -> str:
    """All tables as Markdown."""
    parts = []
    for title, of in by_table(lines):
        parts.append(f"### {title}\n\n{pipes(HEADS, [cells(line) for line in of])}")
    return "\n".join(parts)


def by_table(lines: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """The title and the lines of each table."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for line in lines:
        groups.setdefault((line["model"], line["table"]), []).append(line)
    for (model, name), of in groups.items():
        title = ABLATIONS[name][0] if name in ABLATIONS else "DG2PF and magnitude pruning, equal epochs"
        yield f"{title}, {model}", of
