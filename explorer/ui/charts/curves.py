"""Charts of runs: the way of one, and several side by side. Data frames in, Altair charts out."""

from collections.abc import Iterable, Mapping, Sequence

import altair as alt
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.colours import ACCENT, AFTER, BEFORE, MUTED
from explorer.ui.charts.pictures import finish, group_y, row_height

NAMES = {"macs": "MACs", "params": "Parameters", "nonzero": "Non-zero parameters"}
PLACES = {"base model": BEFORE, "as cut": MUTED, "recovered": ACCENT, "taken back": AFTER}
FAINTEST = 0.08
SHAPES = ("circle", "diamond", "triangle-up", "cross")
DASHES = [4, 3]


def _metric_axis(metric: Metric, title: str) -> tuple[alt.Axis, str]:
    """The axis of a metric, and how tooltips write its values."""
    return alt.Axis(format="~%" if metric.share else ".3~f", title=title, tickCount=6), (
        ".1%" if metric.share else ".3f"
    )


def _cost_x(kind: str, shares: Iterable[float], title: str | None = None) -> alt.X:
    """Shares of a cost from the smallest of them to the whole, with a little room on both sides."""
    low = min([*shares, 0.9])
    room = 0.04 * (1 - low)
    axis = alt.Axis(format=".0%", grid=False, tickCount=8)
    scale = alt.Scale(domain=[low - room, 1 + room], nice=False)
    return alt.X(f"{kind}:Q", title=title or f"{NAMES[kind]} kept", axis=axis, scale=scale)


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
    axis, form = _metric_axis(metric, f"Validation {metric.short}")
    values = [*frame.value, *([] if limit is None else [limit])]
    spread = max(0.15 * (max(values) - min(values)), 0.005)
    top = min(1.0, max(values) + spread) if metric.share else max(values) + spread
    scale = alt.Scale(domain=[min(values) - spread, top], nice=False)
    y, x = alt.Y("value:Q", axis=axis, scale=scale), _cost_x(kind, [*frame[kind], *([target] if target else [])])
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
    way = alt.Chart(kept).mark_line(color=ACCENT, strokeWidth=1.5, opacity=0.55).encode(x=x, y=y, order="step:Q")
    gaps = alt.Chart(cut).mark_rule(clip=True, opacity=0.45, color=MUTED).encode(x=x, y=y, y2="before:Q")
    cuts = (
        alt.Chart(cut)
        .mark_point(clip=True, filled=True, size=34, opacity=0.9)
        .encode(x=x, y=alt.Y("before:Q", axis=axis, scale=scale), color=colour, tooltip=tooltip)
    )
    full = alt.Chart(kept).mark_point(filled=True, size=95, opacity=1).encode(x=x, y=y, color=colour, tooltip=tooltip)
    hollow = alt.Chart(lost).mark_point(filled=False, size=95, strokeWidth=2, opacity=1)
    layers += [gaps, cuts, way, full, *([hollow.encode(x=x, y=y, color=colour, tooltip=tooltip)] if len(lost) else [])]
    return finish(alt.layer(*layers), height)


def _line_with_name(place: alt.X | alt.Y, where: pd.DataFrame, name: str, height: int) -> list[alt.Chart]:
    """A dashed line through the picture, and what it is: at the right end or at the foot."""
    upright = isinstance(place, alt.X)
    channel, other = ("x", "y") if upright else ("y", "x")
    end = alt.value(height - 8) if upright else alt.value("width")
    looks = {"align": "left", "dx": 5} if upright else {"align": "right", "dx": -4, "dy": 9}
    base = alt.Chart(where).encode(**{channel: place})
    rule = base.mark_rule(strokeDash=DASHES, color=BEFORE)
    label = base.mark_text(color=BEFORE, fontSize=11, text=name, **looks).encode(**{other: end})
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


def _run_colour(names: Sequence[str], colours: Mapping[str, str], *, legend: bool = True) -> alt.Color:
    """One colour a run, the same in every picture."""
    shown = alt.Legend(orient="top", title=None, columns=1, labelLimit=300, symbolType="square") if legend else None
    scale = alt.Scale(domain=list(names), range=[colours.get(name, MUTED) for name in names])
    return alt.Color("run:N", sort=list(names), scale=scale, legend=shown)


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
    label = base.mark_text(align="left", dx=6, fontSize=11, color=BEFORE).encode(x=x, text="said:N")
    return finish(alt.layer(whole, kept, label), row_height(len(names)) * len(names))


