"""The share of the loss by class: the classes that lose right answers, and the samples whose answer flips."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from explorer.evaluation import who_pays
from explorer.methods.tools.portions import portion_places
from explorer.tasks import Task
from explorer.ui import engine
from explorer.ui.charts import quality
from explorer.ui.parts import frame, say
from explorer.ui.state.workspace import Workspace
from explorer.ui.text import words

SHOWN = 8


def loss_by_class(workspace: Workspace, task: Task, whole: engine.Simulated, now: engine.Simulated) -> None:
    """What the plan takes from single classes and samples of the validation slice, where the task has classes."""
    if whole.answers is None or now.answers is None:
        st.caption("**Who pays** is shown for tasks that answer with a class.")
        return
    found = who_pays(whole.answers, now.answers, whole.quality.labels, len(task.classes))
    if not len(found.flipped):
        st.caption("**Who pays**: nobody yet. The plan changes no answer on the validation slice.")
        return
    points = 100 * found.change
    table = pd.DataFrame({"class": task.classes, "change": points})[~np.isnan(points)]
    samples = words.samples(task)
    if found.worst is None:
        title = f"No class loses, though {len(found.flipped)} of {len(now.answers)} {samples} get another answer"
    else:
        title = f"Class {task.classes[found.worst]} pays most: {points[found.worst]:+.0f} points as cut".replace(
            "-", "−"
        )
    frame.chart(title, quality.classes(table), "Change of right answers by class, as cut")
    flipped, lost = len(found.flipped), len(found.lost)
    say.caption(f"{flipped} of {len(now.answers)} {samples} get another answer, {lost} of them were right.")
    if len(task.input_shape) == 3:
        places = portion_places(len(task.validation), engine.opened(workspace.model).structure.cost().macs)
        _pictures(task, places, whole.answers, now.answers, found.lost if len(found.lost) else found.flipped)


def _pictures(task: Task, places: Sequence[int], before: np.ndarray, after: np.ndarray, samples: np.ndarray) -> None:
    """The first of the samples, whose places in the validation data are given."""
    with st.container(horizontal=True, gap="xsmall"):
        for index in samples[:SHOWN].tolist():
            was, is_now = task.classes[before[index]], task.classes[after[index]]
            with st.container(width=78, gap="xsmall"):
                picture = task.show(places[index], "validation")
                st.image(picture, width=72, alt=f"An image that was taken for {was}, now for {is_now}")
                say.caption(f"{was} → {is_now}")
