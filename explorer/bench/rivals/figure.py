"""The comparison as a picture: ours and the best rival of every row, with the interval of their difference."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from explorer.bench.rivals.comparison import Line
from explorer.bench.rivals.playing import TITLES
from explorer.errors import ExplorerError
from explorer.tasks import METRICS

OURS, THEIRS = "ours", "best of torch-pruning"
_INK, _GREY, _COLOUR = "#37474f", "#87929a", "#1d8aa3"


def figure(lines: Sequence[Line]) -> alt.FacetChart:
    """A panel per network and target, in it a row per stage; the dashed line is the whole network.

    The bar around ours is the 95 % interval of the difference, drawn from the rival's mean: where it does not touch the
    rival's point, ours is ahead or behind.

    Args:
        lines: of `compared`.

    Raises:
        ExplorerError: there is none.
    """
    if not lines:
        raise ExplorerError("there is nothing to draw: no row has both sides")
    metric = METRICS[lines[0]["metric"]]
    frame = pd.DataFrame(lines)
    frame["network"] = frame.model.str.partition(":")[2]
    frame["kept"] = frame.target.str.partition("=")[2].map(lambda text: f"{float(text):.0%} of the MACs")
    frame["stage"] = frame.stage.map(TITLES)
    frame["from"], frame["to"] = frame.rival_value + frame.low, frame.rival_value + frame.high
    axis = alt.Axis(format=".0%" if metric.share else "g", tickCount=5, grid=True, gridColor="#e6eaec")
    title = f"Test {metric.short}"

    def along(field: str) -> alt.X:
        return alt.X(f"{field}:Q", title=title, axis=axis, scale=alt.Scale(zero=False, nice=True))

    y = alt.Y("stage:N", title=None, sort=list(TITLES.values()), axis=alt.Axis(ticks=False, domain=False))
    base = alt.Chart(frame)
    colour = alt.Scale(domain=[OURS, THEIRS], range=[_COLOUR, _GREY])

    def dots(field: str, who: str) -> alt.Chart:
        shown = base.mark_circle(size=60, opacity=1).transform_calculate(who=f"'{who}'")
        key = alt.Color("who:N", scale=colour, title=None, legend=alt.Legend(orient="top"))
        tooltip = [
            "ours:N",
            "rival:N",
            *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("difference", "low", "high")),
        ]
        return shown.encode(y=y, x=along(field), color=key, tooltip=tooltip)

    marks = alt.layer(
        base.mark_rule(strokeDash=[4, 3], color=_GREY).encode(x=along("base")),
        base.mark_rule(strokeWidth=1.5, color=_INK).encode(y=y, x=along("from"), x2="to:Q"),
        dots("rival_value", THEIRS),
        dots("ours_value", OURS),
    ).properties(width=250, height=alt.Step(22))
    column = alt.Column("kept:N", title=None, sort=None, header=alt.Header(labelFontWeight="bold"))
    row = alt.Row("network:N", title=None, sort=None, header=alt.Header(labelAngle=-90))
    drawn = marks.facet(column=column, row=row).configure(background="white")
    return drawn.configure_view(stroke="#d5dadd").configure_axis(labelColor=_INK)
