"""What stands beside every page while somebody learns: the class, a lesson, a mission."""

from collections.abc import Callable

import streamlit as st

from explorer.ui.parts import classroom, lesson, mission, mission_play
from explorer.ui.parts.holding import HOLDS
from explorer.ui.state.workspace import Workspace

HOLDS.append(classroom.held)
mission_play.PLAYERS.append(classroom.player)
PANELS: tuple[Callable[[Workspace], bool], ...] = (classroom.panel, lesson.panel, mission.panel)
"""Each draws itself where it has something to show, and says whether it did; in this order, one below the other."""


def show(workspace: Workspace) -> None:
    """Draws the panels in the sidebar, which is not there where none has anything to show."""
    with st.sidebar:
        for panel in PANELS:
            panel(workspace)
