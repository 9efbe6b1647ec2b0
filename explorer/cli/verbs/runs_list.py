"""``runs list``, or ``runs`` alone: the runs in a folder, as a tree."""

from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from explorer.cli.console import Answer, table
from explorer.cli.kept_runs import root_of
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report

if TYPE_CHECKING:
    from explorer.runs.history.lineage import Branch, DamagedRun


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", nargs="?", metavar="DIR", help="with runs in it (default: $EXPLORER_RUNS, else runs)")
    parser.add_argument("--remove", metavar="NAME", help="delete this folder in DIR, damaged or not; see runs delete")


@verb(
    "runs list",
    title="Runs",
    explanation="List the runs in a folder, and which of them started from which.",
    arguments=arguments,
    rank=120,
)
def list_runs(options: Options, report: Report) -> Answer:
    from explorer.runs.history.lineage import DamagedRun, read_runs, tree
    from explorer.runs.removing import remove_run

    folder = root_of(options)
    if options.remove is not None:
        remove_run(folder, options.remove)
        return Answer({"removed": options.remove}, f"removed {folder / options.remove}")
    damaged: list[DamagedRun] = []
    records = read_runs(folder, damaged.append)
    forest = tree(records)
    document = {
        "runs": [record.to_json() for record in records],
        "tree": [branch.to_json() for branch in forest],
        "damaged": [found.to_json() for found in damaged],
    }
    parts = [_text(forest) if records else f"no runs in {folder}", *([_damaged(damaged)] if damaged else [])]
    return Answer(document, "\n\n".join(parts))


def _damaged(damaged: "Sequence[DamagedRun]") -> str:
    """A line per run that can't be read, and what to do with it."""
    rows = [[found.name, found.reason] for found in damaged]
    return f"{table(['damaged', 'reason'], rows)}\n\nrepair them, or delete one with --remove NAME"


def _text(forest: "Sequence[Branch]") -> str:
    """A line per run, those that started from another one below it and indented."""
    heads = ["name", "run", "model", "method", "criterion", "MACs kept", "zeros", "metric", "from", "state"]
    return table(heads, [row for branch in forest for row in _branch(branch, 0)])


def _branch(branch: "Branch", depth: int) -> Iterator[list[object]]:
    """The rows of a run and of those that started from it."""
    from explorer.tasks import METRICS

    run = branch.run
    start = None if run.parent is None else "its end" if run.parent_step is None else f"step {run.parent_step}"
    yield [
        f"{'  ' * (depth - 1)}└ {run.name}" if depth else run.name,
        run.ref,
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
