"""Finished runs beside each other: what they cost and reach, their widths and units, and the tree they form."""

from collections.abc import Mapping, Sequence

import altair as alt
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.axes import COSTS, DASHES, TEXT, cost_x, finish, group_y, metric_axis, row_height
from explorer.ui.charts.colours import BEFORE, MUTED

SHAPES = ("circle", "diamond", "triangle-up", "cross")


def tradeoff(
    finals: pd.DataFrame,
    trajectories: pd.DataFrame,
    metric: Metric,
    colours: Mapping[str, str],
    *,
    kind: str,
    others: pd.DataFrame,
    frontier: pd.DataFrame,
    height: int = 380,
) -> alt.LayerChart:
    """What runs kept against what they reach on the test split, with their trajectories on the validation split.

    Args:
        finals: columns run, what ("base model", "pruned", or a baseline's title), macs, params, value, low, high.
        trajectories: columns run, step, macs, params, value: steps of gradual runs, judged on validation data.
        colours: of every run.
        kind: the cost.
        others: runs of the same facet that stand there in grey, as `finals`.
        frontier: the runs that no other beats, from cheap to dear, as `finals`.
    """
    title = f"Test {metric.short}" + (" (dashed: validation)" if len(trajectories) else "")
    axis, form = metric_axis(metric, title)
    drawn = [finals, trajectories, *([others] if len(others) else [])]
    values = [*finals.low, *finals.high, *(value for frame in drawn for value in frame.value)]
    lowest, highest = min(values), max(values)
    spread = max(0.06 * (highest - lowest), 0.005)
    scale = alt.Scale(domain=[lowest - spread, highest + spread], nice=False)
    costs = [cost for frame in drawn for cost in frame[kind]]
    y, x = alt.Y("value:Q", axis=axis, scale=scale), cost_x(kind, costs)
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
    on_trajectory = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("step:Q", title="Step"),
        alt.Tooltip(f"{kind}:Q", title=f"{COSTS[kind]} kept", format=".1%"),
        alt.Tooltip("value:Q", title=f"Validation {metric.short}", format=form),
    ]
    layers = []
    if len(frontier) > 1:
        steps = alt.Chart(frontier).mark_line(interpolate="step-after", color=MUTED, strokeWidth=1.5, opacity=0.7)
        layers.append(steps.encode(x=x, y=y, order=f"{kind}:Q"))
    if len(others):
        grey = alt.Chart(others).mark_point(filled=True, size=60, color=MUTED, opacity=0.7)
        layers.append(grey.encode(x=x, y=y, tooltip=tooltip))
    if len(trajectories):
        dashed = alt.Chart(trajectories).encode(
            x=x, y=y, color=colour, detail="run:N", order="step:Q", tooltip=on_trajectory
        )
        layers += [
            dashed.mark_line(strokeDash=DASHES, strokeWidth=1.5, opacity=0.6),
            dashed.mark_point(filled=False, size=30, opacity=0.8, shape="circle"),
        ]
    base = alt.Chart(finals).encode(x=x, color=colour)
    layers.append(
        base.mark_rule(strokeWidth=2, opacity=0.55).encode(y=alt.Y("low:Q", axis=axis, scale=scale), y2="high:Q")
    )
    layers.append(base.mark_point(filled=True, size=130, opacity=1).encode(y=y, shape=shape, tooltip=tooltip))
    return finish(alt.layer(*layers), height)


def ghost(height: int = 220) -> alt.LayerChart:
    """The outline of `tradeoff` where there is no run yet."""
    frame = pd.DataFrame({"macs": [0.3, 0.45, 0.6, 0.8, 1.0], "value": [0.55, 0.8, 0.88, 0.93, 0.95]})
    base = alt.Chart(frame).encode(
        x=alt.X("macs:Q", title="MACs kept", axis=alt.Axis(labels=False, ticks=False, grid=False)),
        y=alt.Y("value:Q", title="Test metric", axis=alt.Axis(labels=False, ticks=False, grid=False)),
    )
    line = base.mark_line(strokeDash=DASHES, color=MUTED, opacity=0.5)
    return finish(alt.layer(line, base.mark_point(size=110, color=MUTED, opacity=0.5)), height)


def _run_colour(names: Sequence[str], colours: Mapping[str, str], *, legend: bool = True) -> alt.Color:
    """One colour a run, the same in every picture."""
    shown = (
        alt.Legend(orient="top", title=None, columns=1, labelLimit=300, symbolType="square", symbolOpacity=1)
        if legend
        else None
    )
    scale = alt.Scale(domain=list(names), range=[colours.get(name, MUTED) for name in names])
    return alt.Color("run:N", sort=list(names), scale=scale, legend=shown)


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
    x = cost_x("macs", nodes.macs, "MACs kept of the first model")
    colour = _run_colour(list(dict.fromkeys(nodes.run)), colours, legend=False)
    base = alt.Chart(nodes).encode(x=x, y=y)
    line = base.mark_line(strokeWidth=2, opacity=0.5).encode(color=colour, order="macs:Q", detail="run:N")
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
    named = alt.Chart(nodes[nodes.step == 0]).mark_text(align="right", dx=-6, dy=-13, color=TEXT)
    return finish(
        alt.layer(*([tie] if len(ties) else []), line, dots, named.encode(x=x, y=y, text="run:N")), 64 * (last + 1) + 20
    )
