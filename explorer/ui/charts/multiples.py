"""Many small charts side by side: a panel per group or pair, all on the same scales. Data frames in, Altair out."""

from collections.abc import Mapping, Sequence

import altair as alt
import numpy as np
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.axes import finish, group_y, row_height, short_names
from explorer.ui.charts.colours import ACCENT, AFTER, MUTED, palette
from explorer.ui.charts.scores import heat_image

COLUMNS, WIDTH, HEIGHT = 6, 128, 74
DIVERGING = ("#a3526f", "#f2f2f2", "#1d8aa3")
_BARE = {"ticks": False, "domain": False, "labelFlush": False}


def _panels(drawing: alt.LayerChart, frame: pd.DataFrame, *, own_x: bool = False) -> list[alt.FacetChart]:
    """The groups of `frame` below each other, as `COLUMNS` pictures at most, which a page lays out by its width."""
    names = list(dict.fromkeys(frame.group))
    header = alt.Header(title=None, labelExpr=short_names(names), labelAnchor="start", labelPadding=3, labelFontSize=11)
    sized = drawing.properties(width=WIDTH, height=HEIGHT)
    pictures = []
    for some in np.array_split(names, min(COLUMNS, len(names))):
        facet = alt.Facet("group:N", sort=list(some), title=None, header=header)
        drawn = sized.facet(data=frame[frame.group.isin(some)], facet=facet, columns=1, spacing=12)
        pictures.append(drawn.resolve_scale(x="independent" if own_x else "shared"))
    return pictures


def _range(*columns: pd.Series) -> alt.Scale:
    """One scale for all pictures."""
    values = pd.concat(columns)
    return alt.Scale(domain=[float(values.min()), float(values.max())], zero=False, nice=True)


def curves(frame: pd.DataFrame, base: float, metric: Metric) -> list[alt.FacetChart]:
    """The metric by the share that a group alone loses; the dashed line is the whole network.

    Args:
        frame: columns group, ratio (0 to 1), removed (channels), value; in network order.
    """
    axis = alt.Axis(format="~%" if metric.share else ".2~f", tickCount=3, title=None, grid=True)
    y = alt.Y("value:Q", axis=axis, scale=_range(frame.value))
    x = alt.X("ratio:Q", title=None, axis=alt.Axis(format="~%", values=[0, 0.5, 0.9], grid=False))
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("removed:Q", title="Channels removed"),
        alt.Tooltip("ratio:Q", title="Share of its units", format=".0%"),
        alt.Tooltip("value:Q", title=f"Validation {metric.short}", format=".1%" if metric.share else ".3f"),
    ]
    chart = alt.Chart()
    whole = chart.mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y=alt.Y("base:Q"))
    line = chart.mark_line(color=ACCENT, strokeWidth=1.75).encode(x=x, y=y)
    points = chart.mark_point(color=ACCENT, filled=True, size=26, opacity=1).encode(x=x, y=y, tooltip=tooltip)
    return _panels(alt.layer(whole, line, points), frame.assign(base=base))


def staircases(frame: pd.DataFrame, cliffs: pd.DataFrame, base_ms: float) -> list[alt.FacetChart]:
    """Milliseconds of the whole network by the width of one group, with 95 % intervals; cliffs are marked.

    Args:
        frame: columns group, width (channels), ms, low, high; in network order.
        cliffs: columns group, width, to (channels), ms (at `to`), change (ms), why.
    """
    both = pd.concat([frame.assign(part="time"), cliffs.assign(part="cliff", width=cliffs.to)], ignore_index=True)
    chart = alt.Chart()
    x = alt.X("width:Q", title=None, axis=alt.Axis(tickCount=4, grid=False), scale=alt.Scale(zero=False, padding=6))
    y = alt.Y("ms:Q", title=None, axis=alt.Axis(tickCount=3, format=".3~g"), scale=_range(frame.low, frame.high))
    times, marks = alt.datum.part == "time", alt.datum.part == "cliff"
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("width:Q", title="Channels"),
        alt.Tooltip("ms:Q", title="Whole network, ms", format=".3f"),
        alt.Tooltip("low:Q", title="95% interval from", format=".3f"),
        alt.Tooltip("high:Q", title="to", format=".3f"),
    ]
    cliff = [
        alt.Tooltip("why:N", title="Cliff"),
        alt.Tooltip("to:Q", title="Down to channels"),
        alt.Tooltip("change:Q", title="Time changes by, ms", format="+.3f"),
    ]
    layers = [
        chart.mark_rule(color=MUTED, strokeDash=[3, 3]).encode(y=alt.Y("base:Q")),
        chart.transform_filter(times).mark_rule(color=ACCENT, opacity=0.35).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        chart.transform_filter(times).mark_line(color=ACCENT, strokeWidth=1.5).encode(x=x, y=y),
        chart.transform_filter(times)
        .mark_point(color=ACCENT, filled=True, size=24, opacity=1)
        .encode(x=x, y=y, tooltip=tooltip),
        chart.transform_filter(marks)
        .mark_point(color=AFTER, shape="diamond", filled=True, size=90, opacity=1)
        .encode(x=x, y=y, tooltip=cliff),
    ]
    return _panels(alt.layer(*layers), both.assign(base=base_ms), own_x=True)


