"""The latest run of the Recover page: as it goes, and what came of it."""

import streamlit as st

from explorer.methods import METHODS
from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.tasks import metric_of
from explorer.ui.charts.quality import qualities
from explorer.ui.parts import frame, jobs, learning, say
from explorer.ui.text import findings, tables, words
from pages.recover import trajectory


def show(job: Job | None) -> None:
    """The latest run: as it goes, as it has ended, or why it has not; nothing where there was none."""
    if job is None:
        return
    if not job.final:
        _watched(job)
    elif job.state == "done":
        _results(job)
    else:
        jobs.outcome(job)
        _progress(job)


def _watched(job: Job) -> None:
    """A run as it goes. Charts of steps stand outside of what is drawn once a second: the page runs for every step."""
    jobs.watch(job, None if _is_gradual(job) else learning.curve)
    if _is_gradual(job):
        trajectory.show(job)


def _results(job: Job) -> None:
    """What the finished run measured, against the base model."""
    result = job.result
    st.subheader("Before and after", anchor=False)
    table = tables.qualities(result)
    if table is not None:
        metric = metric_of(result["base"])
        picture = qualities(table, metric)
        frame.chart(findings.of_qualities(table, metric), picture, f"{metric.label} of every model")
    st.table(tables.comparison(result).map(plain))
    st.caption(
        "**As cut** is the network right after its channels left; low numbers here are normal. **After recovery** is "
        "what you take with you. Accuracy is measured on test data that nothing was chosen or trained on."
    )
    for sentence in dict.fromkeys([*result.get("warnings", ()), *job.warnings]):
        say.warning(words.sentence(sentence), icon=":material/warning:")
    if result.get("steps"):
        st.subheader("The way there", anchor=False)
    _progress(job)
    frame.onward("runs", "Was it worth it? Beside other runs and simple baselines")
    frame.onward("take", "Next: take the smaller network with you")


def _progress(job: Job) -> None:
    """How a run came to its end."""
    (trajectory.show if _is_gradual(job) else learning.curve)(job)


def _is_gradual(job: Job) -> bool:
    return METHODS[job.request["spec"]["method"]].gradual
