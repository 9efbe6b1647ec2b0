"""``bench methods``: methods and criteria against each other."""

from argparse import ArgumentParser

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.scoreboard import add_grid, scoreboard_of
from explorer.cli.verb import verb
from explorer.progress import Report


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--small", action="store_true", help="a look at everything in minutes, on one network")
    add_grid(parser)


@verb(
    "bench methods",
    title="Scoreboard",
    explanation="Compare methods and criteria over targets, recoveries and seeds.",
    arguments=arguments,
    rank=171,
)
def methods(options: Options, report: Report) -> Answer:
    from explorer.bench.methods import SMALL, Grid

    return scoreboard_of(SMALL if options.small else Grid(), options, report)
