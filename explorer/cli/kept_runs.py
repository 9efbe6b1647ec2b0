"""Runs that are there already, as the command line names them: the folder of all, and one of them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from explorer.cli.options import Options, Parser
from explorer.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.runs.history.finished import Finished
    from explorer.runs.history.lineage import RunRecord


def add_run(parser: Parser, *, several: bool = False) -> None:
    """Which run is meant, or which ones, and where."""
    said = "a run's name, its id or the beginning of that, or its folder"
    if several:
        parser.add_argument("runs", nargs="+", metavar="RUN", help=said)
    else:
        parser.add_argument("run", metavar="RUN", help=said)
    parser.add_argument(
        "--in", dest="folder", metavar="DIR", help="the folder of the runs (default: $EXPLORER_RUNS, else runs)"
    )


def root_of(options: Options) -> Path:
    """The folder of the runs.

    Raises:
        ExplorerError: there is none.
    """
    from explorer.runs.folders import default_root

    folder = Path(options.folder) if options.folder else default_root()
    if not folder.is_dir():
        raise ExplorerError(f"there is no folder {folder}: name the one that holds the runs")
    return folder


def records(options: Options) -> "tuple[list[RunRecord], Path]":
    """All runs, and the folder that they are in; without one there are none, but a run may be named by its folder.

    Raises:
        ExplorerError: the folder that was named is not there.
    """
    from explorer.runs.folders import default_root
    from explorer.runs.history.lineage import read_runs

    root = root_of(options) if options.folder else default_root()
    return (read_runs(root) if root.is_dir() else []), root


def finished_runs(texts: Iterable[str], found: "list[RunRecord]", root: Path) -> "list[Finished]":
    """The finished runs that texts mean, each once, by their names; by name and id where two are called alike.

    Raises:
        ExplorerError: a text means no run, or one that has not finished.
    """
    from collections import Counter

    from explorer.runs.history.finding import find_run
    from explorer.runs.history.finished import read_finished

    chosen = {run.folder: run for run in (find_run(text, found, root) for text in texts)}
    if unfinished := next((run for run in chosen.values() if run.state != "done"), None):
        raise ExplorerError(f"{unfinished.name} is {unfinished.state}: compare runs that have finished")
    names = Counter(run.name for run in chosen.values())
    return [
        read_finished(folder, run.name if names[run.name] == 1 else f"{run.name} ({run.id})")
        for folder, run in chosen.items()
    ]
