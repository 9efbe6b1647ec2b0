"""How a running job comes on."""

import altair as alt
import pandas as pd

from explorer.tasks import Metric
from explorer.ui.charts.axes import finish, metric_axis
from explorer.ui.charts.colours import ACCENT

MOST_TICKS = 12


def epochs(frame: pd.DataFrame, metric: Metric, *, last: int, steps: bool, height: int = 190) -> alt.LayerChart:
    """The validation metric after every epoch; a line for each step of a run that cuts in steps.

    Args:
        frame: columns at (epochs, or steps with their epochs as parts), step, epoch, value.
        metric: which one it is.
        last: where the axis ends: as many epochs, or steps, as there may be.
        steps: whether `at` counts steps.
    """
    axis, form = metric_axis(metric, f"Validation {metric.short}")
    every = -(-last // MOST_TICKS)
    ticks = alt.Axis(values=list(range(0, last + 1, every)), format="d", grid=False)
    title = "Step, with its epochs" if steps else "Epoch"
    base = alt.Chart(frame).encode(
        x=alt.X("at:Q", title=title, axis=ticks, scale=alt.Scale(domain=[0, last], nice=False, padding=6)),
        y=alt.Y("value:Q", axis=axis, scale=alt.Scale(zero=False, padding=12)),
        detail="step:N",
        tooltip=[
            *([alt.Tooltip("step:Q", title="Step")] if steps else []),
            alt.Tooltip("epoch:Q", title="Epoch"),
            alt.Tooltip("value:Q", title=f"Validation {metric.short}", format=form),
        ],
    )
    points = base.mark_point(color=ACCENT, filled=True, size=28 if steps else 55, opacity=1)
    return finish(alt.layer(base.mark_line(color=ACCENT), points), height)
