"""One browser session: which workspace it shows, and which refs it may name."""

import os
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from pathlib import Path

import streamlit as st

from explorer.learning.classes.register import UNREADABLE
from explorer.learning.lessons.keeping import Kept
from explorer.learning.lessons.progress import Progress
from explorer.progress import Report
from explorer.runs.queue.desk import DESK
from explorer.sources.suffixes import WEIGHTS
from explorer.ui.navigation import PAGES
from explorer.ui.state import classes
from explorer.ui.state.access import allowed_roots, check_ref
from explorer.ui.state.share import take_state
from explorer.ui.state.uploads import PICTURES, Archive, Uploads
from explorer.ui.state.workspace import TOKEN, WORKSPACES, Workspace

PARAMETER = "w"
# Keys of the session.
SHOWN = "shown"
PAGE = "page in sight"
NEW = "first visit"
PROPOSED = "data to train on"  # the ref of data whose classes are not those of the workspace's model


def open_workspace() -> None:
    """Finds the workspace that the URL or this session names, or makes one, and writes its token into the URL.

    Called by the entry script on every run: a page switch clears the URL's parameters.

    Raises:
        ExplorerError: there is no room for another workspace.
    """
    _uploads(DESK.root)
    asked = st.query_params.get(PARAMETER)
    workspace = WORKSPACES.get(st.session_state.get("workspace")) or WORKSPACES.get(asked) or _returned(asked)
    if workspace is None:
        workspace = WORKSPACES.create(address())
        st.session_state[NEW] = not asked
        if asked:
            st.toast("That workspace is no longer on this server. This is a new one.", icon=":material/info:")
    st.session_state["workspace"] = workspace.token
    if asked != workspace.token:
        st.query_params[PARAMETER] = workspace.token


def _returned(token: str | None) -> Workspace | None:
    """The workspace of an earlier server, as far as its runs, its lesson and its class tell; runs go on then, too."""
    if not token or not TOKEN.fullmatch(token):
        return None
    jobs, opened, student = DESK.jobs(token), None, classes.student_of(classes.register(DESK.root), token)
    with suppress(*UNREADABLE):  # the work comes back without its lesson
        opened = lessons().opened(token)
    state = student.seen if student is not None and student.seen.model else None
    if not (jobs or opened or state):
        return None
    spec = jobs[0].request["spec"] if jobs else {}
    progress, model, data = opened or (None, spec.get("model", ""), spec.get("data", ""))
    if state is not None:
        model, data = state.model, state.data
    keys = [(job.key or job.kind, job.id) for job in reversed(jobs)]
    workspace = WORKSPACES.restore(token, model, data, keys, address())
    if workspace is not None:
        workspace.lesson = progress
        if state is not None:
            take_state(workspace, state.state)
            workspace.mission = classes.mission_of(DESK.root, student.code)
    return workspace


def lessons() -> Kept:
    """What is kept of lessons beside the runs."""
    return _lessons(DESK.root)


@cache
def _lessons(root: Path) -> Kept:
    return Kept(root)


def learn(workspace: Workspace, progress: Progress) -> None:
    """Goes on in a lesson, which is kept so that a reload, and another server, find it again."""
    workspace.lesson = progress
    lessons().keep(workspace.token, progress, workspace.model, workspace.data)


def leave_lesson(workspace: Workspace) -> None:
    """Closes the lesson; how far it was stays kept."""
    workspace.lesson = None
    lessons().leave(workspace.token)


def note_page(address: str) -> None:
    """Notes which page is in sight, by the path of its link; called by the entry script on every run."""
    st.session_state[PAGE] = next((page.name for page in PAGES.values() if page.address == address), "")


def address() -> str:
    """Where this session's browser is; empty for one on this machine."""
    return st.context.ip_address or ""


def current() -> Workspace:
    """This session's workspace.

    A page that was opened without the entry script (the server's first request was a link to its file) goes
    through the entry script first.
    """
    workspace = WORKSPACES.get(st.session_state.get("workspace"))
    if workspace is None:
        st.switch_page("app.py")
    return workspace


def revision(workspace: Workspace) -> int:
    """Counts the states that this session's controls have to take over: undo, presets, another tab's changes.

    A control adopts the state only when it differs from the one it was drawn with, so that its own commit coming
    back never fights the hand that is still dragging.
    """
    version, count = st.session_state.get(SHOWN, (None, -1))
    if version != workspace.version:
        count += 1
        st.session_state[SHOWN] = (workspace.version, count)
    return count


