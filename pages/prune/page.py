"""Prune: cut for real, recover, and compare with the base model."""

import streamlit as st

from explorer.criteria import CRITERIA
from explorer.methods import METHODS, Method
from explorer.runs.queue.job import Job
from explorer.tasks import Task, metric_of
from explorer.ui import engine
from explorer.ui.charts.quality import qualities
from explorer.ui.navigation import path_to
from explorer.ui.parts import estimate, frame, jobs
from explorer.ui.parts.scoring import scores_for
from explorer.ui.state import session
from explorer.ui.text import findings, tables, words
from explorer.ui.text.commandline import command
from pages.prune import settings, trajectory

workspace = session.current()
KIND = jobs.PRUNE


def begin(method: Method, task: Task | None) -> None:
    jobs.start(workspace, KIND, settings.spec_of(workspace, method, task), f"{method.title}: {workspace.model}")


def share_of_budget() -> float | None:
    """Says what the board's budget keeps; None, with the way to the board, where there is none or no scores."""
    if not workspace.budget:
        st.info(
            "Nothing is chosen to be removed yet. Set a budget first, for example half of the MACs, or choose a method "
            "that finds the channels itself.",
            icon=":material/tune:",
        )
        st.page_link(path_to("budget"), label="Go to the budget", icon=":material/arrow_forward:")
        return None
    scores = scores_for(workspace)
    if scores is None:
        return None
    structure = found.structure
    kept = engine.plan_of(workspace.model, scores, workspace.budget).kept(structure)
    whole, now = structure.cost(), structure.cost(kept)
    st.markdown(
        f"The budget keeps **{now.macs / whole.macs:.1%}** of the MACs ({words.count(now.macs)}) and "
        f"**{now.params / whole.params:.1%}** of the parameters ({words.count(now.params)}), "
        f"chosen by {CRITERIA[workspace.criterion].title}."
    )
    return now.macs / whole.macs


def start(method: Method, task: Task | None, kept: float | None) -> None:
    """The button, what the run would cost in time, and the same as a command."""
    spec = settings.spec_of(workspace, method, task)
    seconds = estimate.training_seconds(spec, task, kept)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(
            "Prune", type="primary", icon=":material/content_cut:", on_click=begin, args=(method, task), disabled=busy
        )
        with st.popover("The same on the command line", icon=":material/terminal:"):
            st.code(command(spec), language="bash", wrap_lines=True)
        if seconds is not None:
            st.caption(
                f"About {words.duration(seconds)} of training at most, from a forward pass timed here.", width="content"
            )
    jobs.queue(workspace)


def is_gradual(job: Job) -> bool:
    return METHODS[job.request["spec"]["method"]].gradual


def watched(job: Job) -> None:
    """A run as it goes. Charts of steps stand outside of what is drawn once a second: the page runs for every step."""
    jobs.watch(job, None if is_gradual(job) else jobs.learning)
    if is_gradual(job):
        trajectory.show(job)


def progress(job: Job) -> None:
    """How a run came to its end."""
    (trajectory.show if is_gradual(job) else jobs.learning)(job)


def results(job: Job) -> None:
    """What the finished run measured, against the base model."""
    result = job.result
    st.subheader("Before and after", anchor=False)
    compared = tables.qualities(result)
    if compared is not None:
        metric = metric_of(result["base"])
        picture = qualities(compared, metric)
        frame.chart(findings.of_qualities(compared, metric), picture, f"{metric.label} of every model")
    st.table(tables.comparison(result))
    st.caption(
        "**As cut** is the network right after its channels left; low numbers here are normal. **After recovery** is "
        "what you take with you. Accuracy is measured on test data that nothing was chosen or trained on."
    )
    for sentence in dict.fromkeys([*result.get("warnings", ()), *job.warnings]):
        st.warning(words.sentence(sentence), icon=":material/warning:")
    if result.get("steps"):
        st.subheader("The way there", anchor=False)
    progress(job)
    frame.onward("compare", "Was it worth it? Beside other runs and simple baselines")
    frame.onward("export", "Next: take the smaller network with you")


frame.heading("Prune", "Removes channels for good, gives accuracy back, and measures both.", workspace)
found = frame.model_or_stop(workspace)
task = frame.task_or_word(workspace, found)
job = jobs.find(workspace, KIND)
busy = job is not None and not job.final

method = settings.choose_method()
kept = None if method.chooses else share_of_budget()
if method.gradual and not (task and task.measured):
    st.info(
        f"{method.title} decides by accuracy, which this data does not have: choose data with labels, or one shot.",
        icon=":material/image_not_supported:",
    )
elif method.chooses or kept is not None:
    settings.ask(workspace, method, task)
    start(method, task, kept)
jobs.refusal(KIND)
if busy:
    watched(job)
elif job and job.state == "done":
    results(job)
elif job:
    jobs.outcome(job)
    progress(job)
