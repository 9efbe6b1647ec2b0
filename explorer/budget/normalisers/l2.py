"""Scores over their Euclidean norm."""

import numpy as np

from explorer.budget.normalising import normaliser, over


@normaliser("l2", title="L2 norm", explanation="Divided by the Euclidean norm of the group's scores.", rank=30)
def euclidean(scores: np.ndarray) -> np.ndarray:
    return over(scores, float(np.linalg.norm(scores)))
