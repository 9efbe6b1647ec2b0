"""Missions given away as links, and opened from them."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.missions.mission import PARAMETER, Mission, mission_text, read_mission
from explorer.ui.parts import mission_play, opening, say, sharing
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace


def address_of(mission: Mission) -> str:
    """The link that opens a mission here."""
    place = sharing.address().partition("://")
    host = place[2].partition("/")[0]
    return f"{place[0]}{place[1]}{host}/?{PARAMETER}={mission_text(mission)}"


def open_link(workspace: Workspace) -> None:
    """Begins the mission that the URL carries, if it carries one; called by the entry script."""
    text = st.query_params.get(PARAMETER)
    if text is None:
        return
    del st.query_params[PARAMETER]  # first, so that whatever is wrong with it is said once: a reload goes on without
    try:
        begin(workspace, read_mission(text))
    except ExplorerError as error:
        say.error(f"The mission can't be opened: {error}", icon=":material/link_off:")


def begin(workspace: Workspace, mission: Mission) -> None:
    """Plays a mission, and notes that its network and data are to be opened, where others are open.

    Raises:
        ExplorerError: a browser may not name them here.
    """
    permitted = session.opener(workspace)
    model, data = permitted(mission.model), permitted(mission.data)
    mission_play.play(workspace, mission)
    if not mission_play.is_open(workspace, mission):
        opening.ask(model, data)
