"""A teacher's class, as the room sees it: one view at a time, large enough for the last row."""

from collections.abc import Callable

import streamlit as st

from explorer.learning.classes.records import Classroom, Student
from explorer.ui.parts import classroom, say
from explorer.ui.state.workspace import Workspace
from pages.classroom import joining, leaderboard, manage, places, predictions

SECONDS = 1.0  # between two looks at the class
VIEW = "class view"
VIEWS: dict[str, Callable[[Workspace, Classroom, list[Student]], None]] = {
    "Join": joining.show,
    "Who is where": places.show,
    "Predictions": predictions.show,
    "Leaderboard": leaderboard.show,
}
PICTURES = ("Join", "Who is where")  # what is drawn by the program itself
MANAGE = "Manage"


def show(workspace: Workspace, taught: dict[str, Classroom]) -> None:
    """The chosen view of the chosen class."""
    key = next(iter(taught))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title("Class", anchor=False, width="content")
        if len(taught) > 1:
            titles = {each: f"{room.title} ({room.code})" for each, room in taught.items()}
            key = st.selectbox(
                "Which class", list(taught), format_func=titles.__getitem__, label_visibility="collapsed", width=300
            )
        else:
            say.caption(taught[key].title, width="stretch")
        view = st.segmented_control(
            "View", [*VIEWS, MANAGE], default="Join", key=VIEW, label_visibility="collapsed", required=True
        )
    room = taught[key]
    if view == MANAGE:
        manage.show(workspace, room, key)
    else:
        if view in PICTURES:
            classroom.picture()

        def draw() -> None:
            if classroom.register().of_code(room.code) is None:  # deleted in another tab
                st.rerun(scope="app")
            VIEWS[view](workspace, room, classroom.look_around(room))

        st.fragment(draw, run_every=SECONDS)()
