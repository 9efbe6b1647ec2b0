"""The frontier of a search as a picture."""

from pathlib import Path

import altair as alt
import pandas as pd

from explorer.bench.figure import FORMATS, save
from explorer.errors import ExplorerError
from explorer.methods.studies.best_plan import Frontier
from explorer.tasks import METRICS

_INK, _GREY, _OURS = "#37474f", "#87929a", "#1d8aa3"
_TITLES = {"macs": "MACs kept", "params": "Parameters kept", "size": "Weights file kept", "latency": "ms of one batch"}


def drawing(found: Frontier) -> alt.LayerChart:
    """The cost against the repaired metric: every plan that was judged, and the frontier with 95 % intervals."""
    metric = METRICS[found.metric]
    share = found.cost != "latency"
    timed = [found.whole, *found.best]  # of a latency only these were timed
    judged = [found.whole, *found.tried] if share else timed
    x = alt.X("cost:Q", title=_TITLES[found.cost], axis=alt.Axis(format=".0%" if share else "g", grid=False))
    axis = alt.Axis(format=".0%" if metric.share else "g", gridColor="#e6eaec")
    y = alt.Y("value:Q", title=f"Validation {metric.short}, repaired", axis=axis, scale=alt.Scale(zero=False))

    def rows(points: list) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "cost": [point.amount for point in points],
                "value": [point.quality.value for point in points],
                "low": [point.quality.low for point in points],
                "high": [point.quality.high for point in points],
            }
        )

    tried = alt.Chart(rows(judged)).mark_circle(size=30, color=_GREY, opacity=0.7).encode(x=x, y=y)
    front = alt.Chart(rows(list(found.points)))
    marks = alt.layer(
        tried,
        front.mark_line(interpolate="step-after", color=_OURS, strokeWidth=1.5).encode(x=x, y=y),
        front.mark_rule(color=_INK, opacity=0.6).encode(x=x, y="low:Q", y2="high:Q"),
        front.mark_circle(size=70, color=_OURS, opacity=1).encode(x=x, y=y),
    )
    sized = marks.properties(width=460, height=260).configure(background="white")
    return sized.configure_view(stroke="#d5dadd").configure_axis(labelColor=_INK)


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
