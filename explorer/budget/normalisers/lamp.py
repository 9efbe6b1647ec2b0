"""Scores over the sum of those that are no smaller."""

import numpy as np

from explorer.budget.normalising import normaliser
from explorer.criteria.lamp import lamp_scores


@normaliser(
    "lamp",
    title="LAMP",
    explanation="A score over the sum of those that are no smaller: the best unit of every group has 1, and of many "
    "equal ones most look small. Scores below zero are first raised by the lowest.",
    reference="Lee et al. 2021, Layer-adaptive Sparsity for the Magnitude-based Pruning (arXiv:2010.07611)",
    rank=40,
)
def lamp(scores: np.ndarray) -> np.ndarray:
    """``x_u / Σ_{v ≥ u} x_v`` (Lee et al. 2021, arXiv:2010.07611), u in ascending order."""
    return lamp_scores(scores - min(0.0, scores.min()))
