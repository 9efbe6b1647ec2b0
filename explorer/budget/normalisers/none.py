"""Scores as they are."""

import numpy as np

from explorer.budget.normalising import normaliser


@normaliser(
    "none",
    title="None",
    explanation="Scores as they are: layers with larger numbers lose less, whatever the reason.",
    rank=10,
)
def none(scores: np.ndarray) -> np.ndarray:
    return scores
