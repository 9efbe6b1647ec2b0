"""What the class predicts, as a picture, before anybody sees what is so; the teacher opens that for all."""

import pandas as pd
import streamlit as st

from explorer.learning.classes.overview import Gathered, gathered
from explorer.learning.classes.records import Classroom, Student
from explorer.plain import plain
from explorer.ui.charts import classroom as charts
from explorer.ui.parts import classroom, frame, say
from explorer.ui.state.workspace import Workspace


def show(workspace: Workspace, room: Classroom, students: list[Student]) -> None:
    lesson = classroom.lesson_of(room)
    found = gathered(lesson, students) if lesson else []
    if lesson is None or not found:
        say.info("This class has no lesson with predictions.", icon=":material/psychology_alt:")
        return
    opened = classroom.register().revealed(room.code, lesson.name)
    names = [f"Card {each.card + 1}" for each in found]
    first = _in_sight(found, opened)
    at = st.selectbox("Prediction", names, first, key="class prediction", label_visibility="collapsed", width=160)
    _one(room, lesson.name, found[names.index(at)], opened)


def _in_sight(found: list[Gathered], opened: frozenset[int]) -> int:
    """The place, among all, of the first prediction whose reveal is not open yet."""
    return next((place for place, each in enumerate(found) if each.reveal not in opened), len(found) - 1)


def _one(room: Classroom, lesson: str, asked: Gathered, opened: frozenset[int]) -> None:
    st.header(plain(asked.question), anchor=False)
    _open(room, lesson, asked, opened)
    bars = pd.DataFrame({"answer": asked.labels, "students": asked.counts})
    said = f"{asked.answered} of {asked.asked} have answered"
    frame.chart(said, charts.answers(bars), "How many students gave each answer")


def _open(room: Classroom, lesson: str, asked: Gathered, opened: frozenset[int]) -> None:
    """The teacher's button that shows everybody what is so, or that it is open."""
    if asked.reveal is None or not room.held:
        return
    if asked.reveal in opened:
        st.success("It is open: everybody sees what is so on her own card.", icon=":material/visibility:")
    else:
        st.button(
            "Show everybody what is so",
            type="primary",
            icon=":material/visibility:",
            on_click=classroom.open_for_all,
            args=(room, lesson, asked.reveal),
        )
