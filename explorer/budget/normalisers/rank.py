"""Places in the order of scores."""

import numpy as np

from explorer.budget.normalising import normaliser


@normaliser(
    "rank",
    title="Rank",
    explanation="The share of the group's units that score no higher: only the order in a group is left.",
    rank=35,
)
def rank(scores: np.ndarray) -> np.ndarray:
    return np.searchsorted(np.sort(scores), scores, side="right") / len(scores)
