"""``runs``: the runs in a folder, as a tree."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.console import Answer, table
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.runs.history.lineage import Branch


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="with runs in it (default: $EXPLORER_RUNS, else runs)")


@verb(
    "runs",
    title="Runs",
    explanation="List the runs in a folder, and which of them started from which.",
    arguments=arguments,
    rank=120,
)
def runs(options: Options, report: Report) -> Answer:
    from explorer.runs.folders import default_root
    from explorer.runs.history.lineage import read_runs, tree

    folder = Path(options.folder) if options.folder else default_root()
    if not folder.is_dir():
        raise ExplorerError(f"there is no folder {folder}: name the one that holds the runs")
    records = read_runs(folder)
    forest = tree(records)
    document = {"runs": [record.to_json() for record in records], "tree": [branch.to_json() for branch in forest]}
    return Answer(document, _text(forest) if records else f"no runs in {folder}")


def _text(forest: "Sequence[Branch]") -> str:
    """A line per run, those that started from another one below it and indented."""
    heads = ["run", "model", "method", "criterion", "MACs kept", "zeros", "metric", "from", "state"]
    return table(heads, [row for branch in forest for row in _branch(branch, 0)])


def _branch(branch: "Branch", depth: int) -> Iterator[list[object]]:
    """The rows of a run and of those that started from it."""
    from explorer.tasks import METRICS

    run = branch.run
    start = None if run.parent is None else "its end" if run.parent_step is None else f"step {run.parent_step}"
    yield [
        f"{'  ' * (depth - 1)}└ {run.ref}" if depth else run.ref,
        run.model,
        run.method,
        run.criterion,
        f"{run.kept['macs']:.1%}" if run.kept else None,
        None if run.sparsity is None else f"{run.sparsity:.1%} of weights",
        None if run.pruned is None else f"{METRICS[run.metric].short} {METRICS[run.metric].text(run.pruned)}",
        start,
        run.state,
    ]
    for child in branch.children:
        yield from _branch(child, depth + 1)
