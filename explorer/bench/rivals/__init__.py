"""Ours against torch-pruning: the same networks, images, trainer and MACs, with paired intervals of the difference."""

from explorer.bench.rivals.comparison import Line, choices, compare, compared, everybody, kept_rows, title_of, verdicts
from explorer.bench.rivals.grid import SMALL, SPLITS, Grid
from explorer.bench.rivals.players import RIVALS
from explorer.bench.rivals.table import CHOICES, COMMAND, HEADS, candidates, cells, markdown, said, short, stage_of

__all__ = [
    "CHOICES", "COMMAND", "HEADS", "RIVALS", "SMALL", "SPLITS", "Grid", "Line", "candidates", "cells",
    "choices", "compare", "compared", "everybody", "kept_rows", "markdown", "said", "short", "stage_of", "title_of",
    "verdicts",
]  # fmt: skip
