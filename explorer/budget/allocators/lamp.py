"""A unit counts by its share of what is left of its group."""

import numpy as np

from explorer.budget.allocating import Case, Times, allocator
from explorer.criteria.lamp import lamp_scores


@allocator(
    "lamp",
    title="LAMP",
    explanation="A unit counts by its share of what is left of its group once all lower ones are gone, so that all "
    "groups stand on one scale without a normaliser, and each one's best unit comes last.",
    reference="Lee et al., ICLR 2021",
    rank=25,
)
def lamp(case: Case) -> Times:
    """``s_k² / Σ_{j ≥ k} s_j²`` of scores in ascending order; scores below zero count as zero."""
    times = {}
    for name, scores in case.ranked.items():
        largest = scores.max(initial=0.0)
        squares = np.square(np.maximum(scores, 0.0) / largest) if largest > 0 else np.ones(len(scores))
        times[name] = lamp_scores(squares)
    return times
