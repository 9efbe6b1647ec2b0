"""The presenter's mode: large type and high contrast on every page, for a projector and a room."""

import streamlit as st

from explorer.places import ASSETS
from explorer.ui.charts.axes import LARGE, Chart
from explorer.ui.charts.axes import lettered as lettered_as
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace

PARAMETER = "present"  # of a page's address: 1 turns the mode on, anything else turns it off
STYLES = ASSETS / "presenting" / "presenting.css"
_NOTED = "presenting"  # among the workspace's controls


def on(workspace: Workspace) -> bool:
    """Whether a workspace is being presented, in all of its tabs."""
    return bool(workspace.form.get(_NOTED, False))


def apply(workspace: Workspace) -> None:
    """Takes over what the address asks for, and sets type and colours; called by the entry script before a page."""
    asked = st.query_params.get(PARAMETER)
    if asked is not None:
        del st.query_params[PARAMETER]  # the switch on the page has the last word
        workspace.note(_NOTED, asked == "1")
    if on(workspace):
        st.html(STYLES)


def switch(workspace: Workspace) -> None:
    """The button that turns the mode on and off."""
    st.button(
        "Stop presenting" if on(workspace) else "Present",
        icon=":material/present_to_all:",
        key="presenting switch",
        on_click=_turn,
        args=(workspace,),
        type="tertiary",
        help="Large type and high contrast, for a projector",
    )


def _turn(workspace: Workspace) -> None:
    workspace.note(_NOTED, not on(workspace))


def lettered(drawing: Chart) -> Chart:
    """A chart as it is, or in large letters where this session's workspace is being presented."""
    return lettered_as(drawing, LARGE) if on(session.current()) else drawing
