"""The knapsack whose weight is the measured latency."""

import numpy as np

from explorer.budget.allocating import Case, allocator, needed
from explorer.budget.allocators.knapsack import packed


@allocator(
    "halp",
    title="Latency per score",
    explanation="The knapsack with the measured latency as weight, whatever the target: units leave where they save "
    "the most time on this device for the score they have, so widths settle on the stairs of its latency.",
    reference="Shen et al. (HALP), NeurIPS 2022",
    needs=("latency", "target"),
    rank=45,
)
def halp(case: Case) -> np.ndarray:
    return packed(case, needed(case.limits, "limits").latency)
