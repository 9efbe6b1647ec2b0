"""The class beside every page: what a student may start and how long she waits, and what her teacher sees of her."""

from contextlib import suppress
from functools import cache
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.lasting import POINTS, lasting
from explorer.learning.classes.overview import revealing
from explorer.learning.classes.records import TOOLS, Classroom, Reached, Seen, Student
from explorer.learning.classes.register import UNREADABLE, Register
from explorer.learning.lessons.lesson import Lesson, Predict
from explorer.learning.lessons.reading import find_lesson
from explorer.places import ASSETS
from explorer.plain import plain
from explorer.ui import engine
from explorer.ui.navigation import PAGES
from explorer.ui.parts import say
from explorer.ui.parts.mission_play import Player
from explorer.ui.parts.stages import plan_of
from explorer.ui.state import classes, session
from explorer.ui.state.share import Shared, link_text
from explorer.ui.state.workspace import WORKSPACES, Workspace
from explorer.ui.text import words

FOLDER = ASSETS / "classroom"
OFTEN = 5.0  # seconds between two looks of a student's panel: thirty of them share a processor
_GOTO = "class asked for"  # key of the session


def register() -> Register:
    return classes.register(session.DESK.root)


def note_link() -> None:
    """Takes a class's link out of the URL; called by the entry script before the navigation."""
    if classes.take_parameters(register()):
        st.session_state[_GOTO], st.session_state[session.NEW] = True, False  # she has come for the class


def asked_for() -> bool:
    """Whether a link asks for the page of the class; once."""
    return st.session_state.pop(_GOTO, False)


def panel(workspace: Workspace) -> bool:
    """A student's class: its name and hers, what she may start, how long it would wait; nothing for others."""
    found = classes.membership(register(), workspace.token)
    if found is None:
        return False
    student, room = found
    keep(workspace, room, student)

    def draw() -> None:
        now = classes.student_of(register(), workspace.token)
        if now is None:  # the class was closed, or she was taken out of it
            st.rerun(scope="app")
        with st.container(key="class panel", gap="small"):
            st.markdown(f":small[{plain(room.title)} · **{plain(now.nickname)}**]")
            _allowance(workspace, room, now)
            st.page_link(PAGES["classroom"].path, label="My class", icon=":material/groups:")

    st.fragment(draw, run_every=OFTEN)()
    return True


def _allowance(workspace: Workspace, room: Classroom, student: Student) -> None:
    """What is left of what she may start, and the longest that it waits, before she starts it."""
    if not room.allowed.tools or not room.allowed.work:
        return
    left = room.allowed.work - student.work
    going = classes.under_way(session.DESK, workspace.token)
    if going is not None:
        wait = session.DESK.longest_wait(going.id)
        say.caption("Yours is running." if going.state == "running" else f"Yours starts within {words.bound(wait)}.")
    elif left > 0:
        wait = session.DESK.longest_wait()
        when = f"within {words.bound(wait)}" if wait else "at once"
        say.caption(
            f"{left} of {room.allowed.work} trainings or searches left. One started now, before others start theirs, "
            f"begins {when} and takes {words.bound(room.allowed.seconds)} at most."
        )
    else:
        say.caption(f"You have started all {room.allowed.work} trainings or searches of this class.")


def player(workspace: Workspace) -> Player | None:
    """A student plays missions under her nickname, among those of her class."""
    student = classes.student_of(register(), workspace.token)
    return None if student is None else Player(student.nickname, student.code)


def held(workspace: Workspace, lesson: Lesson, card: int) -> str:
    """Why a student may not see yet what a prediction was about; empty where she may."""
    found = classes.membership(register(), workspace.token)
    if found is None:
        return ""
    room = found[1]
    if not room.held or room.lesson != lesson.name:
        return ""
    reveals = {revealing(lesson, each) for each in lesson.cards if isinstance(each, Predict)}
    if card not in reveals or card in register().revealed(room.code, lesson.name):
        return ""
    return "Your teacher opens this for everybody: look at the front."


def lesson_of(room: Classroom) -> Lesson | None:
    """The lesson of the class; None where it has none, or another version of the program had it."""
    try:
        return find_lesson(room.lesson) if room.lesson else None
    except ExplorerError:
        return None


