"""``runs delete``: runs that nobody needs any more."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.kept_runs import add_run, records
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_run(parser, several=True)


@verb(
    "runs delete",
    title="Delete runs",
    explanation="Delete runs for good: folders of this program at which nobody is, and that hold nothing else.",
    arguments=arguments,
    rank=123,
)
def delete_runs(options: Options, report: Report) -> Answer:
    from explorer.runs.history.finding import find_run
    from explorer.runs.removing import remove

    found, root = records(options)
    chosen = {run.folder: run for run in (find_run(text, found, root) for text in options.runs)}  # all are there
    gone = [str(folder) for folder in remove(list(chosen.values()), found)]
    return Answer({"deleted": gone}, "\n".join(f"deleted {folder}" for folder in gone))