def tradeoff(
    finals: pd.DataFrame,
    ways: pd.DataFrame,
    metric: Metric,
    colours: Mapping[str, str],
    *,
    kind: str,
    height: int = 380,
) -> alt.LayerChart:
    """What runs kept against what they reach on the test split, with the ways there on the validation split.

    Args:
        finals: columns run, what ("base model", "pruned", or a baseline's title), macs, params, value, low, high.
        ways: columns run, step, macs, params, value: steps of gradual runs, judged on validation data.
        colours: of every run.
    """
    title = f"Test {metric.short}" + (" (dashed: validation)" if len(ways) else "")
    axis, form = _metric_axis(metric, title)
    lowest, highest = min([*finals.low, *ways.value]), max([*finals.high, *ways.value])
    spread = max(0.06 * (highest - lowest), 0.005)
    scale = alt.Scale(domain=[lowest - spread, highest + spread], nice=False)
    y, x = alt.Y("value:Q", axis=axis, scale=scale), _cost_x(kind, [*finals[kind], *ways[kind]])
    colour = _run_colour(list(dict.fromkeys(finals.run)), colours)
    shown = list(dict.fromkeys(finals.what))
    legend = alt.Legend(
        orient="bottom", columns=2, title=None, labelLimit=300, symbolFillColor=BEFORE, symbolStrokeColor=BEFORE
    )
    shape = alt.Shape(
        "what:N",
        sort=shown,
        scale=alt.Scale(domain=shown, range=list(SHAPES[: len(shown)])),
        legend=legend if len(shown) > 2 else None,
    )
    tooltip = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("what:N", title="What"),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("params:Q", title="Parameters kept", format=".1%"),
        alt.Tooltip("value:Q", title=f"Test {metric.short}", format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    on_the_way = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("step:Q", title="Step"),
        alt.Tooltip(f"{kind}:Q", title=f"{NAMES[kind]} kept", format=".1%"),
        alt.Tooltip("value:Q", title=f"Validation {metric.short}", format=form),
    ]
    layers = []
    if len(ways):
        line = alt.Chart(ways).encode(x=x, y=y, color=colour, detail="run:N", order="step:Q", tooltip=on_the_way)
        layers += [
            line.mark_line(strokeDash=DASHES, strokeWidth=1.5, opacity=0.6),
            line.mark_point(filled=False, size=30, opacity=0.8, shape="circle"),
        ]
    base = alt.Chart(finals).encode(x=x, color=colour)
    layers.append(
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(y=alt.Y("low:Q", axis=axis, scale=scale), y2="high:Q")
    )
    layers.append(base.mark_point(filled=True, size=130, opacity=1).encode(y=y, shape=shape, tooltip=tooltip))
    return finish(alt.layer(*layers), height)


def widths(frame: pd.DataFrame, colours: Mapping[str, str]) -> alt.LayerChart:
    """What several runs leave of every group, a dot for each; columns group, run, kept, size, share."""
    names = list(dict.fromkeys(frame.group))
    y = group_y(names)
    x = alt.X(
        "share:Q",
        title="Channels left",
        axis=alt.Axis(format=".0%", grid=True),
        scale=alt.Scale(domain=[0, 1.02], nice=False),
    )
    colour = _run_colour(list(dict.fromkeys(frame.run)), colours)
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("kept:Q", title="Channels left"),
        alt.Tooltip("size:Q", title="of"),
    ]
    spans = (
        alt.Chart(frame)
        .mark_rule(color=MUTED, strokeWidth=2, opacity=0.5)
        .encode(y=y, x=alt.X("min(share):Q", title="Channels left"), x2="max(share):Q")
    )
    dots = (
        alt.Chart(frame).mark_point(filled=True, size=70, opacity=0.9).encode(y=y, x=x, color=colour, tooltip=tooltip)
    )
    return finish(alt.layer(spans, dots), row_height(len(names)) * len(names))


def shared_units(frame: pd.DataFrame, colours: Mapping[str, str]) -> alt.LayerChart:
    """Which of two plans removes how many units of each group.

    Args:
        frame: columns group, who (a key of `colours`), units.
        colours: of the first plan alone, of both, and of the second alone.
    """
    groups, who = list(dict.fromkeys(frame.group)), list(colours)
    colour = alt.Color(
        "who:N",
        sort=who,
        scale=alt.Scale(domain=who, range=list(colours.values())),
        legend=alt.Legend(orient="top", title=None, columns=1, labelLimit=320),
    )
    order = frame.assign(order=frame.who.map(who.index))
    bars = (
        alt.Chart(order)
        .mark_bar(height={"band": 0.75})
        .encode(
            y=group_y(groups),
            x=alt.X("units:Q", title="Units removed", axis=alt.Axis(tickMinStep=1)),
            color=colour,
            order="order:Q",
            tooltip=[
                alt.Tooltip("group:N", title="Group"),
                alt.Tooltip("who:N", title="Removed by"),
                alt.Tooltip("units:Q", title="Units"),
            ],
        )
    )
    return finish(alt.layer(bars), row_height(len(groups)) * len(groups))


def family(
    nodes: pd.DataFrame, ties: pd.DataFrame, colours: Mapping[str, str], *, pick: str = "pick"
) -> alt.LayerChart:
    """Runs as a tree: a row each, its steps from right to left as the network shrinks, and where it branched off.

    Args:
        nodes: columns row, run, step (0: where it began, -1: its end), macs (share of the tree's first model), said.
        ties: columns row, macs, from (the row of the parent) of the runs that branched off another.
        colours: of the runs that are looked at; the others stay grey.
    """
    last = int(nodes.row.max())
    y = alt.Y("row:Q", axis=None, scale=alt.Scale(domain=[last + 0.6, -0.7], nice=False))
    x = _cost_x("macs", nodes.macs, "MACs kept of the first model")
    colour = _run_colour(list(dict.fromkeys(nodes.run)), colours, legend=False)
    base = alt.Chart(nodes).encode(x=x, y=y)
    way = base.mark_line(strokeWidth=2, opacity=0.5).encode(color=colour, order="macs:Q", detail="run:N")
    tie = alt.Chart(ties).mark_rule(color=MUTED, strokeWidth=1.5, strokeDash=DASHES).encode(x=x, y=y, y2="from:Q")
    selection = alt.selection_point(name=pick, fields=["run", "step"], on="click", clear=False)
    dots = (
        base.mark_point(filled=True, opacity=1, cursor="pointer")
        .encode(
            color=colour,
            size=alt.condition("datum.step < 0", alt.value(150), alt.value(55)),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("said:N", title="Point"),
                alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
            ],
        )
        .add_params(selection)
    )
    named = alt.Chart(nodes[nodes.step == 0]).mark_text(align="right", dx=-6, dy=-13, fontSize=12, color=BEFORE)
    return finish(
        alt.layer(*([tie] if len(ties) else []), way, dots, named.encode(x=x, y=y, text="run:N")), 64 * (last + 1) + 20
    )
