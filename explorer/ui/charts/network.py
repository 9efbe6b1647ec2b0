"""The network as a row of bars."""

import json
from collections.abc import Sequence

import altair as alt
import numpy as np
import pandas as pd

from explorer.structure import GROUP_KINDS
from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import KIND_COLOURS, MUTED
from explorer.ui.text.words import middle, shared_prefix, stages


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


def _kind_colour(present: Sequence[str]) -> alt.Color:
    kinds = [kind for kind in GROUP_KINDS if kind in present]
    scale = alt.Scale(domain=kinds, range=[KIND_COLOURS[kind] for kind in kinds])
    return alt.Color("kind:N", scale=scale, title="Kind of group", legend=alt.Legend(orient="bottom"))


def _stage_axis(names: Sequence[str]) -> alt.Axis:
    """Stage headings along the top, each where its first group stands; crowded ones give way."""
    position = {name: index for index, name in enumerate(names)}
    wide = [(heading, members) for heading, members in stages(names) if len(members) >= len(names) / 50]
    starts = {min(position[name] for name in members): heading for heading, members in wide}
    prefix = shared_prefix(list(starts.values()))
    starts = {at: heading.removeprefix(prefix) for at, heading in starts.items()}
    words = {at: json.dumps(middle(heading, 18)) for at, heading in starts.items()}  # of layers: text, no expression
    choices = " : ".join(f"datum.value == {at} ? {word}" for at, word in words.items())
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
