"""Ours against torch-pruning: the same networks, images, trainer and MACs, with paired intervals of the difference."""

from explorer.bench.rivals.comparison import compare, compared, everybody, kept_rows, title_of, verdicts
from explorer.bench.rivals.grid import SMALL, SPLITS, Grid
from explorer.bench.rivals.players import RIVALS
from explorer.bench.rivals.table import HEADS, cells, markdown, said, short

__all__ = [
    "HEADS", "RIVALS", "SMALL", "SPLITS", "Grid", "cells", "compare", "compared", "everybody", "kept_rows",
    "markdown", "said", "short", "title_of", "verdicts",
]  # fmt: skip
