"""What the page shows before there is a run: the outline of what will be there, and the way to it."""

import streamlit as st

from explorer.ui.charts.comparison import ghost
from explorer.ui.navigation import path_to
from explorer.ui.parts import presenting


def show() -> None:
    """A sentence, the button to where runs are made, and a picture without numbers."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**No run yet.** Every run that you make stands here, with what it kept and what it reaches.")
        if st.button("Make one", type="primary", icon=":material/arrow_forward:"):
            st.switch_page(path_to("recover"))
    st.altair_chart(
        presenting.lettered(ghost()),
        alt="An empty chart in which runs will stand, by what they keep and what they reach.",
    )
