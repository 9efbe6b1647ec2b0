"""Finding the removal counts whose true cost is nearest to a goal, with few evaluations of the cost."""

from collections.abc import Callable

import numpy as np

Cost = Callable[[np.ndarray], int]  # units removed from every group → cost of what is left


def nearest_prefix(owners: np.ndarray, groups: int, cost: Cost, goal: float) -> np.ndarray:
    """How many units each group loses when units leave in the order `owners` until the cost is nearest to `goal`.

    `owners` holds the group index of each unit; removing a unit never raises the cost, so that bisection takes
    log₂(units) evaluations. The result moves monotonically with the goal. Shape (groups,).
    """

    def removed(count: int) -> np.ndarray:
        return np.bincount(owners[:count], minlength=groups)

    over, under = 0, len(owners)  # the goal is reached after more than `over` units, and by `under`
    while under - over > 1:
        middle = (over + under) // 2
        if cost(removed(middle)) > goal:
            over = middle
        else:
            under = middle
    return min((removed(over), removed(under)), key=lambda counts: abs(cost(counts) - goal))


def refine(removed: np.ndarray, most: np.ndarray, cost: Cost, goal: float, tolerance: float) -> np.ndarray:
    """`removed` with a few single units moved, so that the cost comes within ``tolerance · goal`` of the goal.

    Each round changes at most two groups by one unit: it evaluates every single change and the eight most promising
    pairs. It ends when near enough, or when no change brings the cost nearer. No group loses more than `most`.
    """
    for _ in range(4):
        value = cost(removed)
        if abs(value - goal) <= tolerance * goal:
            break
        singles = _single_changes(removed, most)
        if not singles:
            break
        changes = np.array([cost(removed + change) - value for change in singles])
        candidates = [*singles, *_promising_pairs(singles, changes, goal - value)]
        errors = [abs(cost(removed + change) - goal) for change in candidates]
        if min(errors) >= abs(value - goal):
            break
        removed = removed + candidates[int(np.argmin(errors))]
    return removed


def _single_changes(removed: np.ndarray, most: np.ndarray) -> list[np.ndarray]:
    """One unit more or less in each group, where it may."""
    steps = np.eye(len(removed), dtype=int)
    return [*steps[removed < most], *-steps[removed > 0]]


def _promising_pairs(singles: list[np.ndarray], changes: np.ndarray, wanted: float) -> list[np.ndarray]:
    """The pairs of changes in different groups that together come nearest to the wanted change of cost."""
    first, second = np.triu_indices(len(singles), 1)
    nearest = np.argsort(np.abs(changes[first] + changes[second] - wanted), kind="stable")[:16]
    pairs = [singles[a] + singles[b] for a, b in zip(first[nearest], second[nearest], strict=True)]
    return [pair for pair in pairs if np.count_nonzero(pair) == 2][:8]
