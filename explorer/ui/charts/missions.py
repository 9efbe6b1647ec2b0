"""Everybody's points of a mission, with the frontier."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from explorer.learning.missions.points import Point
from explorer.tasks import Metric
from explorer.ui.charts.colours import ACCENT, MUTED

Goals = tuple[float | None, float | None]
TITLES = {"macs": "MACs", "params": "Parameters", "size": "Bytes of the weights file"}


def everybody(
    points: Sequence[Point], frontier: Sequence[Point], who: str, cost: str, metric: Metric, goals: Goals = (None, None)
) -> alt.LayerChart:
    """Cost against the hidden metric; the points of `who` in the accent's colour, those of all others grey.

    Args:
        goals: the limits of the cost and of the metric, dashed; None where there is none.
    """
    table = _table(points, who, cost)
    x = alt.X(
        "cost:Q", title=TITLES[cost], scale=alt.Scale(zero=False, nice=True), axis=alt.Axis(format=".3s", tickCount=5)
    )
    axis = alt.Axis(format=".1%" if metric.share else "g", tickCount=5)
    y = alt.Y("value:Q", title=f"{metric.label}, hidden data", axis=axis, scale=alt.Scale(zero=False))
    colour = alt.Color(
        "by:N",
        scale=alt.Scale(domain=["you", "others"], range=[ACCENT, MUTED]),
        legend=alt.Legend(title=None, orient="top"),
    )
    hover = [
        alt.Tooltip("by:N", title="Of"),
        alt.Tooltip("goals:N", title="Goals met"),
        alt.Tooltip("cost:Q", format=".3s"),
    ]
    hover += [alt.Tooltip("value:Q", title=metric.label, format=".1%" if metric.share else ".3f")]
    base = alt.Chart(table)
    edge = _table(frontier, who, cost)
    layers = [
        alt.Chart(edge).mark_line(color=MUTED, interpolate="step-after").encode(x=x, y=y),
        base.mark_rule(opacity=0.5).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q", color=colour),
        base.transform_filter("datum.done")
        .mark_point(size=90, filled=True, opacity=1)
        .encode(x=x, y=y, color=colour, tooltip=hover),
        base.transform_filter("!datum.done")
        .mark_point(size=70, filled=False)
        .encode(x=x, y=y, color=colour, tooltip=hover),
    ]
    return alt.layer(*_limits(goals, x, y), *layers).properties(height=260)


def _limits(goals: Goals, x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """The goals as dashed lines, upright for the cost and level for the metric."""
    lines = (("cost", goals[0], {"x": x}), ("value", goals[1], {"y": y}))
    return [
        alt.Chart(pd.DataFrame({name: [limit]})).mark_rule(strokeDash=[5, 4], color=MUTED).encode(**place)
        for name, limit, place in lines
        if limit is not None
    ]


def _table(points: Sequence[Point], who: str, cost: str) -> pd.DataFrame:
    judged = [point for point in points if point.value is not None]
    return pd.DataFrame(
        {
            "cost": [getattr(point, cost) for point in judged],
            "value": [point.value for point in judged],
            "low": [point.value if point.low is None else point.low for point in judged],
            "high": [point.value if point.high is None else point.high for point in judged],
            "done": [point.done for point in judged],
            "goals": [f"{point.met} of {point.goals}" for point in judged],
            "by": ["you" if point.who == who else "others" for point in judged],
        }
    )
