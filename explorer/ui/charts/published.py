"""A chart of published results: other people's numbers, drawn hollow. A data frame in, an Altair chart out."""

import altair as alt
import pandas as pd

from explorer.ui.charts.axes import columns_fitting, finish


def published(frame: pd.DataFrame, x_title: str, y_title: str, *, column: str, height: int = 320) -> alt.LayerChart:
    """Published results by how much was pruned, hollow, since they were not measured here.

    Args:
        frame: columns method, x_value, delta (points), value, baseline, variant, source, table, training, note.
        column: of the frame that is drawn: value or delta.
    """
    methods = list(dict.fromkeys(frame.method))
    x = alt.X("x_value:Q", title=x_title[:1].upper() + x_title[1:], scale=alt.Scale(zero=False, nice=False, padding=12))
    form = "+~f" if column == "delta" else "~f"
    y = alt.Y(
        f"{column}:Q", title=y_title[:1].upper() + y_title[1:], axis=alt.Axis(format=form), scale=alt.Scale(zero=False)
    )
    colour = alt.Color(
        "method:N",
        scale=alt.Scale(domain=methods, scheme="tableau20"),
        title="Method",
        legend=alt.Legend(orient="bottom", columns=columns_fitting(2), symbolLimit=60),
    )
    tooltip = [
        alt.Tooltip("method:N", title="Method"),
        alt.Tooltip("variant:N", title="Variant"),
        alt.Tooltip("training:N", title="Training after the cut"),
        alt.Tooltip("x_value:Q", title=x_title[:1].upper() + x_title[1:]),
        alt.Tooltip("value:Q", title="Value"),
        alt.Tooltip("baseline:Q", title="Base"),
        alt.Tooltip("delta:Q", title="Points", format="+.2f"),
        alt.Tooltip("source:N", title="Source"),
        alt.Tooltip("table:N", title="Table"),
        alt.Tooltip("note:N", title="Note"),
    ]
    points = (
        alt.Chart(frame)
        .mark_point(filled=False, size=55, strokeWidth=1.75)
        .encode(x=x, y=y, color=colour, shape=alt.Shape("training:N", title="Training"), tooltip=tooltip)
    )
    return finish(alt.layer(points), height)
