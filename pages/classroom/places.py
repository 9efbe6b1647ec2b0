"""Who is at which card, and what each cut leaves; anybody's cut opens on the teacher's board."""

import time

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.records import Classroom, Student
from explorer.learning.lessons.lesson import Lesson
from explorer.ui.navigation import PAGES
from explorer.ui.parts import classroom, opening, say
from explorer.ui.state.share import read_link
from explorer.ui.state.workspace import Workspace

AWAY = 120.0  # seconds without a change after which somebody may need help


def show(workspace: Workspace, room: Classroom, students: list[Student]) -> None:
    lesson = classroom.lesson_of(room)
    told = {
        "view": "places",
        "label": "Who is where",
        "students": [_place(student, lesson) for student in students],
    }
    if not students:
        say.info("Nobody has joined yet: the code stands under Join.", icon=":material/group:")
        return
    classroom.tell(told)
    st.caption("Who has changed nothing for two minutes stands in a lighter type.")
    _look_at_one(workspace, students)


def _place(student: Student, lesson: Lesson | None) -> dict[str, object]:
    seen = student.seen
    here = lesson is not None and seen.lesson == lesson.name
    left = "" if seen.macs is None or seen.macs == 1 else f"{seen.macs:.0%} of MACs"
    at = "finished" if here and seen.finished else f"card {seen.card + 1}" if here else "at work"
    return {
        "name": student.nickname,
        "where": " · ".join(filter(None, (at, left))),
        "cards": len(lesson.cards) if here else 0,
        "card": seen.card,
        "done": [*range(len(lesson.cards))] if here and seen.finished else list(seen.done),
        "changed": student.changed,
        "away": time.time() - student.changed > AWAY,
    }


def _look_at_one(workspace: Workspace, students: list[Student]) -> None:
    """A copy of one's cut on the board of this workspace: nothing here changes hers."""
    names = [student.nickname for student in students]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox("Open the cut of", names, key="class look at", width=260)
        if st.button("On my board", icon=":material/visibility:", help="A copy: nothing that you change here is hers."):
            student = students[names.index(chosen)]
            try:
                opening.ask_shared(read_link(student.seen.state))
            except ExplorerError:
                say.info(f"{student.nickname} has not begun yet.")
                return
            st.switch_page(PAGES["cut"].path)
