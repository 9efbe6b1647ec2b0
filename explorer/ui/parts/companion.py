"""What stands beside every page while somebody learns: the class, a lesson, a mission."""

from collections.abc import Callable

import streamlit as st

from explorer.ui.parts import mission
from explorer.ui.state.workspace import Workspace

PANELS: tuple[Callable[[Workspace], bool], ...] = (mission.panel,)
"""Each draws itself where it has something to show, and says whether it did; in this order, one below the other."""


def show(workspace: Workspace) -> None:
    """Draws the panels in the sidebar, which is not there where none has anything to show."""
    with st.sidebar:
        for panel in PANELS:
            panel(workspace)
