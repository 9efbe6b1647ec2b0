"""``runs rename``: what a run is called, its colour, and what is noted about it."""

from argparse import ArgumentParser
from dataclasses import asdict

from explorer.cli.console import Answer
from explorer.cli.kept_runs import add_run, records
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.errors import ExplorerError
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("name", nargs="?", metavar="NAME", help="its new name")
    parser.add_argument("--notes", metavar="TEXT", help="what is to be remembered about it, in place of earlier notes")
    parser.add_argument("--colour", metavar="COLOUR", help="its colour in every picture")


@verb(
    "runs rename",
    title="Rename a run",
    explanation="Give a run another name, colour or notes.",
    arguments=arguments,
    rank=122,
)
def rename_run(options: Options, report: Report) -> Answer:
    from explorer.runs.history.finding import find_run
    from explorer.runs.labels import relabel

    changes = {key: getattr(options, key) for key in ("name", "colour", "notes") if getattr(options, key) is not None}
    if not changes:
        raise ExplorerError("nothing to change: give a NAME, --colour or --notes")
    run = find_run(options.run, *records(options))
    label = relabel(run.folder, run.id, **changes)
    text = f"{run.name} is called {label.name}, {label.colour}" + (f": {label.notes}" if label.notes else "")
    return Answer({"id": run.id, "folder": str(run.folder), **asdict(label)}, text)
