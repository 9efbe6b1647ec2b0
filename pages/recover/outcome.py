"""What came of the latest run: in a sentence, in numbers, and where to go with it."""

import streamlit as st

from explorer.methods import METHODS
from explorer.plain import plain
from explorer.runs.queue.job import Job
from explorer.tasks import metric_of
from explorer.ui.charts.quality import qualities
from explorer.ui.navigation import path_to
from explorer.ui.parts import frame, jobs, learning, say, standing
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, tables, terms, words
from pages.recover import trajectory


def show(workspace: Workspace) -> None:
    """The latest run that has ended, or why it has not ended well; nothing where there was none."""
    job = _latest(workspace)
    if job is None:
        return
    if job.state == "done":
        _result(workspace, job)
    else:
        jobs.outcome(job)
        if job.points or job.history:
            with st.expander("How far it came", icon=":material/show_chart:"):
                _way(job)


def _latest(workspace: Workspace) -> Job | None:
    """The run that was asked for last, if it has ended; else the newest that has."""
    last = jobs.find(workspace, jobs.PRUNE)
    if last is not None and last.final:
        return last
    ended = [job for job in jobs.of_runs(workspace) if job.final and job.key == jobs.PRUNE]
    return jobs.whole(ended[0]) if ended else None


def _result(workspace: Workspace, job: Job) -> None:
    ended = standing.ended(job.result)
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.subheader(plain(jobs.name_of(job)), anchor=False)
            _ways_on(job, trusted=ended.guess is None)
        spec = job.request["spec"]
        open_now = (spec["model"], spec["data"]) == (workspace.model, workspace.data)
        say.caption(f"{job.title} on {spec['data']}{'' if open_now else ', which is not open now'}")
        found = findings.of_run(job.result, ended.samples)
        if ended.guess is None:
            say.success(found, icon=":material/check_circle:")
        else:
            say.warning(f"{found} {ended.guess}", icon=":material/warning:")
        for sentence in dict.fromkeys([*job.result.get("warnings", ()), *job.warnings]):
            say.caption(words.sentence(sentence))
        with st.expander("Before and after, and the way there", icon=":material/table_rows:"):
            _numbers(job)
            _way(job)


def _ways_on(job: Job, *, trusted: bool) -> None:
    """To its files, and to a comparison with other runs."""
    with st.container(horizontal=True, horizontal_alignment="right", width="content"):
        taken = st.button(
            "Take it",
            type="primary" if trusted else "secondary",
            icon=":material/download:",
            help=plain(terms.told("bundle")),
        )
        if taken:
            st.session_state[jobs.TAKE] = job.id
            st.switch_page(path_to("take"))
        if st.button("Compare", icon=":material/compare_arrows:", help="Beside other runs and simple baselines"):
            st.switch_page(path_to("runs"))


def _numbers(job: Job) -> None:
    """What the run measured, against the base model."""
    table = tables.qualities(job.result)
    if table is not None:
        metric = metric_of(job.result["base"])
        picture = qualities(table, metric)
        frame.chart(findings.of_qualities(table, metric), picture, f"{metric.label} of every model")
    st.table(tables.comparison(job.result).map(plain))
    st.caption(
        "**As cut** is the network right after its channels left; low numbers here are normal. **After recovery** is "
        "what you take with you. Accuracy is measured on test data that nothing was chosen or trained on."
    )


def _way(job: Job) -> None:
    """How a run came to its end."""
    learning.curve(job)
    if METHODS[job.request["spec"]["method"]].gradual:
        trajectory.show(job)