def correlations(frame: pd.DataFrame, names: Sequence[str], height: int = 300) -> alt.LayerChart:
    """A square per pair of criteria with its number; columns first, second, rho (NaN where it has none)."""
    x = alt.X("second:N", sort=list(names), title=None, axis=alt.Axis(labelAngle=0, orient="top", **_BARE))
    y = alt.Y("first:N", sort=list(names), title=None, axis=alt.Axis(**_BARE))
    base = alt.Chart(frame).encode(x=x, y=y)
    colour = alt.Color("rho:Q", scale=alt.Scale(domain=[-1, 0, 1], range=list(DIVERGING)), legend=None)
    squares = base.mark_rect(stroke="transparent", cornerRadius=3).encode(
        color=colour,
        tooltip=[
            alt.Tooltip("first:N", title="Criterion"),
            alt.Tooltip("second:N", title="and"),
            alt.Tooltip("rho:Q", title="Rank correlation", format="+.2f"),
        ],
    )
    dark = (alt.datum.rho > 0.6) | (alt.datum.rho < -0.6)
    numbers = base.mark_text(fontSize=13).encode(
        text=alt.Text("rho:Q", format="+.2f"), color=alt.condition(dark, alt.value("white"), alt.value("#263238"))
    )
    return finish(alt.layer(squares, numbers), height)


def strip(frame: pd.DataFrame, names: Sequence[str]) -> alt.LayerChart:
    """A tick per group on the scale of rank correlation, a line per pair; the dot is the mean weighted by units.

    Args:
        frame: columns pair, group, rho, units, mean.
        names: of pairs, in order.
    """
    y = alt.Y("pair:N", sort=list(names), title=None, axis=alt.Axis(labelLimit=260, **_BARE))
    axis = alt.Axis(format="+.1f", tickCount=9, grid=True, title="Rank correlation within a group")
    x = alt.X("rho:Q", scale=alt.Scale(domain=[-1, 1]), axis=axis)
    tooltip = [
        alt.Tooltip("group:N", title="Group"),
        alt.Tooltip("rho:Q", title="Rank correlation", format="+.2f"),
        alt.Tooltip("units:Q", title="Units"),
    ]
    base = alt.Chart(frame).encode(y=y)
    ticks = base.mark_tick(color=ACCENT, thickness=2, size=16, opacity=0.55).encode(x=x, tooltip=tooltip)
    means = base.mark_point(color=AFTER, filled=True, size=80, opacity=1).encode(
        x=alt.X("mean:Q"), tooltip=[alt.Tooltip("pair:N", title="Pair"), alt.Tooltip("mean:Q", format="+.2f")]
    )
    return finish(alt.layer(ticks, means), 28 * len(names) + 10)


def rank_map(places: Mapping[str, np.ndarray], names: Sequence[str], *, labels: bool) -> alt.LayerChart:
    """A row per group, a cell per unit, coloured by its rank; whoever calls has put the units in order.

    Args:
        places: of the groups that have ranks, from 0 (leaves first) to 1, in the order in which they are drawn.
        names: of all groups; those without ranks stay empty.
        labels: whether the groups' names stand at the rows.
    """
    row, clear = row_height(len(names)), len(palette())
    stepped = {
        name: (places[name] * (clear - 1)).round().astype(np.uint8) if name in places else np.array([clear], np.uint8)
        for name in names
    }
    y = group_y(names, limit=170, gap=0, labels=labels)
    x = alt.X("start:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    picture = (
        alt.Chart(pd.DataFrame({"url": [heat_image(stepped, row)]}))
        .mark_image(
            width=alt.expr("width"), height=alt.expr("height"), aspect=False, align="left", baseline="top", x=0, y=0
        )
        .encode(url="url:N")
    )
    rows = pd.DataFrame({"group": list(names), "start": 0.0, "right": 1.0})
    rows["units"] = [len(places.get(name, ())) for name in names]
    cover = (
        alt.Chart(rows)
        .mark_rect(fill="transparent")
        .encode(y=y, x=x, x2="right:Q", tooltip=[alt.Tooltip("group:N", title="Group"), alt.Tooltip("units:Q")])
    )
    return finish(alt.layer(picture, cover), row * len(names))
