"""Beside the board: what the network answers as cut, who pays for it, and the points tried."""

import numpy as np
import pandas as pd
import streamlit as st

from explorer.evaluation import favourite, who_pays
from explorer.methods.tools.portions import portion_places
from explorer.tasks import Task, answered_classes
from explorer.ui import engine
from explorer.ui.charts import quality
from explorer.ui.parts import answers, frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, words
from pages.cut.trail import trail

SHOWN = 8
PICTURE = 72  # pixels
CLASSES = 6  # in the picture


def aside(workspace: Workspace, task: Task, whole: engine.Simulated, now: engine.Simulated) -> None:
    """All of it, from what the whole network and the one as cut reach on the validation slice."""
    if whole.answers is None or now.answers is None:
        say.caption("Who pays is shown for tasks that answer with a class.")
    else:
        _answers(workspace, task, whole.answers, now.answers, whole.quality.labels)
        _class_loss(task, whole.answers, now.answers, whole.quality.labels)
    trail(workspace, task)


def waiting(task: Task | None) -> None:
    """The place as long as there is nothing to show in it."""
    measured = task is not None and task.measured
    say.caption(
        "What the network answers, who pays for the cut, and the points tried appear here once accuracy is measured."
        if measured
        else "This data has no meaningful labels, so what the network answers can't be judged."
    )


def _answers(workspace: Workspace, task: Task, before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> None:
    """A few samples with the answers now: those that were right before and are wrong now first."""
    wrong = after != labels
    lost, right = np.flatnonzero(wrong & (before == labels))[: SHOWN // 2], np.flatnonzero(~wrong)
    picked = [*lost, *right[: SHOWN - len(lost)]]
    places = portion_places(len(task.validation), engine.opened(workspace.model).structure.cost().macs)
    found = answered_classes(task, [places[index] for index in picked], after[picked].tolist())
    title = f"It answers {len(right)} of {len(after)} right now"
    answers.show(task, found, width=PICTURE, title=title)


def _class_loss(task: Task, before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> None:
    """What single classes lose of their right answers; the finding is the title."""
    found = who_pays(before, after, labels, len(task.classes))
    title = findings.of_class_loss(found, task.classes, favourite(after), favourite(before))
    points = 100 * found.change
    table = pd.DataFrame({"class": task.classes, "change": points})[~np.isnan(points)]
    if len(found.flipped):
        frame.chart(title, quality.classes(table, limit=CLASSES), "Change of right answers by class, as cut")
    else:
        st.markdown("**Who pays**")
    flipped, lost, samples = len(found.flipped), len(found.lost), words.samples(task)
    say.caption(
        f"{flipped} of {len(after)} {samples} get another answer, {lost} of them were right."
        if flipped
        else f"Nobody yet: no answer on {len(after)} validation {samples} changes."
    )
