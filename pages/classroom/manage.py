"""What only the teacher needs, and no projector: her link, the way back for a student, CSV, the end."""

from collections.abc import Sequence

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.overview import table
from explorer.learning.classes.records import Classroom, Student
from explorer.plain import plain
from explorer.tasks import METRICS, Metric
from explorer.ui import engine
from explorer.ui.parts import classroom, ending, say
from explorer.ui.state import classes, session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.classroom import handed_in
from pages.classroom.joining import base


def show(workspace: Workspace, room: Classroom, key: str) -> None:
    students = classroom.look_around(room)
    say.caption(f"{_counted(students)}. {classroom.tools_in_words(room)}")
    with st.container(horizontal=True):
        with st.popover("Your secret link", icon=":material/key:"):
            st.caption("It makes whoever has it the teacher of this class. Keep it, and don't show it to the room.")
            st.code(f"{base()}/class?{classes.KEY}={key}", language=None, wrap_lines=True)
        st.download_button(
            "Download as CSV",
            lambda: table(classroom.look_around(room), classroom.lesson_of(room), _metric(room), handed_in.bests(room)),
            f"class-{room.code}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        if st.button("Put the key away", icon=":material/key_off:", help="On a computer that others use as well"):
            classes.drop_key(key)
            st.rerun()
        if st.button("Open another class", icon=":material/add:"):
            classes.put_aside()
            st.rerun()
        if st.button("Delete the class", icon=":material/delete:"):
            _ask(room, students, key)
    for student in students:
        _one(room, student)


def _one(room: Classroom, student: Student) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(student.nickname)}**", width="stretch")
        with st.popover("Way back", icon=":material/link:"):
            st.caption("The student's own link, for one who has lost her tab. It is for her alone.")
            st.code(f"{base()}/class?{session.PARAMETER}={student.workspace}", language=None, wrap_lines=True)
        st.button(
            "Remove",
            key=f"remove {student.nickname}",
            icon=":material/person_remove:",
            on_click=ending.remove,
            args=(room, student.nickname),
        )


def _metric(room: Classroom) -> Metric | None:
    try:
        return METRICS[engine.task(room.data, engine.opened(room.model).model).metric]
    except ExplorerError:
        return None


@st.dialog("Delete the class?")
def _ask(room: Classroom, students: list[Student], key: str) -> None:
    st.markdown(f"All of **{plain(room.title)}** goes for good: nicknames, answers, points, and the students' runs.")
    say.caption(f"In it: {_counted(students)}. Download the CSV first if you want to keep anything.")
    with st.container(horizontal=True):
        if st.button("Delete all of it", type="primary", icon=":material/delete_forever:"):
            left = ending.end(room)
            classes.drop_key(key)
            for sentence in left:
                say.toast(words.sentence(sentence))
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _counted(students: Sequence[Student]) -> str:
    return f"{len(students)} student{'s' * (len(students) != 1)}"
