"""Answers that a cut changes, and those of them that were right before."""

import numpy as np

from explorer.errors import ExplorerError
from explorer.learning.lessons.measuring import About, Measured, measure


def answers_of(about: About) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The classes answered before and after, and the true ones, each of shape (samples,).

    Raises:
        ExplorerError: the task has no classes.
    """
    before = about.bench.judge(about.model, about.data, about.planned(about.measure.against), "none")
    after = about.bench.judge(about.model, about.data, about.plan, about.measure.recovery)
    if before.answers is None or before.labels is None or after.answers is None:
        raise ExplorerError(f"{about.data} has no classes to compare: measure the metric instead")
    return before.answers, after.answers, before.labels


@measure(
    "turned",
    title="Answers that turn",
    explanation="How many of the samples get another answer than before.",
    rank=20,
)
def turned(about: About) -> Measured:
    before, after, _ = answers_of(about)
    return about.measured(np.count_nonzero(before != after), "answers", about=f"of {len(before)} validation samples")


@measure(
    "lost",
    title="Right answers lost",
    explanation="How many of the samples were answered right before and are answered wrong now.",
    rank=30,
)
def lost(about: About) -> Measured:
    before, after, labels = answers_of(about)
    gone = np.count_nonzero((before == labels) & (after != labels))
    return about.measured(gone, "answers", about=f"of {len(before)} validation samples")
