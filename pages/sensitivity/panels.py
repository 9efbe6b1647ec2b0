"""Small pictures side by side, one a group."""

from collections.abc import Sequence

import altair as alt
import streamlit as st

from explorer.plain import plain
from explorer.ui.charts import multiples
from explorer.ui.parts import presenting


def panels(finding: str, pictures: Sequence[alt.FacetChart], what: str) -> None:
    """Pictures side by side as far as there is room, below the sentence that says what they show."""
    st.markdown(f"**{plain(finding)}**")
    with st.grid(multiples.COLUMNS, min_column_width=multiples.WIDTH + 45):
        for picture in pictures:
            st.altair_chart(presenting.lettered(picture), alt=f"{what}. {finding}.")
