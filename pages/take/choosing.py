"""Which of the workspace's finished runs is taken."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.tasks import metric_of
from explorer.ui.parts import jobs, say, standing
from explorer.ui.state.forms import kept
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, tables

OURS, OTHERS = "This model", "Other models"


@dataclass(frozen=True)
class Line:
    """A finished run, as it is offered.

    Args:
        id: of its job.
        model: the ref that it started from.
        words: its name, what is left, what it reaches, and when it was made.
    """

    id: str
    model: str
    words: str


def choose(workspace: Workspace) -> Job | None:
    """Asks for a run, the newest first, and says what came of it; None where the workspace has none."""
    lines = [line for job in jobs.of_runs(workspace) if job.state == "done" and (line := _line(job))]
    if not lines:
        return None
    asked = st.session_state.pop(jobs.TAKE, None)
    offered = _of_the_model(workspace, lines, asked)
    words = {line.id: line.words for line in offered}
    key = f"taken, {offered[0].id} being the newest"  # a run that ends later is offered at once
    if asked in words:
        st.session_state[key] = asked
    id = st.selectbox("Run", list(words), format_func=words.get, key=kept(key, words), persist_state="session")
    found = jobs.whole(next(job for job in jobs.of_runs(workspace) if job.id == id))
    if found is None:
        st.warning("The run's files are gone: its folder was moved or deleted.", icon=":material/folder_off:")
        st.stop()
    _say(found)
    return found


def _of_the_model(workspace: Workspace, lines: Sequence[Line], asked: str | None) -> list[Line]:
    """The runs of the open model, or those of others, where there are such."""
    groups = {
        OURS: [line for line in lines if line.model == workspace.model],
        OTHERS: [line for line in lines if line.model != workspace.model],
    }
    there = [name for name, group in groups.items() if group]
    if len(there) == 1:
        (only,) = there
        if only == OTHERS:
            say.caption(f"No run of {workspace.model} has finished yet; these are of other models.")
        return groups[only]
    key = kept(f"runs of which model, {workspace.model}", there)
    if asked is not None:
        st.session_state[key] = OURS if asked in {line.id for line in groups[OURS]} else OTHERS
    chosen = st.radio(
        "Runs of",
        there,
        format_func=plain,
        key=key,
        label_visibility="collapsed",
        persist_state="session",
        horizontal=True,
    )
    return groups[chosen]


def _line(job: Job) -> Line | None:
    """A finished run in a line; None where it can't be read any more."""
    found = _found(job, job.directory)
    if found is None:
        return None
    when = time.strftime("%d %b %H:%M", time.localtime(job.created))
    return Line(job.id, job.request["spec"]["model"], f"{jobs.name_of(job)} · {found} · {when}")


@st.cache_data(max_entries=512, show_spinner=False)
def _found(_job: Job, directory: str) -> str | None:
    """What is left of a run's model and what that reaches; its `directory` never holds another run."""
    run = jobs.whole(_job)
    if run is None or run.result is None:
        return None
    base, pruned = run.result["base"], run.result["pruned"]
    left = f"{pruned['macs'] / base['macs']:.1%} of the MACs"
    return f"{left} · {metric_of(pruned).short} {tables.quality(pruned)}"


def _say(job: Job) -> None:
    """What came of the run; one that guesses is no success."""
    ended = standing.ended(job.result)
    found = findings.of_run(job.result, ended.samples)
    if ended.guess is None:
        st.markdown(f"**{plain(job.request['spec']['model'])}**: {plain(found)}")
    else:
        say.warning(f"{found} {ended.guess}", icon=":material/warning:")
