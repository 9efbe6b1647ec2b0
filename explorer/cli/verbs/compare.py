"""``compare``: finished runs side by side, by their folders."""

from argparse import ArgumentParser
from pathlib import Path

from explorer.cli.comparison import comparison_text
from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folders", nargs="+", metavar="RUN_DIR", help="the --out folder of a prune command")


@verb(
    "compare",
    title="Compare",
    explanation="Set finished runs side by side, by their folders; runs compare takes their names.",
    arguments=arguments,
    rank=160,
)
def compare(options: Options, report: Report) -> Answer:
    from explorer.runs.history.comparison import compare
    from explorer.runs.history.finished import read_finished

    found = compare([read_finished(Path(folder)) for folder in dict.fromkeys(options.folders)])
    return Answer(found.to_json(), comparison_text(found))
