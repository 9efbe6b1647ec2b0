"""The frontier of a search as a picture."""

from pathlib import Path

import altair as alt
import pandas as pd

from explorer.bench.figure import FORMATS, save
from explorer.errors import ExplorerError
from explorer.methods.studies.best_plan import Frontier, Tried
from explorer.methods.studies.ways import AFTERWARDS
from explorer.tasks import METRICS

_INK, _GREY, _OURS, _LOST = "#37474f", "#87929a", "#1d8aa3", "#c2571a"
_LEGEND = alt.Legend(orient="top-right", labelLimit=0)
_TITLE = {"fontWeight": "normal", "fontSize": 11, "anchor": "start"}
_TITLES = {"macs": "MACs kept", "params": "Parameters kept", "size": "Weights file kept", "latency": "ms of one batch"}


def drawing(found: Frontier) -> alt.LayerChart | alt.VConcatChart:
    """The cost against the repaired metric, and below it against the loss that was predicted and the measured one.

    Above: every plan that was judged, and the frontier with 95 % intervals; where plans were judged on the test split
    too, what the frontier's reach there. Below: the best plan of every target, predicted by single groups that were
    measured alone, and measured as a whole. Losses below are absent where no group was measured.
    """
    x = alt.X("cost:Q", title=_TITLES[found.cost], axis=_axis(share=found.cost != "latency", grid=False))
    above = _frontier(found, x)
    if any(point.predicted is None for point in found.best):
        return _dressed(above)
    return _dressed(alt.vconcat(above, _losses(found, x)))


def _frontier(found: Frontier, x: alt.X) -> alt.LayerChart:
    metric = METRICS[found.metric]
    timed = [found.whole, *found.best]  # of a latency only these were timed
    judged = timed if found.cost == "latency" else [found.whole, *found.tried]
    y = alt.Y(
        "value:Q",
        title=f"{_capital(metric.short)}, {AFTERWARDS[found.after]}",
        axis=_axis(share=metric.share),
        scale=alt.Scale(zero=False),
    )
    tried = alt.Chart(_rows(judged)).mark_circle(size=30, color=_GREY, opacity=0.7).encode(x=x, y=y)
    front = alt.Chart(_rows(list(found.points)))
    marks = [
        tried,
        front.mark_line(interpolate="step-after", color=_OURS, strokeWidth=1.5).encode(x=x, y=y),
        front.mark_rule(color=_INK, opacity=0.6).encode(x=x, y="low:Q", y2="high:Q"),
        front.mark_circle(size=70, color=_OURS, opacity=1).encode(x=x, y=y),
    ]
    said = {"text": "Validation: points, their frontier and its 95 % intervals", "color": _INK}
    tested = [point for point in found.points if point.test is not None]
    if tested:
        again = alt.Chart(_rows(tested, test=True))
        marks.append(again.mark_point(shape="diamond", size=60, color=_LOST, filled=False).encode(x=x, y=y))
        said["text"] += "; diamonds: the frontier's plans on the test split"
    return alt.layer(*marks).properties(width=460, height=260, title=alt.TitleParams(**said, **_TITLE))


def _losses(found: Frontier, x: alt.X) -> alt.LayerChart:
    points = sorted([found.whole, *found.best], key=lambda point: point.amount)
    rows = pd.DataFrame(
        [
            {"cost": point.amount, "what": what, "loss": loss}
            for point in points
            for what, loss in (
                ("measured as a whole", point.quality.loss),
                ("predicted by single groups", point.quality.loss if point is found.whole else point.predicted),
            )
        ]
    )
    y = alt.Y("loss:Q", title="Validation loss, repaired", axis=_axis(share=False), scale=alt.Scale(zero=False))
    kinds = ["measured as a whole", "predicted by single groups"]
    colour = alt.Color("what:N", title=None, scale=alt.Scale(domain=kinds, range=[_OURS, _LOST]), legend=_LEGEND)
    dash = alt.StrokeDash("what:N", title=None, scale=alt.Scale(domain=kinds, range=[[1, 0], [5, 4]]), legend=None)
    lines = alt.Chart(rows).encode(x=x, y=y, color=colour)
    return alt.layer(lines.mark_line().encode(strokeDash=dash), lines.mark_circle(size=40, opacity=1)).properties(
        width=460, height=180
    )


def _rows(points: list[Tried], *, test: bool = False) -> pd.DataFrame:
    """The points with their metric: of the validation samples, or of the test split."""
    judged = [(point.amount, point.test if test else point.quality) for point in points]
    return pd.DataFrame(
        [
            {"cost": amount, "value": quality.value, "low": quality.low, "high": quality.high}
            for amount, quality in judged
            if quality is not None
        ]
    )


def _axis(*, share: bool, grid: bool = True) -> alt.Axis:
    return alt.Axis(format=".0%" if share else "g", grid=grid, gridColor="#e6eaec")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _dressed(marks: alt.LayerChart | alt.VConcatChart) -> alt.LayerChart | alt.VConcatChart:
    return marks.configure(background="white").configure_view(stroke="#d5dadd").configure_axis(labelColor=_INK)


def check(path: Path) -> None:
    """Refuses, before the work, a place where no picture can be written.

    Raises:
        ExplorerError: it has another ending, or lies in no folder.
    """
    if path.suffix not in FORMATS:
        raise ExplorerError(f"{path} is no picture: name it {' or '.join(f'FILE{ending}' for ending in FORMATS)}")
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise ExplorerError(f"{path} is no file in a folder that is there: name one")


def write(found: Frontier, path: Path) -> None:
    """Writes the `drawing` as SVG or PNG; raises as `explorer.bench.figure.save` does."""
    save(lambda: drawing(found), path)
