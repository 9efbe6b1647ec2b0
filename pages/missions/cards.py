"""Missions to choose from, each a card."""

from collections.abc import Iterable

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.missions.mission import Mission
from explorer.plain import plain
from explorer.ui.navigation import path_to
from explorer.ui.parts import mission_link, mission_play, mission_words, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

WIDTH = 285  # pixels of a card


def show(workspace: Workspace, missions: Iterable[Mission]) -> None:
    """The cards, as many beside each other as there is room for."""
    missions = list(missions)
    with st.container(horizontal=True, gap="small", key=f"missions {missions[0].id}"):
        for mission in missions:
            with st.container(border=True, width=WIDTH, gap="small"):
                _card(workspace, mission)


def _card(workspace: Workspace, mission: Mission) -> None:
    own = mission_play.own(workspace, mission)
    found = mission_play.best(own, mission.cost)
    st.markdown(f"**{plain(mission.title)}**")
    if mission.text:
        say.caption(mission.text)
    metric = mission_words.metric_of(mission)
    st.markdown("  \n".join(f":material/flag: {plain(goal.says(metric))}" for goal in mission.goals))
    say.caption(f"{mission.model} on {mission.data}. {mission_words.rules(mission)}")
    with st.container(horizontal=True, vertical_alignment="center"):
        playing = workspace.mission == mission
        label = "Go on" if playing else "Play"
        if st.button(label, key=f"play {mission.id}", icon=":material/play_arrow:", type="primary"):
            _begin(workspace, mission)
        if found is not None:
            done = found.done
            say.badge(
                "all goals met" if done else f"{found.met} of {found.goals} goals",
                icon=":material/check:" if done else None,
                color="green" if done else "gray",
            )
            say.caption(mission_words.tries(own), width="content")


def _begin(workspace: Workspace, mission: Mission) -> None:
    """Plays it, on the board."""
    try:
        mission_link.begin(workspace, mission)
    except ExplorerError as error:
        say.error(words.sentence(str(error)), icon=":material/block:")
    else:
        st.switch_page(path_to("cut"))
