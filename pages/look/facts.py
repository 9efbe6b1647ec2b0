"""What is known of the open network in numbers, its task's metric among them."""

import streamlit as st

from explorer.tasks import METRICS, Task, headline
from explorer.ui import engine
from explorer.ui.engine import Opened
from explorer.ui.parts import frame, jobs, standing
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import terms, words

TELLING = 0.01  # by which balanced accuracy differs before it is worth a word


def show(workspace: Workspace, opened: Opened, task: Task | None) -> None:
    """Size, costs, input and metric; below them the button that measures a large network."""
    cost, shape = opened.structure.cost(), opened.model.input_shape
    with st.grid(5, min_column_width=150):
        frame.fact("Parameters", words.count(cost.params))
        frame.fact("MACs", words.count(cost.macs))
        frame.fact("Size on disk", words.size(opened.size_bytes))
        frame.fact("Input", words.shape(shape), definition=words.input_help(shape))
        _metric(workspace, task)
    if task is not None and task.measured and not engine.test_is_quick(workspace.model, task):
        _offer_measurement(workspace)


def _metric(workspace: Workspace, task: Task | None) -> None:
    """The task's metric on the test data, measured here: at once for small networks, at the desk for large ones."""
    metric = METRICS[task.metric if task is not None else "top1"]
    if task is None or not task.measured:
        about = "This data has no meaningful labels: it serves timing only."
        frame.fact(metric.label, "not measured", definition=about)
        return
    with st.spinner("Measuring…"):
        outcome = standing.measured(workspace, task)
    if outcome is None:
        about = "A large network: measured in the background."
        frame.fact(metric.label, "not measured yet", definition=about)
        return
    found = headline(outcome)
    note = f"{found.samples} test {words.samples(task)}"
    if found.low is not None and found.high is not None:
        note = f"{metric.interval(found.low, found.high)} · {note}"
    if abs((balanced := outcome.get("balanced_accuracy", found.value)) - found.value) >= TELLING:
        note += f" · balanced {balanced:.1%}"
    about = f"{metric.definition} Below it: {terms.told('interval')}"
    frame.fact(metric.label, metric.text(found.value), note, about)


def _offer_measurement(workspace: Workspace) -> None:
    kind = jobs.evaluation(workspace)
    if jobs.under_way(workspace, kind) or jobs.result(workspace, kind) is not None:
        return
    request = {"kind": "evaluate", "spec": {"model": workspace.model, "data": workspace.data}}
    st.button(
        "Measure in the background",
        icon=":material/play_arrow:",
        on_click=jobs.start,
        args=(workspace, kind, request, f"Evaluate {workspace.model}"),
    )
