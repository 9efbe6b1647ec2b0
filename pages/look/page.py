"""Look: what the network answers, what it is made of, what its channels are worth."""

import streamlit as st

from explorer.plain import plain
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.parts import frame, opening, say, understood, welcome
from explorer.ui.parts.stages import Stages
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.look import drawn, facts, flow, groups, reading, sample, training

SHELL = (40, 220, 320)  # heights


def introduce(opened: Opened) -> None:
    """What the model is."""
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(opened.model.title), anchor=False, width="content")
        if opened.model.trained:
            st.badge("trained", icon=":material/check:", color="green")
        else:
            st.badge("untrained", icon=":material/warning:", color="orange")
        if opened.model.note:
            say.caption(words.sentence(opened.model.note), width="stretch")


def open_model(workspace: Workspace, stages: Stages) -> Opened:
    """The model; while it is read, there are shapes of what will come."""
    shell = st.empty()
    if engine.known(lambda: engine.opened(workspace.model)) is None:
        with shell.container():
            for height in SHELL:
                st.skeleton(height)
    opened = frame.model_or_stop(workspace, stages)
    shell.empty()
    return opened


workspace = session.current()
purpose = "What the network answers, what it is made of, and what its channels are worth."
stages = frame.step("look", purpose, workspace)
welcome.offer(workspace)
opened = open_model(workspace, stages)
introduce(opened)
opening.weights(opened)
task = frame.task_or_word(workspace, opened)
if task is not None and task.note:
    say.caption(words.sentence(task.note))
training.show(workspace, opened, task)
own = ":" in workspace.data  # data that nobody has seen yet: it is told before anything is concluded from it
if own and task is not None and task.measured:
    understood.show(task, unfolded=True)
chosen = sample.show(workspace, opened, task)
drawn.show(engine.table(workspace.model), task, chosen)
flow.show(workspace, opened, 0 if chosen is None else chosen.place)
with st.expander("Numbers of the network", icon=":material/straighten:"):
    facts.show(workspace, opened, task)
groups.show(opened.structure, engine.table(workspace.model))
reading.show(workspace, opened, task)
if not own and task is not None and task.measured:
    understood.show(task, unfolded=False)
frame.onward("cut", "Next: choose how many go")
stages.measure(task)
