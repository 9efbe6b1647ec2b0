"""The task's metric: of models beside each other, of the points tried, and class by class."""

import altair as alt
import pandas as pd

from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.tasks import Metric
from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import ACCENT, AFTER, BEFORE, RUNS

STAGES = dict(zip(RECOVERY_STAGES.values(), (BEFORE, ACCENT, RUNS["violet"], AFTER), strict=True))


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


def trail(frame: pd.DataFrame, metric: Metric, *, pick: str = "pick", height: int = 230) -> alt.LayerChart:
    """The points tried, MACs against the task's metric, joined in the order of trying; a click chooses one.

    Args:
        frame: columns number (from 1), macs (share of the whole), value, low, high, stage (of recovery), now (whether
            it is the present one).
    """
    form = ".1%" if metric.share else ".3f"
    axis = alt.Axis(format=".0%" if metric.share else ".2f")
    x = alt.X(
        "macs:Q", title="MACs kept", axis=alt.Axis(format=".0%", grid=False), scale=alt.Scale(zero=False, padding=14)
    )
    y = alt.Y("value:Q", title=metric.label, axis=axis, scale=alt.Scale(zero=False, padding=12))
    tooltip = [
        alt.Tooltip("number:Q", title="Point"),
        alt.Tooltip("stage:N", title="Measured"),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("value:Q", title=metric.label, format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    stages = [stage for stage in RECOVERY_STAGES.values() if stage in set(frame.stage)]
    colour = alt.Color(
        "stage:N",
        scale=alt.Scale(domain=stages, range=[STAGES[stage] for stage in stages]),
        title=None,
        legend=alt.Legend(orient="top"),
    )
    base = alt.Chart(frame).encode(x=x, color=colour)
    line = base.mark_line(strokeWidth=1, opacity=0.35).encode(y=y, order="number:O")
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
    return finish(alt.layer(line, spans, points), height)


def classes(frame: pd.DataFrame, *, limit: int = 12) -> alt.LayerChart:
    """What every class loses or gains of its right answers, the greatest changes first; columns class, change."""
    shown = frame.reindex(frame.change.abs().sort_values(ascending=False).index)[:limit].sort_values("change")
    bars = (
        alt.Chart(shown)
        .mark_bar(height={"band": 0.7})
        .encode(
            y=alt.Y("class:N", sort=list(shown["class"]), title=None, axis=alt.Axis(ticks=False, domain=False)),
            x=alt.X("change:Q", title="Change of right answers, points", axis=alt.Axis(format="+.0f", grid=True)),
            color=alt.condition("datum.change < 0", alt.value(AFTER), alt.value(ACCENT)),
            tooltip=[alt.Tooltip("class:N", title="Class"), alt.Tooltip("change:Q", title="Points", format="+.1f")],
        )
    )
    return finish(alt.layer(bars), 22 * max(len(shown), 4))
