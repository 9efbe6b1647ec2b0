"""Sensitivity: what accuracy and what time depend on the width of each group alone."""

import streamlit as st

from explorer.ui.parts import frame
from explorer.ui.state import session
from explorer.ui.state.forms import kept
from pages.sensitivity import accuracy, latency

ACCURACY, TIME = "Accuracy by what a group loses", "Time by a group's width"

workspace = session.current()
frame.heading("Sensitivity", "What each group alone does to accuracy and to time.", workspace)
opened = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, opened)
frame.stop_without_groups(opened.structure)
view = st.radio(
    "What to look at",
    [ACCURACY, TIME],
    key=kept("sensitivity view"),
    persist_state="session",
    label_visibility="collapsed",
    horizontal=True,
)
if view == ACCURACY:
    accuracy.show(workspace, task)
else:
    latency.show(workspace)
