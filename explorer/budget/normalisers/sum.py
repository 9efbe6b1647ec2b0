"""Scores as shares of their group."""

import numpy as np

from explorer.budget.normalising import normaliser, over


@normaliser(
    "sum", title="Sum", explanation="A unit's share of its group: units of wide groups count for less.", rank=20
)
def total(scores: np.ndarray) -> np.ndarray:
    return over(scores, np.abs(scores).sum())
