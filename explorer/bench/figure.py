"""The scoreboard as a picture."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import altair as alt
import pandas as pd

from explorer.bench.kept import Row
from explorer.bench.methods import player
from explorer.errors import ExplorerError
from explorer.recovery import RECOVERIES
from explorer.tasks import METRICS

FORMATS = (".svg", ".png")
_INK, _GREY, _OURS = "#37474f", "#87929a", "#1d8aa3"


def figure(lines: Sequence[Row]) -> alt.FacetChart:
    """Who is how good at the end: a column per recovery, a row of panels per model and target, with 95 % intervals.

    The dashed line is the whole model. Methods that cut in steps stand in the column of the recovery that they take.

    Args:
        lines: of `explorer.bench.methods.summary`; those with an `error` are left out.

    Raises:
        ExplorerError: no line is left.
    """
    played = [line for line in lines if "error" not in line]
    if not played:
        raise ExplorerError("there is nothing to draw: no run of the scoreboard could be made")
    metric = METRICS[played[0]["metric"]]
    frame = pd.DataFrame(played)
    frame["player"] = [player(line, played) for line in played]
    frame["task"] = frame.model.str.partition(":")[2] + ", " + frame.target
    frame["recovery"] = [RECOVERIES[name].title for name in frame.recover]
    panels = list(dict.fromkeys(RECOVERIES[name].title for name in RECOVERIES if name in set(frame.recover)))
    axis = alt.Axis(format=".0%" if metric.share else "g", tickCount=5, grid=True, gridColor="#e6eaec")
    x = alt.X("value:Q", title=f"Test {metric.short}", axis=axis, scale=alt.Scale(zero=False, nice=True))
    best = list(frame.groupby("player").value.mean().sort_values(ascending=False).index)
    y = alt.Y("player:N", title=None, sort=best, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    seen = [alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high", "as_cut", "macs")]
    base = alt.Chart(frame)
    marks = alt.layer(
        base.mark_rule(strokeDash=[4, 3], color=_GREY).encode(x="base:Q"),
        base.mark_rule(strokeWidth=1.5, color=_INK).encode(y=y, x="low:Q", x2="high:Q"),
        base.mark_circle(size=55, opacity=1, color=_OURS).encode(y=y, x=x, tooltip=["player:N", *seen]),
    ).properties(width=210, height=alt.Step(19))
    column = alt.Column("recovery:N", title=None, sort=panels, header=alt.Header(labelFontWeight="bold"))
    row = alt.Row("task:N", title=None, sort=list(dict.fromkeys(frame.task)), header=alt.Header(labelAngle=-90))
    drawn = marks.facet(column=column, row=row).configure(background="white")
    return drawn.configure_view(stroke="#d5dadd").configure_axis(labelColor=_INK)


def write(lines: Sequence[Row], path: Path) -> None:
    """Writes the `figure`; see `save`."""
    save(lambda: figure(lines), path)


def save(draw: Callable[[], alt.TopLevelMixin], path: Path) -> None:
    """Writes what is drawn as SVG or PNG.

    Raises:
        ExplorerError: the ending is another, the package vl-convert-python is missing, or the file can't be written.
    """
    if path.suffix not in FORMATS:
        raise ExplorerError(f"{path} is no picture: name it {' or '.join(f'FILE{ending}' for ending in FORMATS)}")
    drawn = draw()
    buffer = io.BytesIO() if path.suffix == ".png" else io.StringIO()
    try:
        drawn.save(buffer, format=path.suffix[1:], **({"scale_factor": 2} if path.suffix == ".png" else {}))
    except ImportError:
        raise ExplorerError("a picture needs the package vl-convert-python: pip install vl-convert-python") from None
    content = buffer.getvalue()
    try:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    except OSError as error:
        raise ExplorerError(f"can't write {path}: {error.strerror}; choose another place") from None
