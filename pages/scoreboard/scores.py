"""Charts of the scoreboard: who stands where, and what has been published. Data frames in, Altair charts out."""

import altair as alt
import pandas as pd

from explorer.recovery import RECOVERIES
from explorer.tasks import Metric
from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import MUTED, RUNS


def standing(frame: pd.DataFrame, metric: Metric) -> alt.LayerChart:
    """The metric at the end with its interval, a line per player and a colour per recovery, the best on top.

    Args:
        frame: columns player, recovery (titles), value, low, high, base, as_cut, macs (shares), runs.
    """
    order = list(frame.groupby("player").value.max().sort_values(ascending=False).index)
    titles = [entry.title for entry in RECOVERIES.values() if entry.title in set(frame.recovery)]
    form = ".1%" if metric.share else ".3f"
    axis = alt.Axis(format="~%" if metric.share else ".2~f", title=f"Test {metric.label.lower()}", tickCount=8)
    y = alt.Y("player:N", sort=order, title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=220))
    x = alt.X("value:Q", axis=axis, scale=alt.Scale(zero=False))
    offset = alt.YOffset("recovery:N", sort=titles)
    colour = alt.Color(
        "recovery:N",
        scale=alt.Scale(domain=titles, range=list(RUNS.values())[: len(titles)]),
        title="Recovery",
        legend=alt.Legend(orient="top", columns=_fitting(1)),
    )
    tooltip = [
        alt.Tooltip("player:N", title="Method or criterion"),
        alt.Tooltip("recovery:N", title="Recovery"),
        alt.Tooltip("value:Q", title=f"Test {metric.short}", format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
        alt.Tooltip("as_cut:Q", title="As cut", format=form),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("runs:Q", title="Seeds"),
    ]
    base = alt.Chart(frame)
    whole = base.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x="base:Q")
    spans = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(
        y=y, yOffset=offset, x=alt.X("low:Q"), x2="high:Q", color=colour
    )
    points = base.mark_point(filled=True, size=60, opacity=1).encode(
        y=y, yOffset=offset, x=x, color=colour, tooltip=tooltip
    )
    return finish(alt.layer(whole, spans, points), (8 + 9 * len(titles)) * len(order) + 20)


def published(frame: pd.DataFrame, x_title: str, y_title: str, height: int = 320) -> alt.LayerChart:
    """Published changes of accuracy by compression, hollow, since they were not measured here.

    Args:
        frame: columns method, x_value, delta (points), value, baseline, source, table, training, note.
    """
    methods = list(dict.fromkeys(frame.method))
    x = alt.X("x_value:Q", title=x_title[:1].upper() + x_title[1:], scale=alt.Scale(zero=False, nice=False, padding=12))
    y = alt.Y("delta:Q", title=y_title[:1].upper() + y_title[1:], axis=alt.Axis(format="+.0f"))
    colour = alt.Color(
        "method:N",
        scale=alt.Scale(domain=methods, scheme="tableau20"),
        title="Method",
        legend=alt.Legend(orient="bottom", columns=_fitting(2), symbolLimit=60),
    )
    tooltip = [
        alt.Tooltip("method:N", title="Method"),
        alt.Tooltip("training:N", title="Training after the cut"),
        alt.Tooltip("x_value:Q", title=x_title[:1].upper() + x_title[1:]),
        alt.Tooltip("value:Q", title="Value"),
        alt.Tooltip("baseline:Q", title="Base"),
        alt.Tooltip("delta:Q", title="Points", format="+.2f"),
        alt.Tooltip("source:N", title="Source"),
        alt.Tooltip("table:N", title="Table"),
        alt.Tooltip("note:N", title="Note"),
    ]
    points = (
        alt.Chart(frame)
        .mark_point(filled=False, size=55, strokeWidth=1.75)
        .encode(x=x, y=y, color=colour, shape=alt.Shape("training:N", title="Training"), tooltip=tooltip)
    )
    return finish(alt.layer(points), height)


def _fitting(least: int) -> alt.ExprRef:
    """As many columns of a legend as fit, at least so many."""
    return alt.ExprRef(f"max({least}, floor(width / 180))")
