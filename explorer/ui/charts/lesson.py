"""What a lesson reveals, as pictures for a narrow place."""

from collections.abc import Sequence

import altair as alt
import pandas as pd

from explorer.learning.lessons.measuring import Measured
from explorer.learning.lessons.recorded import Recording
from explorer.ui.charts.axes import SIZE, finish
from explorer.ui.charts.colours import ACCENT, LOST, MUTED

BAR = 40  # pixels of a row
ROW = 20
MOST = 30  # rows of parts


def bars(values: Sequence[Measured], guess: float | None = None, about: str = "") -> alt.LayerChart:
    """A bar for each value, all of one unit, with its interval where it has one.

    Args:
        guess: what was predicted, in the same unit: a mark on one of the bars;
        about: the name of the value that it is about.
    """
    rows = pd.DataFrame(
        [
            {"label": each.label, "value": each.value, "low": each.low, "high": each.high, "text": each.text()}
            for each in values
        ]
    )
    share = all(each.unit == "%" and 0 <= each.value <= 100 for each in values)
    numbers = [*rows.value, *rows.high.dropna(), *([] if guess is None else [guess])]
    scale = alt.Scale(domain=[min(0.0, *numbers), 100.0 if share else max(numbers) or 1.0], nice=not share)
    y = alt.Y("label:N", sort=list(rows.label), title=None, axis=None)
    x = alt.X("value:Q", scale=scale, title=None, axis=None)
    tooltip = [alt.Tooltip("label:N", title="What"), alt.Tooltip("text:N", title="Measured")]
    base = alt.Chart(rows).encode(y=y, tooltip=tooltip)
    drawn = [
        base.mark_bar(height=12, color=ACCENT, yOffset=8).encode(x=x),
        base.mark_rule(strokeWidth=2, color=MUTED, yOffset=8).encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        base.mark_text(align="left", baseline="middle", fontSize=SIZE, dy=-8, color="currentColor").encode(
            x=alt.value(0), text="label:N"
        ),
        base.mark_text(align="right", baseline="middle", fontSize=SIZE, dy=-8, color="currentColor").encode(
            x=alt.value("width"), text="text:N"
        ),
    ]
    if guess is not None:
        rows["guess"] = [guess if each.name == about else None for each in values]
        mark = alt.Tooltip("guess:Q", title="Predicted", format=".4~g")
        tick = base.mark_tick(thickness=3, size=20, color=LOST, opacity=1, yOffset=8)
        drawn.append(tick.encode(x=alt.X("guess:Q", scale=scale), tooltip=[mark]))
    return finish(alt.layer(*drawn), BAR * len(rows))


def parts(value: Measured) -> alt.LayerChart:
    """What a value is made of as bars, those that lose in the colour of what is lost; the largest losses first."""
    rows = pd.DataFrame(value.parts, columns=["name", "number"])
    rows = rows.reindex(rows.number.sort_values(kind="stable").index).head(MOST)
    rows["lost"] = rows.number < 0
    y = alt.Y("name:N", sort=list(rows.name), title=None, axis=alt.Axis(ticks=False, domain=False, labelLimit=110))
    x = alt.X("number:Q", title=value.unit, axis=alt.Axis(tickCount=4, grid=False))
    colour = alt.Color("lost:N", scale=alt.Scale(domain=[True, False], range=[LOST, ACCENT]), legend=None)
    tooltip = [alt.Tooltip("name:N", title="What"), alt.Tooltip("number:Q", title=value.unit, format="+.1f")]
    drawn = alt.Chart(rows).mark_bar(height=11).encode(y=y, x=x, color=colour, tooltip=tooltip)
    return finish(alt.layer(drawn), ROW * len(rows) + 40)


def lines(recording: Recording) -> alt.LayerChart:
    """The curves of a recorded run."""
    rows = pd.DataFrame([{"label": line.label, "x": x, "y": y} for line in recording.lines for x, y in line.points])
    titles = (recording.axes.x, recording.axes.y) if recording.axes is not None else ("", "")
    x = alt.X("x:Q", title=titles[0], scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4, grid=False))
    y = alt.Y("y:Q", title=titles[1], scale=alt.Scale(zero=False), axis=alt.Axis(tickCount=4))
    colour = alt.Color("label:N", title=None, legend=alt.Legend(orient="bottom", columns=2, labelLimit=140))
    tooltip = [
        alt.Tooltip("label:N", title="Line"),
        alt.Tooltip("x:Q", title=titles[0]),
        alt.Tooltip("y:Q", title=titles[1]),
    ]
    drawn = alt.Chart(rows).mark_line(point=True).encode(x=x, y=y, color=colour, tooltip=tooltip)
    return finish(alt.layer(drawn), 220)
