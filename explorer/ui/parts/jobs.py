"""Slow work as the pages show it: start, watch, cancel."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from explorer.errors import ExplorerError
from explorer.plain import plain
from explorer.runs.history.learning import training_left
from explorer.runs.history.trajectory import seconds_left, trajectory
from explorer.runs.labels import label_of
from explorer.runs.queue.desk import DESK
from explorer.runs.queue.job import Job
from explorer.ui.parts import say
from explorer.ui.state import classes, session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

Request = Any  # what Desk.submit takes
PRUNE = "prune"  # the kind of job whose results are networks
TRAIN = "train"  # the key of such a job that only trains
CALM = 4  # pieces of work that may wait while pages look as often as they like
SLOWEST = 4.0  # seconds between two looks where many wait
# Keys of the session: the job whose network Take shows, the run whose settings Recover takes over.
TAKE, BRANCH = "take", "branch"


def find(workspace: Workspace, kind: str) -> Job | None:
    """The workspace's latest job of a kind, if the desk still knows it."""
    id = workspace.jobs.get(kind)
    if id is None:
        return None
    try:
        return DESK.job(id)
    except ExplorerError:
        return None


def result(workspace: Workspace, kind: str) -> dict[str, Any] | None:
    """What the workspace's latest job of a kind has found; None as long as it has not ended well."""
    job = find(workspace, kind)
    return job.result if job and job.state == "done" else None


def of_runs(workspace: Workspace) -> list[Job]:
    """The workspace's runs, whose results are networks, newest first; those that have ended in brief."""
    return [job for job in DESK.jobs(workspace.token) if job.kind == PRUNE]


def whole(job: Job) -> Job | None:
    """All of a job that is known in brief; None where it has been deleted, or can't be read any more."""
    try:
        return DESK.job(job.id)
    except ExplorerError:
        return None


def name_of(job: Job) -> str:
    """What a run is called: the name that was given to it, or by a person."""
    return label_of(job.bundle, job.id).name


def evaluation(workspace: Workspace) -> str:
    """The key of the job that measures the workspace's network on its data."""
    return f"evaluate {workspace.model} {workspace.data}"


def start(workspace: Workspace, kind: str, request: Request, title: str) -> None:
    """Submits a job; the sentence is shown where the desk, or a class, refuses it. For use as a button's callback."""
    try:
        with classes.admitted(DESK, workspace.token, request) as seconds:
            whose = {"owner": workspace.token, "address": session.address()}
            id = DESK.submit(request, title=title, key=kind, seconds=seconds, **whose)
        workspace.remember(kind, id)
    except ExplorerError as error:
        st.session_state[f"refused-{kind}"] = str(error)


def refused(kind: str) -> str:
    """Why the last order to a job of this kind was refused, told once; empty where it was not."""
    return st.session_state.pop(f"refused-{kind}", "")


def refusal(kind: str) -> None:
    """Shows why the last order to a job of this kind was refused, once."""
    if sentence := refused(kind):
        say.error(sentence, icon=":material/block:")


def cancel(job: Job) -> None:
    _tell(job, DESK.cancel)


def resume(job: Job) -> None:
    """Goes on after the job's last finished step."""

    def again(id: str) -> None:
        with classes.admitted(DESK, job.owner, job.request):
            DESK.resume(id)

    _tell(job, again)


def _tell(job: Job, order: Callable[[str], None]) -> None:
    try:
        order(job.id)
    except ExplorerError as error:
        st.session_state[f"refused-{job.key or job.kind}"] = str(error)


def under_way(workspace: Workspace, kind: str) -> bool:
    """Whether the workspace's latest job of a kind waits or runs, which is shown; else how it ended, if not well."""
    refusal(kind)
    job = find(workspace, kind)
    if job is None:
        return False
    if job.final:
        outcome(job)
    else:
        watch(job)
    return not job.final


def pace(seconds: float) -> float:
    """Seconds between two looks at work: fewer looks the more people wait, as looking takes time from their answers."""
    return min(max(seconds, SLOWEST), seconds * max(1.0, DESK.crowd() / CALM))


def watch(job: Job, more: Callable[[Job], None] | None = None) -> None:
    """Shows a job that waits or runs, once a second or as `pace` says.

    The page runs again when it ends, or a step of it has ended.
    """
    active, steps = not job.final, len(job.points)

    def panel() -> None:
        try:
            now = DESK.job(job.id)
        except ExplorerError:  # deleted, or damaged: the page says what there is
            st.rerun(scope="app")
        if (now.final and active) or len(now.points) != steps:
            st.rerun(scope="app")
        _running(now)
        if more:
            more(now)

    st.fragment(panel, run_every=pace(1.0) if active else None)()


def _running(job: Job) -> None:
    with st.container(border=True):
        st.progress(job.fraction, text=plain(_line(job)))
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Cancel",
                icon=":material/close:",
                key=f"cancel-{job.id}",
                on_click=cancel,
                args=(job,),
                disabled=job.stopping,
            )
            say.caption(f"{name_of(job)}: {job.title} on {job.device}. It goes on when you leave or reload this page.")
    for sentence in job.warnings:
        say.caption(words.sentence(sentence))


def _line(job: Job) -> str:
    if job.state == "queued":
        if job.seconds is not None:
            return f"Waiting: it starts within {words.bound(DESK.longest_wait(job.id))}"
        ahead = DESK.position(job.id)
        if not ahead:
            return "Starting a worker"
        return f"Waiting: {ahead} {'run' if ahead == 1 else 'runs'} ahead of yours on {job.device}"
    if job.stopping:
        return "Stopping within one batch"
    said = job.message[:1].upper() + job.message[1:]
    left = _left(job)
    return f"{said} · {left}" if left else said


def _left(job: Job) -> str:
    """How long a run takes yet, by its own pace: the one estimate while it goes; empty before it has a pace."""
    if job.points:
        left = seconds_left(job, trajectory(job)[1])
        return "" if left is None else f"about {words.duration(left)} left"
    left = training_left(job)
    return "" if left is None else f"about {words.duration(left)} of training left, at most"


def queue(workspace: Workspace) -> None:
    """What long work the server's devices do for everybody; nothing where they are free."""
    others = [place for place in DESK.queue(workspace.token) if not place.own and not place.short]
    if others:
        waiting = sum(place.position > 0 for place in others)
        going = len(others) - waiting
        said = ", ".join(f"{count} {what}" for count, what in ((going, "running"), (waiting, "waiting")) if count)
        say.caption(f"Other people's runs on this server: {said}. People take turns.")


def outcome(job: Job) -> None:
    """Says how a job ended when it did not end well, and offers to go on where something of it is kept."""
    steps = len(job.finished_steps)
    kept = f"{steps} finished {'step is' if steps == 1 else 'steps are'} kept" if steps else "nothing of it is kept"
    if job.state == "failed":
        say.error(f"The run failed: {job.error}", icon=":material/error:")
    elif job.state == "cancelled":
        say.warning(f"The run was cancelled; {kept}.", icon=":material/cancel:")
    if job.resumable:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button(
                "Resume", icon=":material/resume:", key=f"resume-{job.id}", type="primary", on_click=resume, args=(job,)
            )
            st.caption("It goes on after the last finished step and ends as it would have without the break.")
