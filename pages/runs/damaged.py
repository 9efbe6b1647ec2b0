"""The runs that can't be read: which, why, and a way to be rid of them."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.runs.history.lineage import DamagedRun
from explorer.ui.parts import compared
from explorer.ui.state.workspace import Workspace

REFUSED = "damaged run stays"


def show(workspace: Workspace) -> None:
    """A line per damaged run, with a button that deletes it once that is confirmed; nothing where there is none."""
    if sentence := st.session_state.pop(REFUSED, None):
        st.error("It was not deleted.", icon=":material/block:")
        st.text(sentence)
    found = compared.damaged(workspace)
    if not found:
        return
    count = f"{len(found)} {'run' if len(found) == 1 else 'runs'} can't be read"
    with st.expander(count, icon=":material/broken_image:", expanded=False):
        for number, run in enumerate(found):
            _line(number, run)


def _line(number: int, run: DamagedRun) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.text(f"{run.name}: {run.reason}", width="stretch")
        with st.popover("Delete", icon=":material/delete:"):
            st.caption("The run's folder goes for good, with all that it holds.")
            st.text(str(run.name))
            st.button(
                "Delete it for good", key=f"delete {number} {run.name}", on_click=_remove, args=(run,), type="primary"
            )


def _remove(run: DamagedRun) -> None:
    try:
        compared.remove_damaged(run)
    except ExplorerError as error:
        st.session_state[REFUSED] = str(error)
