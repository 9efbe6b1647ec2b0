"""Ours against torch-pruning: the same networks, images, trainer and MACs, with paired intervals of the difference."""

from explorer.bench.rivals.comparison import Line, choices, compare, compared, everybody, outdated, title_of, verdicts
from explorer.bench.rivals.grid import REVISION, SMALL, SPLITS, Grid
from explorer.bench.rivals.kept_lines import KeptLines, kept_lines, lines_text
from explorer.bench.rivals.players import RIVALS
from explorer.bench.rivals.table import CHOICES, HEADS, candidates, cells, markdown, said, short, stage_of

__all__ = [
    "CHOICES", "HEADS", "REVISION", "RIVALS", "SMALL", "SPLITS", "Grid", "KeptLines", "Line", "candidates", "cells",
    "choices", "compare", "compared", "everybody", "kept_lines", "lines_text", "markdown", "outdated", "said", "short",
    "stage_of", "title_of", "verdicts",
]  # fmt: skip