def own_change(workspace: Workspace, change: Callable[[tuple[str, int]], None]) -> None:
    """Makes a change that a control of this session shows already; `change` gets the version that it showed."""
    version, count = st.session_state[SHOWN]
    fresh = version == workspace.version
    change(version)
    if fresh:
        st.session_state[SHOWN] = (workspace.version, count)


def uploads(workspace: Workspace) -> Path:
    """The folder of the workspace's uploads."""
    return _uploads(DESK.root).folder(workspace.token)


def save_upload(workspace: Workspace, name: str, content: bytes) -> Path:
    """Keeps a file of weights from the browser.

    Raises:
        ExplorerError: see `Uploads.save`.
    """
    return _saved(workspace, name, content, WEIGHTS)


def save_pictures(workspace: Workspace, name: str, content: bytes) -> Archive:
    """Keeps a ZIP of pictures from the browser, for `unpack`.

    Raises:
        ExplorerError: see `Uploads.save`.
    """
    return Archive(_saved(workspace, name, content, PICTURES), name)


def unpack(workspace: Workspace, archive: Archive, report: Report) -> tuple[Path, int]:
    """Where the pictures of an archive lie now, and how many other files in it were left out.

    Raises:
        ExplorerError: see `Uploads.unpack`.
    """
    return _uploads(DESK.root).unpack(archive, DESK.limits, WORKSPACES.near(workspace), report)


def uploaded_pictures(workspace: Workspace) -> list[Path]:
    """The folders of pictures that the workspace has uploaded, newest first."""
    return _uploads(DESK.root).pictures(workspace.token)


def _saved(workspace: Workspace, name: str, content: bytes, taken: Collection[str]) -> Path:
    """Where an upload is kept; what left for it is deleted while the page goes on.

    Raises:
        ExplorerError: see `Uploads.save`.
    """
    store, near = _uploads(DESK.root), WORKSPACES.near(workspace)
    try:
        return store.save(name, content, workspace.token, DESK.limits, near, _needed(workspace), taken)
    finally:
        _beside(store.clear)


def _needed(workspace: Workspace) -> list[str]:
    """The refs of what is open, of what training is offered on, and of what jobs under way work with."""
    going = [job.request["spec"] for job in DESK.jobs(workspace.token) if not job.final]
    here = [workspace.model, workspace.data, st.session_state.get(PROPOSED) or ""]
    return [*here, *(str(spec[kind]) for spec in going for kind in ("model", "data"))]


@cache
def _uploads(root: Path) -> Uploads:
    """The uploads below a folder of runs; what earlier servers left there goes, where no run can ask for it again."""
    found = Uploads(root)
    _beside(found.sweep, {job.owner for job in DESK.jobs()})
    return found


def _gone(token: str) -> None:
    """Uploads go with their workspace, unless it has runs: by those it can come back."""
    if not DESK.jobs(token):
        _beside(_uploads(DESK.root).forget, token)


def _beside(work: Callable[..., None], *given: object) -> None:
    """Lets files be deleted while pages go on: there may be many. The next server deletes what this one leaves."""
    threading.Thread(target=work, args=given, name="deleting uploads", daemon=True).start()


WORKSPACES.gone = _gone


def permitted(ref: str, workspace: Workspace) -> str:
    """`ref` without surrounding space, if a browser may name it here.

    Raises:
        ExplorerError: it names a path that this server does not open to browsers.
    """
    return opener(workspace)(ref)


def open_to_all(ref: str) -> str:
    """`ref` without surrounding space, if every browser may name it here, not just the one whose upload or run it is.

    Raises:
        ExplorerError: it names a path that this server does not open to all.
    """
    return check_ref(ref.strip(), allowed_roots(st.get_option("server.address"), os.environ.get("EXPLORER_ROOTS")))


def alone() -> bool:
    """Whether this server is for its own machine, so that what lies on it is the person's who is looking."""
    return allowed_roots(st.get_option("server.address"), os.environ.get("EXPLORER_ROOTS")) is None


def opener(workspace: Workspace) -> Callable[[str], str]:
    """`permitted` for many refs at once: the folders that are open are found once."""
    roots = allowed_roots(st.get_option("server.address"), os.environ.get("EXPLORER_ROOTS"))
    if roots is not None:
        own = (uploads(workspace), *(Path(job.directory) for job in DESK.jobs(workspace.token)))
        roots += [folder.resolve() for folder in own]
    return lambda ref: check_ref(ref.strip(), roots)
