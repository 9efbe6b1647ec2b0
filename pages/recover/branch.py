"""Another run's settings, taken over into the form once."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.tasks import Task
from explorer.ui.parts import compared, jobs, say
from explorer.ui.state.workspace import Workspace
from pages.recover import values

TAKEN = "settings taken over"  # what is said of them until the run is started


def take_over(workspace: Workspace, task: Task | None) -> None:
    """Sets the controls, before they are made, to what the run of the session's `branch` was asked."""
    id = st.session_state.pop(jobs.BRANCH, None)
    if id is None:
        return
    try:
        name, spec = _asked(workspace, id)
        method = METHODS.get(spec.method)
        if method.sparse or not method.removes:
            raise ExplorerError("it removed no channels, so they have no place in this form")
        found = values.of(workspace, method, spec, task)
    except ExplorerError as error:
        st.session_state[TAKEN] = f"The settings of that run can't be taken over: {error}."
        return
    for key, value in found.items():
        st.session_state[key] = value
    st.session_state[TAKEN] = f"Settings of {name}." + ("" if method.chooses else " What leaves is the board's choice.")


def _asked(workspace: Workspace, id: str) -> tuple[str, Spec]:
    """What a run is called and what was asked of it, if this workspace may look at it.

    Raises:
        ExplorerError: it may not, the run is gone, or was asked what this version does not know.
    """
    for job in jobs.of_runs(workspace):
        if job.id == id:
            return jobs.name_of(job), Spec.from_json(job.request["spec"])
    for entry in compared.finished(workspace, everyone=True)[0]:
        if entry.record.id == id:
            return entry.name, entry.spec
    raise ExplorerError("it is not there any more")


def said() -> None:
    """Whose settings stand in the form, until a run is started."""
    if sentence := st.session_state.get(TAKEN):
        say.caption(sentence)


def done() -> None:
    st.session_state.pop(TAKEN, None)
