"""The classes of this server as a browser session meets them: whose student it is, whose teacher, what it may start."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.learning.classes.codes import is_key, read_code
from explorer.learning.classes.guard import Guard
from explorer.learning.classes.records import TOOLS, Classroom, Student
from explorer.learning.classes.register import UNREADABLE, Register
from explorer.learning.classes.tools import tool_of
from explorer.learning.missions.mission import Mission, read_mission
from explorer.runs.queue.desk import Desk
from explorer.runs.queue.job import Job
from explorer.runs.queue.kinds import is_short

CODE, KEY = "class", "teach"  # parameters of the URL: what joins a class, what gives its teacher's right
COOKIE, DAYS, KEPT = "pruning-classes", 30, 8
_TYPED, _KEYS, _ASIDE = "class code", "class keys", "classes aside"  # keys of the session
GUARD = Guard()


@cache
def register(root: Path) -> Register:
    """The classes below a folder of runs."""
    return Register(root)


def take_parameters(classes: Register) -> bool:
    """Takes a code or a key out of the URL, where nobody looks over a shoulder at it; whether there was one.

    A key of no class is not kept: a link that anybody wrote pushes no teacher's own key out.
    """
    code, key = st.query_params.pop(CODE, None), st.query_params.pop(KEY, None)
    if code is not None:
        st.session_state[_TYPED] = code[:20]
    with suppress(*UNREADABLE):  # the page of the class says so
        if key is not None and is_key(key) and classes.of_key(key) is not None:
            keep_key(key)
    return code is not None or key is not None


def typed() -> str:
    """The code that the URL brought."""
    return st.session_state.get(_TYPED, "")


def keys() -> list[str]:
    """What this browser has of teachers' keys, the latest first."""
    held = st.context.cookies.get(COOKIE, "").split(".")
    return st.session_state.get(_KEYS, [key for key in held if is_key(key)])[:KEPT]


def known_to_browser() -> bool:
    """Whether this browser has, or was to have, keys: what it keeps follows what this session holds."""
    return bool(keys()) or _KEYS in st.session_state


def keep_key(key: str) -> None:
    """Makes this session the teacher's of the key's class."""
    put_aside(aside=False)
    st.session_state[_KEYS] = [key, *[old for old in keys() if old != key]][:KEPT]


def put_aside(*, aside: bool = True) -> None:
    """Lets the page offer to open another class, beside those that are taught here; or back to them."""
    st.session_state[_ASIDE] = aside


def aside() -> bool:
    return st.session_state.get(_ASIDE, False)


def drop_key(key: str) -> None:
    st.session_state[_KEYS] = [old for old in keys() if old != key]


def taught(classes: Register) -> dict[str, Classroom]:
    """The classes whose teacher sits here, by the key."""
    found = {key: classes.of_key(key) for key in keys()}
    return {key: room for key, room in found.items() if room is not None}


def joined(classes: Register, code: str, person: str, address: str) -> Classroom:
    """The class of a code as a person typed it.

    Args:
        person: the token of her workspace.
        address: where her browser is.

    Raises:
        ExplorerError: too many codes were wrong, or this one is.
    """
    GUARD.check(person, address)
    read = read_code(code)  # what can be no code needs no counting
    room = classes.of_code(read)
    if room is None:
        GUARD.wrong(person, address)
        raise ExplorerError(f"there is no class {read}: look at the board once more")
    return room


def mission_of(root: Path, code: str) -> Mission | None:
    """The mission of a class; None where it has none, or another version of the program wrote it."""
    room = register(root).of_code(code)
    try:
        return read_mission(room.mission) if room is not None and room.mission else None
    except ExplorerError:
        return None


def student_of(classes: Register, token: str) -> Student | None:
    """Who works in a workspace; nobody where the file of classes can't be read, as pages go on without classes then."""
    try:
        return classes.of_workspace(token)
    except UNREADABLE:
        return None


def membership(classes: Register, token: str) -> tuple[Student, Classroom] | None:
    """Who works in a workspace, and in which class; None as `student_of` tells."""
    student = student_of(classes, token)
    room = None if student is None else classes.of_code(student.code)
    return None if student is None or room is None else (student, room)


@contextmanager
def admitted(desk: Desk, token: str, request: Any) -> Iterator[float | None]:
    """For the time in which a workspace's job is submitted: how many seconds it may take; None: as many as it needs.

    A piece of work of a student is counted, unless the desk refuses it.

    Args:
        request: what `Desk.submit` takes.

    Raises:
        ExplorerError: her class does not allow it, or one is under way already.
    """
    classes = register(desk.root)
    found = membership(classes, token)
    asked = request if isinstance(request, dict) else {"kind": "prune", "spec": request.to_json()}
    if found is None or is_short(asked):
        yield None
        return
    student, room = found
    allowed, tool = room.allowed, tool_of(asked)
    if under_way(desk, token) is not None:
        raise ExplorerError("your last one waits or runs yet, and a class has one at a time: wait for it, or cancel it")
    if tool and tool not in allowed.tools:
        raise ExplorerError(f"this class goes without: {TOOLS[tool].lower()}; ask your teacher")
    if tool and not classes.worked(token, allowed.work):
        raise ExplorerError(f"{student.nickname} has started all {allowed.work} that this class gives to each")
    try:
        yield float(allowed.seconds)
    except ExplorerError:
        if tool:
            classes.gave_back(token)
        raise


def under_way(desk: Desk, token: str) -> Job | None:
    """A student's long work that waits or runs."""
    going = (job for job in desk.jobs(token) if job.seconds is not None and not job.final)
    return next((job for job in going if not is_short(job.request)), None)
