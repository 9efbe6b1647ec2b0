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


def against(frame: pd.DataFrame, metric: Metric) -> alt.LayerChart:
    """Ours and the best rival, a line per target and stage; the bar is the interval of ours from the rival's mean.

    Args:
        frame: lines of `explorer.bench.rivals.compared` of one network, with their `place` in words.
    """
    frame = frame.assign(
        line=frame.target + ", " + frame.place,
        low_end=frame.rival_value + frame.low,
        high_end=frame.rival_value + frame.high,
    )
    form = ".1%" if metric.share else ".3f"
    axis = alt.Axis(format="~%" if metric.share else ".2~f", title=f"Test {metric.label.lower()}", tickCount=8)
    y = alt.Y("line:N", sort=list(frame.line), title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=260))
    sides = {"ours": next(iter(RUNS.values())), "best of torch-pruning": MUTED}
    colour = alt.Color(
        "side:N",
        scale=alt.Scale(domain=list(sides), range=list(sides.values())),
        title=None,
        legend=alt.Legend(orient="top"),
    )
    tooltip = [
        alt.Tooltip("ours:N", title="Ours"),
        alt.Tooltip("rival:N", title="Rival"),
        alt.Tooltip("ours_value:Q", title=f"Test {metric.short} of ours", format=form),
        alt.Tooltip("rival_value:Q", title="Of the rival", format=form),
        alt.Tooltip("difference:Q", title="Difference", format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    base = alt.Chart(frame)
    points = [
        base.transform_calculate(side=f"'{side}'")
        .mark_point(filled=True, size=60, opacity=1)
        .encode(y=y, x=alt.X(f"{column}:Q", axis=axis, scale=alt.Scale(zero=False)), color=colour, tooltip=tooltip)
        for side, column in zip(reversed(sides), ("rival_value", "ours_value"), strict=True)
    ]
    whole = base.mark_rule(color=MUTED, strokeDash=[4, 3]).encode(x=alt.X("base:Q"))
    spans = base.mark_rule(strokeWidth=1.5, opacity=0.7).encode(y=y, x=alt.X("low_end:Q"), x2="high_end:Q")
    return finish(alt.layer(whole, spans, *points), 24 * len(frame) + 20)


def published(frame: pd.DataFrame, x_title: str, y_title: str, *, column: str, height: int = 320) -> alt.LayerChart:
    """Published results by how much was pruned, hollow, since they were not measured here.

    Args:
        frame: columns method, x_value, delta (points), value, baseline, variant, source, table, training, note.
        column: of the frame that is drawn: value or delta.
    """
    methods = list(dict.fromkeys(frame.method))
    x = alt.X("x_value:Q", title=x_title[:1].upper() + x_title[1:], scale=alt.Scale(zero=False, nice=False, padding=12))
    form = "+~f" if column == "delta" else "~f"
    y = alt.Y(
        f"{column}:Q", title=y_title[:1].upper() + y_title[1:], axis=alt.Axis(format=form), scale=alt.Scale(zero=False)
    )
    colour = alt.Color(
        "method:N",
        scale=alt.Scale(domain=methods, scheme="tableau20"),
        title="Method",
        legend=alt.Legend(orient="bottom", columns=_fitting(2), symbolLimit=60),
    )
    tooltip = [
        alt.Tooltip("method:N", title="Method"),
        alt.Tooltip("variant:N", title="Variant"),
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
