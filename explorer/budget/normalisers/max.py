"""Scores over the largest."""

import numpy as np

from explorer.budget.normalising import normaliser, over


@normaliser(
    "max",
    title="Maximum",
    explanation="Divided by the group's largest score: the best unit of every group has 1.",
    rank=25,
)
def largest(scores: np.ndarray) -> np.ndarray:
    return over(scores, np.abs(scores).max())
