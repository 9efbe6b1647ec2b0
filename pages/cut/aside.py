"""Beside the board: what the network answers as cut, who pays for it, and the points tried."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from explorer.evaluation import favourite, who_pays
from explorer.methods.tools.portions import portion_places
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.charts import quality
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import findings, words
from pages.cut.trail import trail

SHOWN = 8
PAYERS = 6


def aside(workspace: Workspace, task: Task, whole: engine.Simulated, now: engine.Simulated) -> None:
    """All of it, from what the whole network and the one as cut reach on the validation slice."""
    if whole.answers is None or now.answers is None:
        say.caption("Who pays is shown for tasks that answer with a class.")
    else:
        _answers(workspace, task, whole.answers, now.answers, whole.quality.labels)
        _payers(task, whole.answers, now.answers, whole.quality.labels)
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
    if len(task.input_shape) != 3:
        return
    wrong = after != labels
    lost = np.flatnonzero(wrong & (before == labels))
    others = np.flatnonzero(~wrong)
    picked = np.concatenate([lost[: SHOWN // 2], others[: SHOWN - len(lost[: SHOWN // 2])]])
    right = int((~wrong).sum())
    st.markdown(f"**It answers {right:d} of {len(after):d} right now**")
    places = portion_places(len(task.validation), engine.opened(workspace.model).structure.cost().macs)
    _pictures(task, places, after, labels, picked)


def _pictures(task: Task, places: Sequence[int], after: np.ndarray, labels: np.ndarray, samples: np.ndarray) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        for index in samples.tolist():
            label, answer = task.classes[labels[index]], task.classes[after[index]]
            with st.container(width=76, gap=None):
                st.image(task.show(places[index], "validation"), width=68, alt=f"A {label}, answered as {answer}")
                say.caption(answer if label == answer else f"{label} → {answer}")


def _payers(task: Task, before: np.ndarray, after: np.ndarray, labels: np.ndarray) -> None:
    """What single classes lose of their right answers; the finding is the title."""
    found = who_pays(before, after, labels, len(task.classes))
    title = findings.of_payers(found, task.classes, favourite(after), favourite(before))
    points = 100 * found.change
    table = pd.DataFrame({"class": task.classes, "change": points})[~np.isnan(points)]
    if len(found.flipped):
        frame.chart(title, quality.classes(table, limit=PAYERS), "Change of right answers by class, as cut")
    else:
        st.markdown("**Who pays**")
    flipped, lost, samples = len(found.flipped), len(found.lost), words.samples(task)
    say.caption(
        f"{flipped} of {len(after)} {samples} get another answer, {lost} of them were right."
        if flipped
        else f"Nobody yet: no answer on {len(after)} validation {samples} changes."
    )
