"""How a running job comes on."""

import altair as alt
import pandas as pd

from explorer.ui.charts.axes import finish
from explorer.ui.charts.colours import ACCENT


def progress(frame: pd.DataFrame, *, y: str, unit: str, height: int = 200) -> alt.LayerChart:
    """One metric over the reports of a running job; columns step, value."""
    base = alt.Chart(frame).encode(
        x=alt.X("step:Q", title="Report", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("value:Q", title=unit, scale=alt.Scale(zero=False), axis=alt.Axis(format=".3~g")),
        tooltip=[alt.Tooltip("step:Q", title="Report"), alt.Tooltip("value:Q", title=y, format=".3~g")],
    )
    return finish(alt.layer(base.mark_line(color=ACCENT), base.mark_point(color=ACCENT, filled=True, size=28)), height)
