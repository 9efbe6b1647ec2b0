"""Model: choose a network and its data, see what it is made of."""

import streamlit as st

from explorer.plain import plain
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.parts import frame, say
from explorer.ui.state import session
from explorer.ui.state.workspace import MODEL, Workspace
from explorer.ui.text import words
from pages.model import choosing, facts, groups, reading, training, understood


def welcome(workspace: Workspace) -> None:
    """What the app is for; who comes first is told that a network is open."""
    st.title("Make a network smaller, and see what it costs", anchor=False)
    opening = " A trained one is open already: go on to the **Flow**, or choose another."
    st.markdown(
        "A network is made of **channels**, and some of them hardly matter. See which, choose how many to remove, "
        "measure what that does to accuracy, size and speed, and take the smaller network with you."
        + (opening if workspace.model == MODEL else "")
    )


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
welcome(workspace)
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
frame.onward("flow", "Next: see which channels matter")
