"""``runs compare``: finished runs side by side, by their names."""

from argparse import ArgumentParser

from explorer.cli.comparison import comparison_text
from explorer.cli.console import Answer
from explorer.cli.kept_runs import add_run, finished_runs, records
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    add_run(parser, several=True)


@verb(
    "runs compare",
    title="Compare runs",
    explanation="Set finished runs side by side: numbers, tests against their base, widths, shared channels.",
    arguments=arguments,
    rank=124,
)
def compare_runs(options: Options, report: Report) -> Answer:
    from explorer.runs.history.comparison import compare

    found = compare(finished_runs(options.runs, *records(options)))
    return Answer(found.to_json(), comparison_text(found))
