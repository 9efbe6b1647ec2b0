"""Of all ways to meet the target, the one that gives up the least score."""

from collections.abc import Callable

import numpy as np

from explorer.budget.allocating import Case, allocator, needed
from explorer.budget.search import cheapest_choices

NEAR = 0.01  # of a limit, that a knapsack may miss it by
ROUNDS = 4  # in which savings are taken anew at the widths that the last ones led to


@allocator(
    "knapsack",
    title="Knapsack",
    explanation="Of all ways to meet the target, the one that gives up the least score: a dynamic programme over how "
    "many units each group loses and what that saves, priced anew as neighbours become narrower. For a latency target "
    "the savings are the measured ones.",
    reference="Aflalo et al., 2020; Shen et al. (HALP), NeurIPS 2022",
    needs=("target",),
    rank=40,
)
def knapsack(case: Case) -> np.ndarray:
    return packed(case, needed(case.limits, "limits").weight)


def packed(case: Case, weight: Callable[[np.ndarray], float]) -> np.ndarray:
    """The knapsack's counts: of a few rounds those that meet the limits and lose the least."""
    limits = needed(case.limits, "limits")
    losses = [np.concatenate([[0.0], np.cumsum(s - min(s.min(initial=0.0), 0.0))]) for s in case.ranked.values()]
    losses = [loss[: n + 1] for loss, n in zip(losses, case.most, strict=True)]

    def lost(removed: np.ndarray) -> float:
        return sum(loss[n] for loss, n in zip(losses, removed, strict=True))

    removed, best = np.zeros_like(case.most), case.most
    for _ in range(ROUNDS):
        savings = [limits.savings(removed, index, n, weight) for index, n in enumerate(case.most)]
        before, removed = removed, cheapest_choices(losses, savings, limits.load)
        best = min(best, removed, key=lambda counts: (limits.load(counts) > 1 + NEAR, lost(counts)))
        if (removed == before).all():
            break
    return best
