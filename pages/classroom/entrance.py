"""The way into a class: with a code and a nickname, or as who opens one."""

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.codes import LENGTH, LONGEST
from explorer.learning.classes.records import SECONDS, TOOLS, TRAINING, Allowed, Classroom
from explorer.learning.classes.register import LONGEST_TITLE
from explorer.learning.lessons.lesson import Lesson
from explorer.learning.lessons.reading import find_lesson, lessons
from explorer.learning.missions.bundled import bundled
from explorer.learning.missions.mission import Mission, mission_text, read_mission
from explorer.ui.navigation import PAGES
from explorer.ui.parts import classroom, mission_link, opening, say
from explorer.ui.parts import lesson as lesson_panel
from explorer.ui.state import classes, session
from explorer.ui.state.workspace import WORKSPACES, Workspace
from explorer.ui.text import words

FREE = "Work freely"  # instead of a lesson
WORK, LIMIT = 3, 60


def show(workspace: Workspace) -> None:
    joining, opening_one = st.columns(2, gap="large")
    with joining:
        _join(workspace)
    with opening_one:
        _open(workspace)


def _join(workspace: Workspace) -> None:
    st.subheader("Join a class", anchor=False)
    with st.form("join", border=True):
        code = st.text_input(
            "Code on the board", classes.typed(), max_chars=2 * LENGTH, placeholder=f"{LENGTH} letters"
        )
        nickname = st.text_input(
            "Nickname", max_chars=LONGEST, help="Everybody in the room sees it; it need not be your name."
        )
        sent = st.form_submit_button("Join", type="primary", icon=":material/login:")
    if not sent:
        return
    try:
        room = classes.joined(classroom.register(), code, workspace.token, session.address())
        own = _joined(workspace, room, nickname)
    except ExplorerError as error:
        say.error(words.sentence(str(error)), icon=":material/block:")
        return
    try:
        page = begin(own, room)
    except ExplorerError as error:  # she is in the class, whose page says what can be done there
        say.toast(words.sentence(str(error)), icon=":material/error:")
        st.rerun()
    st.switch_page(page)


def _joined(workspace: Workspace, room: Classroom, nickname: str) -> Workspace:
    """The workspace in which she has joined: this one, unless somebody has worked in it; then it stays as it is.

    Raises:
        ExplorerError: she can't join; this workspace stays in sight.
    """
    own = workspace if workspace.empty else WORKSPACES.create(session.address())
    try:
        classroom.register().join(room.code, nickname, own.token)
    except ExplorerError:
        if own is not workspace:
            WORKSPACES.forget(own.token)
        raise
    st.session_state["workspace"] = own.token
    st.query_params[session.PARAMETER] = own.token
    return own


def begin(workspace: Workspace, room: Classroom) -> str:
    """Lets a workspace begin with what its class is about; the page where that is done."""
    if room.lesson:
        return lesson_panel.begin(workspace, find_lesson(room.lesson))
    if room.mission:
        mission_link.begin(workspace, read_mission(room.mission))
        return PAGES["cut"].path
    if (workspace.model, workspace.data) != (room.model, room.data):
        opening.ask(room.model, room.data)
    return PAGES["cut"].path


def offered(workspace: Workspace) -> dict[str, Lesson | Mission | None]:
    """What a class may do, by what it is called: a lesson, a mission that is bundled or played here, or nothing set."""
    found: dict[str, Lesson | Mission | None] = {f"Lesson: {each.title}": each for each in lessons().values()}
    found |= {f"Mission: {each.title}": each for each in bundled().values()}
    if (own := workspace.mission) is not None and own not in bundled().values():
        found[f"Mission that is played here: {own.title}"] = own
    return found | {f"{FREE}, with {workspace.model}": None}


def _open(workspace: Workspace) -> None:
    st.subheader("Open a class", anchor=False)
    found = offered(workspace)
    with st.form("open", border=True):
        title = st.text_input("Title", max_chars=LONGEST_TITLE, placeholder="Pruning, period 3")
        named = st.selectbox("What it does", list(found))
        held = st.toggle("I open what predictions were about, for all at once", True)
        tools = st.multiselect(
            "Allowed beside cutting and repair", list(TOOLS), [TRAINING], format_func=TOOLS.__getitem__
        )
        left, right = st.columns(2)
        work = left.number_input("Trainings and searches of each student", 0, 20, WORK)
        seconds = right.selectbox(
            "Each may take", list(SECONDS), list(SECONDS).index(LIMIT), format_func=SECONDS.__getitem__
        )
        sent = st.form_submit_button("Open the class", type="primary", icon=":material/co_present:")
    if not sent:
        return
    try:
        chosen = found[named]
        model, data = (chosen.model, chosen.data) if chosen else (workspace.model, workspace.data)
        _, key = classroom.register().open(
            title,
            session.open_to_all(model),
            session.open_to_all(data),
            lesson=chosen.name if isinstance(chosen, Lesson) else "",
            mission=mission_text(chosen) if isinstance(chosen, Mission) else "",
            allowed=Allowed(tuple(tools), work, seconds),
            held=held,
        )
    except ExplorerError as error:
        say.error(words.sentence(str(error)), icon=":material/block:")
        return
    classes.keep_key(key)
    st.rerun()
