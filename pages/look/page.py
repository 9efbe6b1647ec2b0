"""Look: the network with its data, what it is made of, and what its channels are worth."""

import streamlit as st

from explorer.plain import plain
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.parts import frame, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.look import choosing, facts, flow, groups, reading, training, understood


def introduce(workspace: Workspace, opened: Opened) -> Task | None:
    """What the model and its data are; gives the task, where there is one."""
    model = opened.model
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(model.title), anchor=False, width="content")
        if model.trained:
            st.badge("trained", icon=":material/check:", color="green")
        else:
            st.badge("untrained", icon=":material/warning:", color="orange")
    if model.note:
        say.caption(words.sentence(model.note))
    task = frame.task_or_word(workspace, opened)
    if task is not None and task.note:
        say.caption(words.sentence(task.note))
    if task is not None and task.measured:
        understood.show(task, unfolded=":" in workspace.data)
    return task


workspace = session.current()
stages = frame.step("Look", "The network that is open, and what each of its channels is worth.", workspace)
choosing.show(workspace)
opened = frame.model_or_stop(workspace)
choosing.weights(workspace, opened.model)
drawer = st.container()  # above what is told of the model, below the choice that it answers to
task = introduce(workspace, opened)
with drawer:
    training.show(workspace, opened, task)
facts.show(workspace, opened, task)
reading.show(workspace, opened, task)
groups.show(opened.structure, engine.table(workspace.model))
flow.show(workspace, opened)
frame.onward("cut", "Next: choose how many go")
stages.measure(task)
