"""The form of a run: the plan in a line, who chooses, what follows, and the start of it."""

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods import METHODS, Method
from explorer.plain import plain
from explorer.structure import Structure
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.navigation import path_to
from explorer.ui.parts import jobs, say
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state.form_keys import BOARD, BOARD_METHOD, BY_ITSELF, WHO
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from explorer.ui.text.commandline import command
from pages.recover import branch, methods, settings, ways


def show(workspace: Workspace, task: Task | None, structure: Structure) -> None:
    """The controls, with the start above them, where no length of theirs pushes it off the screen."""
    if jobs.of_runs(workspace):
        st.subheader("Another run", anchor=False)
    with st.container(horizontal=True, vertical_alignment="center"):
        who = st.radio(
            "Who chooses what leaves",
            [BOARD, BY_ITSELF],
            key=kept(WHO, (BOARD, BY_ITSELF)),
            label_visibility="collapsed",
            persist_state="session",
            horizontal=True,
        )
        start = st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right")
    jobs.refusal(jobs.PRUNE)
    branch.said()
    ready = _by_itself(workspace, task) if who == BY_ITSELF else _as_on_the_board(workspace, task, structure)
    with start:
        _start(workspace, task, ready=ready)
    jobs.queue(workspace)


def _as_on_the_board(workspace: Workspace, task: Task | None, structure: Structure) -> bool:
    """The board's plan in a line and what follows its cut; whether there is such a plan."""
    share = _share_of_budget(workspace, structure)
    if share is None:
        return False
    offered = [entry.name for entry in settings.of_the_board()]
    if len(offered) > 1:
        st.selectbox(
            "Method",
            offered,
            format_func=lambda name: METHODS[name].title,
            key=kept(BOARD_METHOD, offered),
            persist_state="session",
            width=260,
        )
    ways.ask(workspace, settings.chosen_method(), task, structure, share)
    return True


def _share_of_budget(workspace: Workspace, structure: Structure) -> float | None:
    """Says what the board's budget keeps; None, with the way to the board, where there is none or no scores."""
    if workspace.draft.now.empty:
        st.info(
            "Nothing is chosen to be removed yet. Set a budget first, for example half of the MACs, or let a method "
            "find the channels itself.",
            icon=":material/tune:",
        )
        st.page_link(path_to("cut"), label="Go to Cut", icon=":material/arrow_forward:")
        return None
    scores = scores_for(workspace)
    if scores is None:
        return None
    whole, now = structure.cost(), engine.plan_of(workspace.model, scores, workspace.draft.now).cost(structure)
    st.markdown(
        f"The plan keeps **{now.macs / whole.macs:.1%}** of the MACs ({words.count(now.macs)}) and "
        f"**{now.params / whole.params:.1%}** of the parameters ({words.count(now.params)}), "
        f"chosen by {plain(CRITERIA[workspace.criterion].title)}."
    )
    return now.macs / whole.macs


def _by_itself(workspace: Workspace, task: Task | None) -> bool:
    """The methods that choose and the settings of one; whether it can be run on this task."""
    methods.choose()
    method = settings.chosen_method()
    if method.gradual and not (task and task.measured):
        say.info(
            f"{method.title} decides by accuracy, which this data does not have: choose data with labels, or cut as on "
            "the board.",
            icon=":material/image_not_supported:",
        )
        return False
    methods.ask(workspace, method, task)
    return True


def _start(workspace: Workspace, task: Task | None, *, ready: bool) -> None:
    """The button, and the same as a command."""
    method = settings.chosen_method()
    if ready:
        with st.popover("As a command", icon=":material/terminal:"):
            st.caption("The same on the command line.")
            st.code(command(settings.spec_of(workspace, task)), language=None, wrap_lines=True)
    waits = any(not job.final for job in jobs.of_runs(workspace))
    st.button(
        "Prune",
        type="primary",
        icon=":material/content_cut:",
        on_click=_submit,
        args=(workspace, method, task),
        disabled=not ready,
        help="It waits until the run above has ended." if waits else None,
    )


def _submit(workspace: Workspace, method: Method, task: Task | None) -> None:
    """Starts the run as its controls stand when the button is pressed."""
    branch.done()
    spec = settings.spec_of(workspace, task)
    jobs.start(workspace, jobs.PRUNE, spec, f"{method.title}: {workspace.model}")
