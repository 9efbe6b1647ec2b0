"""Library: papers about pruning, what of them can be tried here, and what they published."""

import streamlit as st

from explorer.ui.navigation import path_to
from explorer.ui.parts import frame, published
from explorer.ui.state import session
from explorer.ui.state.forms import kept
from pages.library import choosing, reading

PAPERS, RESULTS = "Papers", "Published results"

workspace = session.current()
frame.heading("Library", "Papers about pruning: what they say, and what of them can be tried here.", workspace)
choosing.take_link()
with st.container(horizontal=True, vertical_alignment="center"):
    shown = st.radio(
        "What to look at",
        [PAPERS, RESULTS],
        key=kept("library shown", (PAPERS, RESULTS)),
        persist_state="session",
        label_visibility="collapsed",
        horizontal=True,
    )
    st.page_link(path_to("glossary"), label="Glossary", icon=":material/dictionary:")
if shown == PAPERS:
    left, right = st.columns([5, 6], gap="medium")
    with left:
        chosen = choosing.ask()
    with right:
        reading.show(workspace, chosen)
else:
    published.show()
