"""Missions: goals for a smaller network, checked on data that nobody tunes on; chosen, made, and given to others."""

import streamlit as st

from explorer.learning.missions.bundled import bundled
from explorer.ui.parts import frame, mission_play
from explorer.ui.state import session
from pages.missions import cards, making, played

workspace = session.current()
frame.heading("Missions", "Reach the goals, hand in, and see how you do on pictures that nobody tuned on.", workspace)
if workspace.mission is not None:
    played.show(workspace, workspace.mission)
st.subheader("Choose a mission", anchor=False)
cards.show(workspace, bundled().values())
if own := mission_play.others(workspace, bundled().values()):
    st.subheader("Made or played here", anchor=False)
    cards.show(workspace, own)
making.show(workspace)
