"""``bench spvr``: SPvR against criteria at equal size."""

from explorer.cli.console import Answer
from explorer.cli.options import Options
from explorer.cli.scoreboard import add_grid, scoreboard_of
from explorer.cli.verb import verb
from explorer.progress import Report


@verb(
    "bench spvr",
    title="SPvR",
    explanation="Compare SPvR with criteria at equal size, trained from scratch.",
    arguments=add_grid,
    rank=172,
)
def spvr(options: Options, report: Report) -> Answer:
    from explorer.bench.methods import SPVR

    return scoreboard_of(SPVR, options, report)