def open_for_all(room: Classroom, lesson: str, card: int) -> None:
    """Opens what was withheld, for all; what is predicted after that counts no more, what was before is kept first."""
    look_around(room)
    register().reveal(room.code, lesson, card)


def keep(workspace: Workspace, room: Classroom, student: Student) -> None:
    """Keeps what a student is at, where that has changed since it was kept last.

    Args:
        student: as she is kept.
    """
    trail = workspace.draft.trail
    progress = workspace.lesson
    place = (student.code, student.joined, workspace.version, workspace.data, workspace.setting)
    now = (*place, progress, len(trail), trail[-1] if trail else None)
    if workspace.noted == now:
        return
    with suppress(*UNREADABLE):  # the file is busy: nothing breaks, and the next look keeps it
        opened = register().revealed(room.code, room.lesson) if room.lesson else frozenset()
        told = lasting(seen(workspace, room), student.seen, lesson_of(room), opened)
        register().note(workspace.token, told)
        workspace.noted = now


def seen(workspace: Workspace, room: Classroom) -> Seen:
    """What a workspace is at, for its class."""
    progress = workspace.lesson
    told = {}
    if progress is not None:
        told = {
            "lesson": progress.lesson,
            "card": progress.card,
            "answers": dict(progress.answers),
            "done": tuple(sorted(progress.done)),
            "finished": progress.finished,
        }
    return Seen(
        model=workspace.model,
        data=workspace.data,
        state=link_text(Shared.of(workspace)),
        macs=_macs(workspace),
        reached=_reached(workspace, room),
        **told,
    )


def _macs(workspace: Workspace) -> float | None:
    """The share of the MACs that the cut leaves, as far as that is known without work."""
    opened = engine.known(lambda: engine.opened(workspace.model))
    plan = None if opened is None else plan_of(workspace)
    if opened is None or plan is None:
        return None
    return plan.cost(opened.structure).macs / max(opened.structure.cost().macs, 1)


def _reached(workspace: Workspace, room: Classroom) -> tuple[Reached, ...]:
    """The points tried with the class's network and data, the latest of them."""
    if workspace.model != room.model:
        return ()
    points = [point for point in workspace.draft.trail if point.setting[0] == room.data and not point.choice.empty]
    return tuple(
        Reached(point.macs, point.params, point.value, point.low, point.high, point.recovery)
        for point in points[-POINTS:]
    )


def look_around(room: Classroom) -> list[Student]:
    """All students as they are now: workspaces that are in memory are asked themselves, the others as last kept."""
    for student in register().students(room.code):
        workspace = WORKSPACES.peek(student.workspace)
        if workspace is not None:
            keep(workspace, room, student)
    return register().students(room.code)


def picture() -> None:
    """The place of what is looked at from the back of the room, which `tell` brings what it shows."""
    _component("class_room", "room.js", "room.css")(key="class room", data={})


def tell(told: dict[str, Any]) -> None:
    """Shows it in the picture of this page; for a fragment, too."""
    _component("class_room_feed", "room_feed.js")(key="class room feed", data=told)


def keep_keys() -> None:
    """Leaves the keys of this teacher in her browser, so that a reload finds them; those put away go there too."""
    if not classes.known_to_browser():
        return
    data = {"name": classes.COOKIE, "value": ".".join(classes.keys()), "days": classes.DAYS}
    _component("class_keys", "key.js")(key="class keys in browser", data=data)


@cache
def _component(name: str, js: str, css: str = "") -> Any:
    """Registered once."""
    files = {kind: (FOLDER / file).read_text(encoding="utf-8") for kind, file in (("js", js), ("css", css)) if file}
    return st.components.v2.component(name, **files)


def tools_in_words(room: Classroom) -> str:
    """What a class allows beside cutting by hand, in a sentence."""
    named = [TOOLS[tool].lower() for tool in room.allowed.tools]
    if not named or not room.allowed.work:
        return "Cutting by hand, sharing out a target, and repair without training."
    return (
        f"Cutting by hand; {', '.join(named)}: {room.allowed.work} for each student, "
        f"{words.bound(room.allowed.seconds)} each at most."
    )
