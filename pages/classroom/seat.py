"""A student's class: what it is about, how she comes back, and the way out."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.records import Classroom, Student
from explorer.learning.lessons.reading import find_lesson
from explorer.learning.missions.mission import read_mission
from explorer.plain import plain
from explorer.ui.navigation import PAGES
from explorer.ui.parts import classroom, ending, say, sharing
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.classroom import entrance

LEAVING = "Your workspace stays yours; what you handed in for missions here is deleted."


def show(workspace: Workspace, student: Student, room: Classroom) -> None:
    st.subheader(plain(f"{student.nickname} in {room.title}"), anchor=False)
    say.caption(f"You begin with {room.model} on {room.data}.")
    say.caption(classroom.tools_in_words(room))
    _way_on(workspace, room)
    st.markdown("**Your own link**")
    st.caption(
        "By it you come back after a reload, on another computer, and when your tab was lost. Keep it to yourself."
    )
    base = sharing.address().partition("/class")[0]
    st.code(f"{base}/class?{session.PARAMETER}={workspace.token}", language=None, wrap_lines=True)
    if st.button(
        "Leave the class",
        type="tertiary",
        icon=":material/logout:",
        help=LEAVING,
    ):
        ending.remove(room, student.nickname)
        st.rerun()


def _way_on(workspace: Workspace, room: Classroom) -> None:
    """The button that leads on in what the class does."""
    title = ""
    try:
        if room.lesson or room.mission:
            title = (find_lesson(room.lesson) if room.lesson else read_mission(room.mission)).title
    except ExplorerError as error:
        say.error(str(error), icon=":material/error:")
        return
    if not title:
        st.page_link(PAGES["cut"].path, label="Go to the board", icon=":material/arrow_forward:")
    elif st.button(f"Go on: {plain(title)}", type="primary", icon=":material/school:"):
        try:
            page = entrance.begin(workspace, room)
        except ExplorerError as error:
            say.error(words.sentence(str(error)), icon=":material/error:")
            return
        st.switch_page(page)
