"""Charts from plain numbers: every function takes data frames or arrays and gives an Altair chart."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.tasks import Metric
from explorer.ui.charts.colours import ACCENT, AFTER, BEFORE, KIND_COLOURS, MUTED, SEQUENTIAL, indexed_png, palette
from explorer.ui.text.words import KINDS, middle, shared_prefix, stages

IMAGE_WIDTH = 1536
GAP = 3


def short_names(names: Sequence[str]) -> str:
    """A Vega expression for names without what they share, and without their middle, where they differ least."""
    own = f"slice(datum.label, {len(shared_prefix(names))})"
    return f"length({own}) > 30 ? slice({own}, 0, 10) + '…' + slice({own}, -19) : {own}"


def _kind_colour(present: Sequence[str]) -> alt.Color:
    kinds = [kind for kind in KINDS if kind in present]
    scale = alt.Scale(domain=kinds, range=[KIND_COLOURS[kind] for kind in kinds])
    return alt.Color("kind:N", scale=scale, title="Kind of group", legend=alt.Legend(orient="bottom"))


def _stage_axis(names: Sequence[str]) -> alt.Axis:
    """Stage headings along the top, each where its first group stands; crowded ones give way."""
    position = {name: index for index, name in enumerate(names)}
    wide = [(heading, members) for heading, members in stages(names) if len(members) >= len(names) / 50]
    starts = {min(position[name] for name in members): heading for heading, members in wide}
    prefix = shared_prefix(list(starts.values()))
    starts = {at: heading.removeprefix(prefix) for at, heading in starts.items()}
    choices = " : ".join(f"datum.value == {at} ? '{middle(heading, 18)}'" for at, heading in starts.items())
    return alt.Axis(
        orient="top",
        values=list(starts),
        labelExpr=f"{choices} : ''",
        labelOverlap="greedy",
        labelAlign="left",
        labelLimit=140,
        labelPadding=6,
        title=None,
        grid=True,
        gridDash=[2, 3],
        domain=False,
        ticks=False,
    )


def network(table: pd.DataFrame, height: int = 230) -> alt.Chart:
    """The network as a row of bars, one per group in network order, as tall as the group has channels.

    Args:
        table: columns name, kind, channels, kept (channels), params, macs (shares of the whole, 0 to 1).
    """
    frame = table.assign(
        position=np.arange(len(table)),
        right=np.arange(len(table)) + 0.82,
        floor=0,
    )
    x = alt.X(
        "position:Q",
        axis=_stage_axis(list(table.name)),
        scale=alt.Scale(domain=[-0.1, max(len(table), 1)], nice=False, padding=0),
    )
    y_axis = alt.Axis(format=",d", title="Channels", tickCount=5, grid=False)
    tooltip = [
        alt.Tooltip("name:N", title="Group"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("channels:Q", title="Channels"),
        alt.Tooltip("kept:Q", title="Kept channels"),
        alt.Tooltip("params:Q", title="Share of parameters", format=".1%"),
        alt.Tooltip("macs:Q", title="Share of MACs", format=".1%"),
    ]
    base = alt.Chart(frame).encode(x=x, x2="right:Q", tooltip=tooltip)
    whole = base.mark_rect(color=MUTED, opacity=0.28, cornerRadius=2).encode(
        y=alt.Y("floor:Q", axis=y_axis, scale=alt.Scale(nice=False)), y2="channels:Q"
    )
    kept = base.mark_rect(cornerRadius=2).encode(
        y=alt.Y("floor:Q", axis=y_axis), y2="kept:Q", color=_kind_colour(list(table.kind))
    )
    return finish(alt.layer(whole, kept), height)


def levels(
    scores: Mapping[str, np.ndarray], *, shared: bool, steps: int = 250
) -> tuple[dict[str, np.ndarray], float, float]:
    """Every group's scores, sorted from low to high, as colour steps 0 … steps - 1.

    On the shared scale the same score is the same colour in every group; the scale spans the 1st to the
    99th percentile of all scores, so that a few extreme units don't wash out the rest.

    Returns:
        The steps of each group, and the scores that the lowest and the highest colour stand for.
    """
    everything = np.concatenate([np.asarray(values, dtype=float) for values in scores.values()])
    finite = everything[np.isfinite(everything)]
    low, high = (float(np.percentile(finite, q)) for q in (1, 99)) if finite.size else (0.0, 1.0)
    stepped = {}
    for name, values in scores.items():
        ordered = np.sort(np.nan_to_num(np.asarray(values, dtype=float), nan=low))
        bottom, top = (low, high) if shared else (ordered[0], ordered[-1])
        part = (ordered - bottom) / (top - bottom) if top > bottom else np.full(len(ordered), 0.5)
        stepped[name] = (np.clip(part, 0, 1) * (steps - 1)).round().astype(np.uint8)
    return stepped, low, high


def heat_image(stepped: Mapping[str, np.ndarray], row: int) -> str:
    """A PNG data URL: one stripe of `row` pixels per group, cells enlarged without smoothing, clear gaps between."""
    clear = len(palette())
    image = np.full((row * len(stepped), IMAGE_WIDTH), clear, dtype=np.uint8)
    for index, steps in enumerate(stepped.values()):
        cells = np.arange(IMAGE_WIDTH) * len(steps) // IMAGE_WIDTH
        image[index * row + 1 : (index + 1) * row - GAP + 1] = steps[cells]
    return indexed_png(image, np.vstack([palette(), [[0, 0, 0, 0]]]))


def row_height(groups: int) -> int:
    return int(np.clip(640 // max(groups, 1), 15, 28))


def group_y(names: Sequence[str], *, limit: int = 150, gap: float = 0.18, labels: bool = True) -> alt.Y:
    """The column `group` as rows in that order, labelled by short names of at most `limit` pixels.

    `gap` is the share of a row that stays free between two.
    """
    axis = alt.Axis(
        title=None,
        labels=labels,
        labelLimit=limit,
        labelExpr=short_names(names),
        labelOverlap=False,
        labelFlush=False,
        labelPadding=8,
        ticks=False,
        domain=False,
    )
    return alt.Y("group:N", sort=list(names), scale=alt.Scale(paddingInner=gap, paddingOuter=0), axis=axis)


def heatmap(
    scores: Mapping[str, np.ndarray], facts: pd.DataFrame, *, shared: bool, pick: str = "pick"
) -> alt.LayerChart:
    """All scores at once: a row per group in network order, a cell per unit, sorted from low to high.

    The cells are one image below one invisible rectangle per group, which carries the tooltip and the click:
    a mark per cell would take seconds to draw.

    Args:
        scores: one score per unit of every group, higher = keep.
        facts: indexed by group, columns kind and cut (fraction of units that the budget removes).
    """
    names = list(scores)
    stepped, low, high = levels(scores, shared=shared)
    row = row_height(len(names))
    rows = pd.DataFrame(
        {
            "group": names,
            "kind": [facts.kind[name] for name in names],
            "units": [len(scores[name]) for name in names],
            "lowest": [float(np.min(scores[name])) for name in names],
            "median": [float(np.median(scores[name])) for name in names],
            "highest": [float(np.max(scores[name])) for name in names],
            "cut": [float(facts.cut[name]) for name in names],
            "right": 1.0,
        }
    )
    y = group_y(names, limit=190, gap=0)
    x = alt.X(
        "start:Q",
        scale=alt.Scale(domain=[0, 1], nice=False, padding=0),
        axis=alt.Axis(title="Units, lowest score first", format=".0%", grid=False),
    )
    picture = (
        alt.Chart(pd.DataFrame({"url": [heat_image(stepped, row)]}))
        .mark_image(
            width=alt.expr("width"),
            height=alt.expr("height"),
            aspect=False,
            align="left",
            baseline="top",
            x=0,
            y=0,
        )
        .encode(url="url:N")
    )
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("kind:N", title="Kind"),
        alt.Tooltip("units:Q", title="Units"),
        *(alt.Tooltip(f"{part}:Q", title=f"{part.capitalize()} score", format=".3~g") for part in ("lowest", "median")),
        alt.Tooltip("highest:Q", title="Highest score", format=".3~g"),
        alt.Tooltip("cut:Q", title="Removed by the budget", format=".0%"),
    ]
    selection = alt.selection_point(name=pick, fields=["group"], on="click", clear=False)
    cover = (
        alt.Chart(rows.assign(start=0.0))
        .mark_rect(fill="transparent", cursor="pointer")
        .encode(y=y, x=x, x2="right:Q", tooltip=tooltip)
        .add_params(selection)
    )
    cuts = (
        alt.Chart(rows[rows.cut > 0].assign(start=lambda frame: frame.cut))
        .mark_tick(orient="vertical", color="#ff3b5c", thickness=3, size=row)
        .encode(y=y, x=x)
    )
    legend = (
        alt.Chart(pd.DataFrame({"score": [low, high], "group": names[:1] * 2, "start": [0.0, 0.0]}))
        .mark_point(opacity=0, size=0)
        .encode(
            y=y,
            x=x,
            color=alt.Color(
                "score:Q",
                scale=alt.Scale(domain=[low, high] if shared else [0, 1], range=list(SEQUENTIAL)),
                legend=alt.Legend(
                    title="Score" if shared else "Score within its group",
                    orient="top",
                    gradientLength=220,
                    gradientThickness=10,
                    format=".3~g" if shared else ".0%",
                    tickCount=4,
                ),
            ),
        )
    )
    layers = [picture, legend, *([cuts] if (rows.cut > 0).any() else []), cover]
    return finish(alt.layer(*layers), row * len(names))


def distribution(values: np.ndarray, *, removed: int = 0, height: int = 220) -> alt.LayerChart:
    """How one group's scores are spread; the `removed` lowest are grey, the line shows where the budget cuts."""
    ordered = np.sort(values)
    edges = np.histogram_bin_edges(ordered, bins=min(40, max(8, len(ordered) // 2)))
    if edges[-1] <= edges[0]:
        edges = np.array([edges[0] - 0.5, edges[0] + 0.5])
    parts = (("removed", ordered[:removed]), ("kept", ordered[removed:]))
    frame = pd.concat(
        pd.DataFrame({"low": edges[:-1], "high": edges[1:], "units": np.histogram(part, edges)[0], "part": name})
        for name, part in parts
    )
    colour = alt.Scale(domain=["removed", "kept"], range=[MUTED, ACCENT])
    bars = (
        alt.Chart(frame[frame.units > 0])
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X("low:Q", bin="binned", title="Score (higher is kept)", axis=alt.Axis(format=".3~g", grid=False)),
            x2="high:Q",
            y=alt.Y("units:Q", title="Units", axis=alt.Axis(tickMinStep=1)),
            color=alt.Color(
                "part:N", scale=colour, title="Budget", legend=alt.Legend(orient="top") if removed else None
            ),
            tooltip=[
                alt.Tooltip("units:Q", title="Units"),
                alt.Tooltip("low:Q", title="Score from", format=".3~g"),
                alt.Tooltip("high:Q", title="to", format=".3~g"),
                alt.Tooltip("part:N", title="Budget"),
            ],
        )
    )
    return finish(alt.layer(bars), height)


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
        frame: columns number (from 1), macs (share of the whole), value, low, high, rung, now (the present one or not).
    """
    form = ".1%" if metric.share else ".3f"
    axis = alt.Axis(format=".0%" if metric.share else ".2f")
    x = alt.X(
        "macs:Q", title="MACs kept", axis=alt.Axis(format=".0%", grid=False), scale=alt.Scale(zero=False, padding=14)
    )
    y = alt.Y("value:Q", title=metric.label, axis=axis, scale=alt.Scale(zero=False, padding=12))
    tooltip = [
        alt.Tooltip("number:Q", title="Point"),
        alt.Tooltip("rung:N", title="Measured"),
        alt.Tooltip("macs:Q", title="MACs kept", format=".1%"),
        alt.Tooltip("value:Q", title=metric.label, format=form),
        alt.Tooltip("low:Q", title="95% interval from", format=form),
        alt.Tooltip("high:Q", title="to", format=form),
    ]
    rungs = [rung for rung in RECOVERY_STAGES.values() if rung in set(frame.rung)]
    colour = alt.Color(
        "rung:N",
        scale=alt.Scale(domain=rungs, range=[BEFORE, ACCENT, AFTER][: len(rungs)]),
        title=None,
        legend=alt.Legend(orient="top"),
    )
    base = alt.Chart(frame).encode(x=x, color=colour)
    way = base.mark_line(strokeWidth=1, opacity=0.35).encode(y=y, order="number:O")
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
    return finish(alt.layer(way, spans, points), height)


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


def progress(frame: pd.DataFrame, *, y: str, unit: str, height: int = 200) -> alt.LayerChart:
    """One metric over the reports of a running job; columns step, value."""
    base = alt.Chart(frame).encode(
        x=alt.X("step:Q", title="Report", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3~g")),
        tooltip=[alt.Tooltip("step:Q", title="Report"), alt.Tooltip("value:Q", title=y, format=".3~g")],
    )
    return finish(alt.layer(base.mark_line(color=ACCENT), base.mark_point(color=ACCENT, filled=True, size=28)), height)


def finish(chart: alt.LayerChart, height: int) -> alt.LayerChart:
    """As wide as its place, its plot `height` pixels high. Titles are the page's: there they wrap."""
    sizing = alt.AutoSizeParams(type="fit-x", contains="padding")
    return chart.properties(width="container", height=height, autosize=sizing)
