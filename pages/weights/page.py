"""Weights: single weights as they become zero, and as some of them come back."""

import time
from pathlib import Path

import streamlit as st

from explorer.errors import ExplorerError
from explorer.runs.queue.job import Job
from explorer.ui.parts import compared, frame, jobs, say
from explorer.ui.state import session
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words
from pages.weights import of_model, of_run, reading

MODEL = "The open model, without a run"


def choose(workspace: Workspace) -> tuple[Path | None, Job | None]:
    """The folder of the run that a person chose, if any, and its job where it has not ended well."""
    going = {title(job): job for job in compared.sparse_under_way(workspace)}
    done = {entry.name: entry.record.folder for entry in compared.finished(workspace)[0] if entry.run.sparse}
    names = [*going, *done, MODEL]
    newest, seen = names[0], "newest run of weights"
    if st.session_state.get(seen) != newest:
        st.session_state[seen] = st.session_state["run of weights"] = newest
    name = st.selectbox("What to look at", names, key="run of weights")
    job = going.get(name)
    return done.get(name) or (Path(job.directory) if job else None), job


def title(job: Job) -> str:
    return f"{job.title} · begun {time.strftime('%d %b %H:%M:%S', time.localtime(job.created))}"


def show_job(job: Job) -> None:
    """How a run goes, or how it ended."""
    if job.final:
        jobs.outcome(job)
    else:
        jobs.watch(job)


def show_run(workspace: Workspace, folder: Path, *, going: bool) -> None:
    """The run in a folder, as far as it has come."""
    try:
        run = reading.opened(folder)
    except ExplorerError as error:
        say.caption("The first step appears here once it has ended." if going else words.sentence(str(error)))
    else:
        of_run.show(workspace, run)


workspace = session.current()
frame.heading("Weights", "Single weights as they become zero, and as some of them come back.", workspace)
opened = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, opened)
folder, job = choose(workspace)
if job is not None:
    show_job(job)
if folder is not None:
    show_run(workspace, folder, going=job is not None and not job.final)
else:
    st.caption(
        "What magnitude pruning would take from the open model. A run below does it step by step, trains what is left, "
        "and then shows here how weights leave and come back."
    )
    of_model.show(workspace, reading.margins_of(workspace.model), task)
