"""The lines of the comparison as they are kept beside its table, so that a page need not draw the intervals anew."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from explorer.bench.kept import Row
from explorer.bench.rivals.comparison import VERDICTS, Line
from explorer.bench.rivals.grid import REVISION, Grid
from explorer.bench.rivals.playing import STAGES
from explorer.documents import Count, Document, Positive, Seconds, Share, Text, checked
from explorer.reading import read_json
from explorer.runs.documents import MetricName
from explorer.strict_json import dumps

_Difference = Annotated[float, Field(ge=-1, le=1)]


class KeptLine(Document):
    """A line of `compared`."""

    model: Text
    target: Text
    split: Text
    stage: Literal[STAGES]  # type: ignore[valid-type]  # a tuple of names is what it takes
    ours: Text
    rival: Text
    rival_stage: Literal[STAGES]  # type: ignore[valid-type]
    ours_value: Share
    rival_value: Share
    difference: _Difference
    low: _Difference
    high: _Difference
    verdict: Literal[VERDICTS]  # type: ignore[valid-type]
    lent: Share | None
    metric: MetricName
    base: Share
    epochs: Count
    ours_macs: Share
    rival_macs: Share
    ours_seconds: Seconds
    rival_seconds: Seconds
    seeds: Positive
    images: Positive


class KeptLines(Document):
    """All of them: the `command` that made them, the revision of the comparison, and the digest of the rows."""

    command: Text
    revision: Count
    rows: Text
    lines: list[KeptLine]


def lines_text(grid: Grid, rows: Sequence[Row], lines: Sequence[Line]) -> str:
    """The document of a grid's lines, which follow from the rows, as JSON."""
    digest = hashlib.sha256("\n".join(sorted(map(dumps, rows))).encode()).hexdigest()
    return dumps({"command": grid.command(), "revision": REVISION, "rows": digest, "lines": list(lines)}) + "\n"


def kept_lines(file: Path) -> dict[str, Any]:
    """The document in a file.

    Raises:
        FileNotFoundError, NotADirectoryError, DamagedError, ExplorerError: see `explorer.reading.read_json`.
    """
    return checked(read_json(file), KeptLines, file)
