"""What a class predicts and reaches, drawn to be read from the last row."""

import altair as alt
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.axes import TEXT, finish, metric_axis
from explorer.ui.charts.colours import ACCENT, LOST, MUTED, RECOVERED

LARGE, ROW, ALL = 20, 44, 340  # pixels: of type, of a row, of all rows that a projector shows
COLOURS = {"as cut": LOST, "repaired": RECOVERED[1], "trained": ACCENT}
LEGIBLE = {"labelFontSize": LARGE, "labelLimit": 460, "labelColor": TEXT}


def answers(bars: pd.DataFrame) -> alt.LayerChart:
    """How many gave each answer: columns answer, students, in the order of the answers."""
    most = max(1, int(bars.students.max()))
    axis = alt.Axis(title=None, ticks=False, domain=False, labelPadding=10, **LEGIBLE)
    base = alt.Chart(bars).encode(
        y=alt.Y("answer:N", sort=None, axis=axis, scale=alt.Scale(paddingInner=0.25, paddingOuter=0)),
        x=alt.X("students:Q", axis=None, scale=alt.Scale(domain=[0, most * 1.1])),
    )
    numbers = base.mark_text(align="left", dx=8, fontSize=LARGE, color=TEXT).encode(text="students:Q")
    return finish(alt.layer(base.mark_bar(color=ACCENT), numbers), min(ROW, ALL // len(bars)) * len(bars))


def points(table: pd.DataFrame, edge: pd.DataFrame, metric: Metric, height: int = 380) -> alt.LayerChart:
    """Everybody's points over the MACs that they leave, and the frontier.

    Args:
        table: columns who, macs (percent of the whole's), value, after (how it was measured).
        edge: columns macs, value: the points that no other one beats.
        metric: what the values are.
    """
    axis, form = metric_axis(metric, metric.label)
    states = list(dict.fromkeys(table.after))
    base = alt.Chart().encode(
        x=alt.X("macs:Q", title="MACs that are left (%)", scale=alt.Scale(domain=[0, 100]), axis=alt.Axis(grid=False)),
        y=alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=False, padding=14)),
    )
    marks = base.mark_point(filled=True, size=90, opacity=0.85).encode(
        color=alt.Color(
            "after:N",
            title=None,
            scale=alt.Scale(domain=states, range=[COLOURS.get(state, MUTED) for state in states]),
            legend=_legend(),
        ),
        shape=alt.Shape("after:N", title=None, scale=alt.Scale(domain=states), legend=_legend()),
        tooltip=[
            alt.Tooltip("who:N", title="Who"),
            alt.Tooltip("after:N", title="Measured"),
            alt.Tooltip("macs:Q", title="MACs left (%)", format=".1f"),
            alt.Tooltip("value:Q", title=metric.label, format=form),
        ],
    )
    line = base.mark_line(color=TEXT, interpolate="step-after", strokeWidth=2)
    return finish(alt.layer(line.properties(data=edge), marks.properties(data=table)), height)


def _legend() -> alt.Legend:
    return alt.Legend(orient="top", symbolSize=140)
