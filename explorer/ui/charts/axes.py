"""What charts share: axes of metrics, costs and groups, the height of rows, and how a chart fills its place."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import altair as alt
import numpy as np

from explorer.tasks import Metric
from explorer.ui.text.words import shared_prefix

Chart = TypeVar("Chart", alt.LayerChart, alt.FacetChart)
COSTS = {"macs": "MACs", "params": "Parameters", "nonzero": "Non-zero parameters"}
DASHES = [4, 3]
TEXT = "currentColor"  # of the page, in either theme: charts are drawn as SVG
SIZE, LARGE = 14, 17  # pixels of text: as usual, and for a room


def short_names(names: Sequence[str]) -> str:
    """A Vega expression for names without what they share, and without their middle, where they differ least."""
    own = f"slice(datum.label, {len(shared_prefix(names))})"
    return f"length({own}) > 30 ? slice({own}, 0, 10) + '…' + slice({own}, -19) : {own}"


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


def row_height(groups: int) -> int:
    return int(np.clip(640 // max(groups, 1), 15, 28))


def metric_axis(metric: Metric, title: str) -> tuple[alt.Axis, str]:
    """The axis of a metric, and how tooltips write its values."""
    return alt.Axis(format="~%" if metric.share else ".3~f", title=title, tickCount=6), (
        ".1%" if metric.share else ".3f"
    )


def cost_x(kind: str, shares: Iterable[float], title: str | None = None) -> alt.X:
    """Shares of a cost from the smallest of them to the whole, with a little room on both sides."""
    low = min([*shares, 0.9])
    room = 0.04 * (1 - low)
    axis = alt.Axis(format=".0%", grid=False, tickCount=8)
    scale = alt.Scale(domain=[low - room, 1 + room], nice=False)
    return alt.X(f"{kind}:Q", title=title or f"{COSTS[kind]} kept", axis=axis, scale=scale)


def finish(chart: alt.LayerChart, height: int) -> alt.LayerChart:
    """As wide as its place, its plot `height` pixels high. Titles are the page's: there they wrap."""
    sizing = alt.AutoSizeParams(type="fit-x", contains="padding")
    sized = chart.copy(deep=False)  # Altair's own methods each copy all that is within
    sized.width, sized.height, sized.autosize = "container", height, sizing
    return lettered(sized, SIZE)


def lettered(chart: Chart, size: int) -> Chart:
    """The chart with axes, legends and headers in the page's colour and in letters of `size` pixels.

    Words within the chart that name no size of their own are of that size, too.
    """
    look = {"Color": TEXT, "FontSize": size, "FontWeight": "normal"}
    legible = {f"{part}{what}": value for part in ("label", "title") for what, value in look.items()}
    around = chart.copy(deep=False)
    around.config = alt.Config(
        axis=alt.AxisConfig(**legible),
        legend=alt.LegendConfig(**legible),
        header=alt.HeaderConfig(**legible),
        text=alt.MarkConfig(fontSize=size),
    )
    return around


def columns_fitting(least: int) -> alt.ExprRef:
    """As many columns of a legend as fit, at least so many."""
    return alt.ExprRef(f"max({least}, floor(width / 180))")
