"""The task's metric: of models beside each other, of the points tried, and class by class."""

import json
from collections.abc import Mapping

import altair as alt
import pandas as pd

from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.tasks import Metric
from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import ACCENT, AFTER, BEFORE, LOST, MUTED, RECOVERED

ROOM = 0.06  # of the whole network's MACs, beside the points tried
STAGES = dict(zip(RECOVERY_STAGES.values(), (LOST, *RECOVERED), strict=True))


def qualities(frame: pd.DataFrame, metric: Metric, height: int | None = None) -> alt.LayerChart:
    """The task's metric with its 95% interval, one line a model.

    Args:
        frame: columns model (label, in order), value, low, high.
    """
    order = list(frame.model)
    y = alt.Y(
        "model:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, labelFlush=False, ticks=False, domain=False)
    )
    lowest = max(0.0 if metric.share else -1.0, float(frame.low.min()) - 0.02)
    form = ".1%" if metric.share else ".3f"
    scale = alt.Scale(domain=[lowest, min(1.0, float(frame.high.max()) + 0.02)], nice=False)
    colour = alt.Color(
        "model:N", scale=alt.Scale(domain=order, range=[BEFORE, ACCENT, AFTER][: len(order)]), legend=None
    )
    tooltip = [
        alt.Tooltip("model:N", title="Model"),
        alt.Tooltip("value:Q", title=metric.label, format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    base = alt.Chart(frame).encode(y=y, color=colour, tooltip=tooltip)
    title = f"{metric.label} with 95% interval"
    axis = alt.Axis(format=".0%" if metric.share else ".2f", title=title, tickCount=6)
    bars = base.mark_rule(strokeWidth=3, opacity=0.6).encode(x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q")
    points = base.mark_point(filled=True, size=110, opacity=1).encode(x=alt.X("value:Q", scale=scale))
    return finish(alt.layer(bars, points), height or 46 * len(frame) + 10)


def trail(
    frame: pd.DataFrame,
    metric: Metric,
    *,
    frontier: pd.DataFrame,
    goal: float | None = None,
    pick: str = "pick",
    height: int = 200,
) -> alt.LayerChart:
    """The points tried, MACs against the task's metric, and those that no other beats joined; a click chooses one.

    Args:
        frame: columns number (from 1), macs (share of the whole), value, low, high, stage (of recovery), now (whether
            it is the present one).
        frontier: columns macs and value, from cheap to dear.
        goal: the share of the MACs that is asked for, if it is of them.
    """
    form = ".1%" if metric.share else ".3f"
    axis = alt.Axis(format=".0%" if metric.share else ".2~f", tickCount=4, tickMinStep=0.01)
    places = alt.Axis(format=".0%", grid=False, tickCount=4, tickMinStep=0.01)
    shares = [*frame.macs, *([] if goal is None else [goal])]
    ends = [max(0.0, min(shares) - ROOM), max(shares) + ROOM]
    x = alt.X("macs:Q", title="MACs kept", axis=places, scale=alt.Scale(domain=ends, nice=False))
    y = alt.Y("value:Q", title=metric.label, axis=axis, scale=alt.Scale(zero=False, padding=12))
    tooltip = [
        alt.Tooltip("number:Q", title="Point"),
        alt.Tooltip("stage:N", title="Measured"),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("value:Q", title=metric.label, format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    stages = [stage for stage in STAGES if stage in set(frame.stage)]
    colour = alt.Color(
        "stage:N",
        scale=alt.Scale(domain=stages, range=[STAGES[stage] for stage in stages]),
        title=None,
        legend=alt.Legend(orient="top", labelFontSize=14),
    )
    base = alt.Chart(frame).encode(x=x, color=colour)
    best = alt.Chart(frontier).mark_line(interpolate="step-after", color=MUTED, strokeWidth=1.5).encode(x=x, y=y)
    spans = base.mark_rule(opacity=0.5).encode(y=alt.Y("low:Q"), y2="high:Q")
    selection = alt.selection_point(name=pick, fields=["number"], on="click", clear=False)
    points = (
        base.mark_point(filled=True, opacity=1, cursor="pointer")
        .encode(
            y=y,
            size=alt.Size("now:N", scale=alt.Scale(domain=[False, True], range=[50, 170]), legend=None),
            tooltip=tooltip,
        )
        .add_params(selection)
    )
    layers = [best, spans, points]
    if goal is not None:
        told = [alt.Tooltip("macs:Q", title="Goal: MACs kept", format=".0%")]
        rule = alt.Chart(pd.DataFrame({"macs": [goal]})).mark_rule(strokeDash=[3, 3], strokeWidth=1.5, color=MUTED)
        layers.insert(0, rule.encode(x=x, tooltip=told))
    return finish(alt.layer(*layers), height)


def classes(frame: pd.DataFrame, *, limit: int = 12) -> alt.LayerChart:
    """What every class loses or gains of its right answers, in points: the greatest losses first.

    Args:
        frame: columns class and change.
    """
    shown = frame.sort_values("change", kind="stable")[:limit]
    greatest = max(1.0, float(shown.change.abs().max()))
    ends = [greatest if shown.change.max() > 0 else 0.0, -greatest if shown.change.min() < 0 else 0.0]
    order = list(shown["class"])
    named = alt.Axis(ticks=False, domain=False, labelLimit=110, labelFontSize=14)
    said = {name: f"{change:+.0f} pt".replace("-", "−") for name, change in zip(order, shown.change, strict=True)}
    numbers = alt.Axis(orient="right", ticks=False, domain=False, labelFontSize=14, labelExpr=_looked_up(said))
    x = alt.X("change:Q", title=None, axis=None, scale=alt.Scale(domain=ends, nice=False))
    tooltip = [alt.Tooltip("class:N", title="Class"), alt.Tooltip("change:Q", title="Points", format="+.1f")]
    bars = (
        alt.Chart(shown)
        .mark_bar(height={"band": 0.5}, cornerRadius=2)
        .encode(
            y=alt.Y("class:N", sort=order, title=None, axis=named),
            x=x,
            color=alt.condition("datum.change < 0", alt.value(LOST), alt.value(ACCENT)),
            tooltip=tooltip,
        )
    )
    labels = (
        alt.Chart(shown)
        .mark_bar(opacity=0)
        .encode(y=alt.Y("class:N", sort=order, title=None, axis=numbers), x=x, tooltip=tooltip)
    )
    return finish(alt.layer(bars, labels).resolve_scale(y="independent"), 26 * max(len(shown), 1))


def _looked_up(texts: Mapping[str, str]) -> str:
    """A Vega expression that gives an axis label's text by the label."""
    return f"({json.dumps(dict(texts))})[datum.label]"
