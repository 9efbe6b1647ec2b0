"""Charts of the scoreboard: who stands where, ours against the best rival. Data frames in, Altair charts out."""

import altair as alt
import pandas as pd

from explorer.recovery import RECOVERIES
from explorer.tasks import Metric
from explorer.ui.charts.axes import columns_fitting, finish
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
        legend=alt.Legend(orient="top", columns=columns_fitting(1)),
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
