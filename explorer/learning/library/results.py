"""Which published results are of which paper: rows of `explorer.bench.literature` by their methods."""

from collections.abc import Sequence
from typing import Any

from explorer.bench.literature import literature
from explorer.learning.library.papers import Paper, papers

WHOLE = ("unpruned", "Baseline", "hand-designed")
"""What stands in the column of the method where nothing was pruned."""


def results(paper: Paper) -> list[dict[str, Any]]:
    """The rows that any source prints for the methods of a paper; others than its own authors may have measured them.

    Raises:
        ExplorerError: the table can't be read.
    """
    return [row for row in literature() if row["method"] in paper.published]


def unidentified(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The methods of rows whose papers are not in the library: their sources give little more than a short name."""
    known = {method for paper in papers().values() for method in paper.published}
    return sorted({str(row["method"]) for row in rows} - known - set(WHOLE))
