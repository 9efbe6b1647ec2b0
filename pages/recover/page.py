"""Recover: cut for real, recover, and compare with the base model."""

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods import Method
from explorer.structure import Structure
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.navigation import path_to
from explorer.ui.parts import estimate, frame, jobs, say
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from explorer.ui.text.commandline import command
from pages.recover import latest, settings


def share_of_budget(workspace: Workspace, structure: Structure) -> float | None:
    """Says what the board's budget keeps; None, with the way to the board, where there is none or no scores."""
    if not workspace.budget and not workspace.blocks:
        st.info(
            "Nothing is chosen to be removed yet. Set a budget first, for example half of the MACs, or choose a method "
            "that finds the channels itself.",
            icon=":material/tune:",
        )
        st.page_link(path_to("cut"), label="Go to Cut", icon=":material/arrow_forward:")
        return None
    scores = scores_for(workspace)
    if scores is None:
        return None
    whole, now = structure.cost(), engine.plan_of(workspace.model, scores, workspace.draft.now).cost(structure)
    st.markdown(
        f"The budget keeps **{now.macs / whole.macs:.1%}** of the MACs ({words.count(now.macs)}) and "
        f"**{now.params / whole.params:.1%}** of the parameters ({words.count(now.params)}), "
        f"chosen by {CRITERIA[workspace.criterion].title}."
    )
    return now.macs / whole.macs


def configure(workspace: Workspace, method: Method, task: Task | None, structure: Structure, *, busy: bool) -> None:
    """The settings of a run by the method, and its start, where it can be run on this task and budget."""
    kept = None if method.chooses else share_of_budget(workspace, structure)
    if method.gradual and not (task and task.measured):
        say.info(
            f"{method.title} decides by accuracy, which this data does not have: choose data with labels, or one shot.",
            icon=":material/image_not_supported:",
        )
    elif method.chooses or kept is not None:
        settings.ask(workspace, method, task)
        offer(workspace, method, task, kept, busy=busy)


def offer(workspace: Workspace, method: Method, task: Task | None, kept: float | None, *, busy: bool) -> None:
    """The button, what the run would cost in time, and the same as a command; `kept` is the share of MACs."""
    spec = settings.spec_of(workspace, method, task)
    seconds = estimate.training_seconds(spec, task, kept)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Prune",
            type="primary",
            icon=":material/content_cut:",
            on_click=start,
            args=(workspace, method, task),
            disabled=busy,
        )
        with st.popover("The same on the command line", icon=":material/terminal:"):
            st.code(command(spec), language="bash", wrap_lines=True)
        if seconds is not None:
            st.caption(
                f"About {words.duration(seconds)} of training at most, from a forward pass timed here.", width="content"
            )
    jobs.queue(workspace)


def start(workspace: Workspace, method: Method, task: Task | None) -> None:
    """Starts the run as its controls stand when the button is pressed."""
    spec = settings.spec_of(workspace, method, task)
    jobs.start(workspace, jobs.PRUNE, spec, f"{method.title}: {workspace.model}")


workspace = session.current()
stages = frame.step("Recover", "Removes channels for good, gives accuracy back, and measures both.", workspace)
opened = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, opened)
job = jobs.find(workspace, jobs.PRUNE)
method = settings.choose_method()
configure(workspace, method, task, opened.structure, busy=job is not None and not job.final)
jobs.refusal(jobs.PRUNE)
latest.show(job)
stages.measure(task)
