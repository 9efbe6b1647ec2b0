"""Single weights that are zero: how sparse layers are, step by step, and how a step chose."""

from collections.abc import Mapping
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from explorer.pruning.unstructured import BINS
from explorer.runs.history.single_weights import Snapshot
from explorer.ui.charts.axes import TEXT, finish, group_y, row_height
from explorer.ui.charts.colours import ACCENT, AFTER, CAME_BACK, MUTED, SEQUENTIAL

PARTS = {"leaves": MUTED, "stays": ACCENT, "came back": CAME_BACK}
LEAVES, KEPT, BACK = PARTS


def sparsity_map(frame: pd.DataFrame, now: int) -> alt.LayerChart:
    """How sparse every layer was after every step, the brighter the sparser; columns group, step, zeros, of, share."""
    names = list(dict.fromkeys(frame.group))
    x = alt.X("step:O", title="Step", axis=alt.Axis(labelAngle=0, ticks=False, domain=False, labelOverlap=True))
    legend = alt.Legend(title="Zero", orient="top", format=".0%", gradientLength=180, gradientThickness=10, tickCount=3)
    colour = alt.Color("share:Q", scale=alt.Scale(domain=[0, 1], range=list(SEQUENTIAL)), legend=legend)
    cells = alt.Chart(frame).mark_rect(cornerRadius=1).encode(x=x, y=group_y(names), color=colour, tooltip=_counted())
    column = alt.Chart(pd.DataFrame({"step": [now]})).mark_rect(fill="transparent", stroke=CAME_BACK, strokeWidth=2)
    return finish(alt.layer(cells, column.encode(x=x)), row_height(len(names)) * len(names))


def sparsity_bars(frame: pd.DataFrame) -> alt.LayerChart:
    """Every layer as a row of equal length, its zeros grey; columns group (a layer), zeros, of, share."""
    names = list(frame.group)
    axis = alt.Axis(format=".0%", title="Weights that are zero", grid=False, values=[0, 0.25, 0.5, 0.75, 1])
    scale = alt.Scale(domain=[0, 1.2], nice=False)
    base = alt.Chart(frame.assign(whole=1.0)).encode(y=group_y(names), tooltip=_counted())
    whole = base.mark_bar(color=ACCENT, cornerRadius=2).encode(x=alt.X("whole:Q", axis=axis, scale=scale))
    zeros = base.mark_bar(color=MUTED, cornerRadius=2).encode(x=alt.X("share:Q", axis=axis, scale=scale))
    label = base.mark_text(align="left", dx=6, color=TEXT).encode(
        x=alt.X("whole:Q", axis=axis, scale=scale), text=alt.Text("share:Q", format=".1%")
    )
    return finish(alt.layer(whole, zeros, label), row_height(len(names)) * len(names))


def _counted() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("group:N", title="Weight"),
        alt.Tooltip("zeros:Q", title="Zero", format=","),
        alt.Tooltip("of:Q", title="of", format=","),
        alt.Tooltip("share:Q", title="Share", format=".1%"),
    ]


def bins(facts: Mapping[str, Any], after: Snapshot | None = None) -> pd.DataFrame:
    """A layer's histogram as rows low, high, weights, part.

    By default it is the one that a step saw when it chose, see `explorer.pruning.unstructured.told`; with a snapshot,
    that of the weights which are left after the step's training, those that came back apart.
    """
    if after is None:
        told = facts["histogram"]
        counts = {LEAVES: told["removed"], KEPT: told["kept"]}
    else:
        told = after.histogram()
        counts = {KEPT: told["kept"], BACK: told["regrown"]}
    edges = np.linspace(told["low"], told["high"], BINS + 1)
    frame = pd.concat(
        pd.DataFrame({"low": edges[:-1], "high": edges[1:], "weights": values, "part": name})
        for name, values in counts.items()
    )
    return frame[frame.weights > 0]


def histogram(frame: pd.DataFrame, margins: tuple[float, float] | None, height: int = 260) -> alt.LayerChart:
    """The weights of a layer with the margins of a step; columns low, high, weights, part."""
    shown = [name for name in PARTS if name in set(frame.part)]
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=shown, range=[PARTS[name] for name in shown]),
        legend=alt.Legend(orient="top", title=None),
    )
    x = alt.X("low:Q", bin="binned", title="Weight", axis=alt.Axis(format=".2~g", grid=False))
    bars = (
        alt.Chart(frame)
        .mark_bar(binSpacing=0.5)
        .encode(
            x=x,
            x2="high:Q",
            y=alt.Y("weights:Q", title="Weights", axis=alt.Axis(tickMinStep=1, format="~s")),
            color=colour,
            tooltip=[
                alt.Tooltip("weights:Q", title="Weights", format=","),
                alt.Tooltip("low:Q", title="from", format=".3~g"),
                alt.Tooltip("high:Q", title="to", format=".3~g"),
                alt.Tooltip("part:N", title="In this step"),
            ],
        )
    )
    if margins is None:
        return finish(alt.layer(bars), height)
    edges = alt.Chart(pd.DataFrame({"low": list(margins)}))
    tooltip = [alt.Tooltip("low:Q", title="Margin", format=".4~g")]
    rules = edges.mark_rule(color=AFTER, strokeWidth=2, strokeDash=[5, 3]).encode(x="low:Q", tooltip=tooltip)
    return finish(alt.layer(bars, rules), height)
