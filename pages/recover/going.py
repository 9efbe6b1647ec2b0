"""The runs of this workspace that go or wait: the first with its progress and its curves, the others in a line each."""

import streamlit as st

from explorer.methods import METHODS
from explorer.runs.queue.job import Job
from explorer.ui.parts import jobs, learning, say
from explorer.ui.state.workspace import Workspace
from pages.recover import trajectory


def show(workspace: Workspace) -> None:
    """Nothing where no run goes."""
    waiting = sorted((job for job in jobs.of_runs(workspace) if not job.final), key=_order)
    if not waiting:
        return
    first, *others = waiting
    jobs.watch(first, learning.curve)
    if METHODS[first.request["spec"]["method"]].gradual:
        # Outside of what is drawn once a second: the page runs for every step.
        trajectory.show(first)
    for job in others:
        with st.container(horizontal=True, vertical_alignment="center"):
            say.caption(f"Waits: {jobs.name_of(job)}", width="content")
            st.button("Cancel", icon=":material/close:", key=f"cancel-{job.id}", on_click=jobs.cancel, args=(job,))


def _order(job: Job) -> tuple[bool, float]:
    """Those that go before those that wait, in the order in which they were asked for."""
    return job.state != "running", job.created
