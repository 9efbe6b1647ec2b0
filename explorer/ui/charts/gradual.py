"""A gradual run, step by step: cost against the metric, and the width of every group."""

import altair as alt
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.axes import DASHES, TEXT, cost_x, finish, group_y, metric_axis, row_height
from explorer.ui.charts.colours import ACCENT, AFTER, BEFORE, MUTED

PLACES = {"base model": BEFORE, "as cut": MUTED, "recovered": ACCENT, "taken back": AFTER}
FAINTEST = 0.08


def trajectory(
    frame: pd.DataFrame,
    metric: Metric,
    *,
    kind: str,
    limit: float | None = None,
    target: float | None = None,
    height: int = 320,
) -> alt.LayerChart:
    """Every cut of a run: cost kept against the validation metric, as cut and recovered, those taken back hollow.

    The picture is as high as what was kept and the limit need; lines to values as cut may leave it at the bottom.

    Args:
        frame: columns step, macs, params (shares of the base), value, before (or NaN), place (a key of `PLACES`).
        limit: the lowest metric that a step may have; `target` the share of `kind` to reach.
    """
    axis, form = metric_axis(metric, f"Validation {metric.short}")
    values = [*frame.value, *([] if limit is None else [limit])]
    spread = max(0.15 * (max(values) - min(values)), 0.005)
    top = min(1.0, max(values) + spread) if metric.share else max(values) + spread
    scale = alt.Scale(domain=[min(values) - spread, top], nice=False)
    y, x = alt.Y("value:Q", axis=axis, scale=scale), cost_x(kind, [*frame[kind], *([target] if target else [])])
    present = [
        place for place in PLACES if place in {*frame.place, *(["as cut"] if frame.before.notna().any() else [])}
    ]
    colour = alt.Color(
        "place:N",
        scale=alt.Scale(domain=present, range=[PLACES[place] for place in present]),
        legend=alt.Legend(orient="top", title=None, symbolType="circle", symbolStrokeWidth=2),
    )
    tooltip = [
        alt.Tooltip("step:Q", title="Step"),
        alt.Tooltip("place:N", title="Outcome"),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("params:Q", title="Parameters kept", format=".1%"),
        alt.Tooltip("value:Q", title=f"Validation {metric.short}, recovered", format=form),
        alt.Tooltip("before:Q", title="as cut", format=form),
    ]
    kept, lost = frame[frame.place != "taken back"], frame[frame.place == "taken back"]
    cut = frame[frame.before.notna()].assign(outcome=lambda rows: rows.place, place="as cut")
    layers = []
    if limit is not None:
        layers += _line_with_name(y, pd.DataFrame({"value": [limit]}), f"limit {metric.text(limit)}", height)
    if target is not None:
        layers += _line_with_name(x, pd.DataFrame({kind: [target]}), f"target {target:.0%}", height)
    line = alt.Chart(kept).mark_line(color=ACCENT, strokeWidth=1.5, opacity=0.55).encode(x=x, y=y, order="step:Q")
    gaps = alt.Chart(cut).mark_rule(clip=True, opacity=0.45, color=MUTED).encode(x=x, y=y, y2="before:Q")
    cuts = (
        alt.Chart(cut)
        .mark_point(clip=True, filled=True, size=34, opacity=0.9)
        .encode(x=x, y=alt.Y("before:Q", axis=axis, scale=scale), color=colour, tooltip=tooltip)
    )
    full = alt.Chart(kept).mark_point(filled=True, size=95, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
    hollow = alt.Chart(lost).mark_point(filled=False, size=95, strokeWidth=2, opacity=1)
    layers += [gaps, cuts, line, full, *([hollow.encode(x=x, y=y, color=colour, tooltip=tooltip)] if len(lost) else [])]
    return finish(alt.layer(*layers), height)


def _line_with_name(place: alt.X | alt.Y, where: pd.DataFrame, name: str, height: int) -> list[alt.Chart]:
    """A dashed line through the picture, and what it is: at the right end or at the foot."""
    upright = isinstance(place, alt.X)
    channel, other = ("x", "y") if upright else ("y", "x")
    end = alt.value(height - 8) if upright else alt.value("width")
    looks = {"align": "left", "dx": 5} if upright else {"align": "right", "dx": -4, "dy": 9}
    base = alt.Chart(where).encode(**{channel: place})
    rule = base.mark_rule(strokeDash=DASHES, color=BEFORE)
    label = base.mark_text(color=TEXT, text=name, **looks).encode(**{other: end})
    return [rule, label]


def width_map(frame: pd.DataFrame, now: int) -> alt.LayerChart:
    """How wide every group was after every step: the stronger a cell, the more of the group was left.

    Args:
        frame: a row per group and step, columns group, step, kept, size, share, taken_back; groups in network order.
        now: the step that is looked at.
    """
    names = list(dict.fromkeys(frame.group))
    y = group_y(names)
    x = alt.X("step:O", title="Step", axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelOverlap=True))
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("step:O", title="Step"),
        alt.Tooltip("kept:Q", title="Channels left"),
        alt.Tooltip("size:Q", title="of"),
        alt.Tooltip("share:Q", title="Left", format=".0%"),
        alt.Tooltip("taken_back:N", title="Taken back"),
    ]
    shade = alt.Opacity("share:Q", scale=alt.Scale(domain=[0, 1], range=[FAINTEST, 1]), legend=None)
    kept, lost = frame[~frame.taken_back], frame[frame.taken_back]
    cells = alt.Chart(kept).mark_rect(color=ACCENT, cornerRadius=1).encode(x=x, y=y, opacity=shade, tooltip=tooltip)
    layers = [cells]
    if len(lost):
        layers.append(
            alt.Chart(lost)
            .mark_rect(fill="transparent", stroke=AFTER, strokeWidth=1.2)
            .encode(x=x, y=y, strokeOpacity=alt.StrokeOpacity("share:Q", legend=None), tooltip=tooltip)
        )
    column = pd.DataFrame({"step": [now]})
    layers.append(alt.Chart(column).mark_rect(fill="transparent", stroke=AFTER, strokeWidth=2).encode(x=x))
    return finish(alt.layer(*layers), row_height(len(names)) * len(names))


def rows(frame: pd.DataFrame) -> alt.LayerChart:
    """The groups as rows of equal length, what is left of each filled; columns group, kept, size, share."""
    names = list(frame.group)
    y = group_y(names)
    data = frame.assign(
        whole=1.0, said=[f"{kept} / {size}" for kept, size in zip(frame.kept, frame["size"], strict=True)]
    )
    axis = alt.Axis(format=".0%", title="Channels left", grid=False, values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("whole:Q", axis=axis, scale=alt.Scale(domain=[0, 1.22], nice=False))
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("said:N", title="Channels left"),
        alt.Tooltip("share:Q", title="Left", format=".0%"),
    ]
    base = alt.Chart(data).encode(y=y, tooltip=tooltip)
    whole = base.mark_bar(color=MUTED, opacity=0.28, cornerRadius=2).encode(x=x)
    kept = base.mark_bar(color=ACCENT, cornerRadius=2).encode(x=alt.X("share:Q", axis=axis))
    label = base.mark_text(align="left", dx=6, color=TEXT).encode(x=x, text="said:N")
    return finish(alt.layer(whole, kept, label), row_height(len(names)) * len(names))
