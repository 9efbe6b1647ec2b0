"""Scores over their mean size."""

import numpy as np

from explorer.budget.normalising import normaliser, over


@normaliser(
    "mean", title="Mean", explanation="Divided by the mean size of the group's scores: 1 is an average unit.", rank=15
)
def mean(scores: np.ndarray) -> np.ndarray:
    return over(scores, np.abs(scores).mean())
