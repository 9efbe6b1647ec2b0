"""Cut: the board. Cost follows the hand that drags a line, true accuracy comes when it lets go."""

import streamlit as st

from explorer.ui import engine
from explorer.ui.parts import frame, measured
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state import session
from pages.cut import account, allotting, controls, measuring, presets, searching
from pages.cut.aside import aside, waiting
from pages.cut.view import View

workspace = session.current()
stages = frame.step("cut", "Drag the line of any row: what lies left of it leaves. Nothing is cut yet.", workspace)
opened = frame.model_or_stop(workspace, stages)
frame.stop_without_groups(opened.structure)
scores = scores_for(workspace)
if scores is None:
    st.stop()
task = frame.task_or_word(workspace, opened)
allotting.take_result(workspace)
searching.take_result(workspace, opened.structure)
curves, latency = measured.curves_of(workspace), measured.staircases_of(workspace)
plan = engine.plan_of(workspace.model, scores, workspace.draft.now)
view = View(workspace, opened, task, scores, plan, curves, latency)

presets.show(view)
board, beside = frame.beside("cut")
with board:
    controls.show(view)
    account.show(workspace, opened.structure)
    measuring.show(view)
    frame.onward("recover", "Next: cut for real and recover the accuracy")
controls.look_at_inspected(view)
# The measurements come last: everything else stands on the page while they run.
answers = stages.measure(task)
with beside:
    if answers is None:
        waiting(task)
    else:
        aside(workspace, task, answers.whole, answers.now)
