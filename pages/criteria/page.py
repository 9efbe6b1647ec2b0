"""Criteria: how far they rank alike, where they disagree, and who is near to what removing a channel really does."""

import streamlit as st

from explorer.methods.studies.agreement import LEAST, MOST
from explorer.ui import engine
from explorer.ui.parts import frame
from explorer.ui.state import session
from pages.criteria import asking, effect, ranks

workspace = session.current()
frame.heading("Criteria", "What makes a channel worth keeping? Several answers, compared on this model.", workspace)
opened = frame.model_or_stop(workspace)
frame.stop_without_groups(opened.structure)
task = frame.task_or_word(workspace, opened)
chosen = asking.choose()
if len(chosen) < LEAST:
    st.info(f"Choose {LEAST} to {MOST} criteria to see how far they agree.", icon=":material/balance:")
    st.stop()
asking.show_costs(workspace, task, chosen)
document = asking.offer(
    workspace,
    chosen,
    oracle=False,
    label="Compare",
    about=f"Scores every channel by each of them on {engine.SAMPLES} calibration samples, in the background.",
)
if document is not None:
    ranks.show(document)
    effect.show(workspace, opened.structure, task, chosen)
    frame.onward("look", "Next: look into single channels by one of them")
