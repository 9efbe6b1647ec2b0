"""Cut: the board. Cost follows the hand that drags a line, true accuracy comes when it lets go."""

import streamlit as st

from explorer.ui import engine
from explorer.ui.parts import frame, measured
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state import session
from pages.cut import account, allotting, controls, presets
from pages.cut.loss_by_class import loss_by_class
from pages.cut.trail import trail
from pages.cut.view import View


def measurements(view: View) -> None:
    """What the rows can show besides scores: offered where it is not measured, and where to see it large."""
    if view.curves is None:
        measured.measure_curves(view.workspace, view.task)
    measured.times(view.workspace, view.latency)
    if view.curves or view.latency:
        frame.onward("sensitivity", "The small charts of the rows, large")


workspace = session.current()
stages = frame.step("Cut", "Drag the line of any row: what lies left of it leaves. Nothing is cut yet.", workspace)
opened = frame.model_or_stop(workspace)
frame.stop_without_groups(opened.structure)
scores = scores_for(workspace)
if scores is None:
    st.stop()
task = frame.task_or_word(workspace, opened)
allotting.take_result(workspace)
curves, latency = measured.curves_of(workspace), measured.staircases_of(workspace)
plan = engine.plan_of(workspace.model, scores, workspace.budget)
view = View(workspace, opened, task, scores, plan, curves, latency)

presets.show(view)
controls.show(view)
account.show(workspace, opened.structure)
measurements(view)
left, right = st.columns(2, gap="medium")
frame.onward("recover", "Next: cut for real and recover the accuracy")
controls.look_at_inspected(view)
# The measurements come last: everything else stands on the page while they run.
answers = stages.measure(task)
if answers is not None:
    with left:
        loss_by_class(workspace, task, answers.whole, answers.now)
    with right:
        trail(workspace, task)
