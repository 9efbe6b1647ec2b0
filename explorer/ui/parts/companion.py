"""What stands beside every page while somebody learns: the class, a lesson, a mission."""

from collections.abc import Callable

import streamlit as st

from explorer.ui.parts import lesson
from explorer.ui.parts.holding import HOLDS, held
from explorer.ui.state.workspace import Workspace

__all__ = ["HOLDS", "PANELS", "held", "show"]

PANELS: tuple[Callable[[Workspace], bool], ...] = (lesson.panel,)
"""Each draws itself where it has something to show, and says whether it did; in this order, one below the other."""


def show(workspace: Workspace) -> None:
    """Draws the panels in the sidebar, which is not there where none has anything to show."""
    with st.sidebar:
        for panel in PANELS:
            panel(workspace)
