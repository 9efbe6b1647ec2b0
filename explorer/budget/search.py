"""Finding the removal counts whose true cost is nearest to a goal, with few evaluations of the cost."""

from collections.abc import Callable, Sequence
from math import gcd

import numpy as np

Cost = Callable[[np.ndarray], float]  # units removed from every group → cost of what is left
ROUNDS, MANY_ROUNDS = 4, 40
PAIRS, MANY_PAIRS = 8, 64  # evaluated in a round; wide steps bend the cost more, so that more have to be tried
BINS = 1000  # in which a knapsack tells savings apart


def nearest_prefix(owners: np.ndarray, groups: int, cost: Cost, goal: float) -> np.ndarray:
    """How many units each group loses when units leave in the order `owners` until the cost is nearest to `goal`.

    Where removing a unit never raises the cost, bisection takes log₂(units) evaluations, and the result moves
    monotonically with the goal. Of a cost that sometimes rises, as latency does, some place is found where it passes
    the goal.

    Args:
        owners: the index of each unit's group, (units,).
        groups: how many there are.
        cost: of what is left.
        goal: for the cost.

    Returns:
        units that each group loses, (groups,).
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


def refine(
    removed: np.ndarray,
    most: np.ndarray,
    cost: Cost,
    goal: float,
    tolerance: float,
    *,
    step: np.ndarray | None = None,
    full: np.ndarray | None = None,
) -> np.ndarray:
    """`removed` with a few single units moved, so that the cost comes within ``tolerance · goal`` of the goal.

    Each round changes at most two groups by one unit: it evaluates every single change and the most promising
    pairs. It ends when near enough, or when no change brings the cost nearer.

    Args:
        removed: units that each group loses, (groups,).
        most: that each may lose, (groups,).
        cost: of what is left.
        goal: for the cost.
        tolerance: how far from the goal is near enough, relative to it.
        step: of every group, what the number of units that stay must be a multiple of, where any leave; `removed`
            must be so, and a change is by as much.
        full: units of every group, with `step`.
    """
    rounds = ROUNDS if step is None else MANY_ROUNDS
    for _ in range(rounds):
        value = cost(removed)
        if abs(value - goal) <= tolerance * goal:
            break
        if step is None or full is None:
            singles = _single_changes(removed, most)
        else:
            singles = _stepped_changes(removed, most, step, full)
        if not singles:
            break
        changes = np.array([cost(removed + change) - value for change in singles])
        pairs = PAIRS if step is None else MANY_PAIRS
        candidates = [*singles, *_promising_pairs(singles, changes, goal - value, pairs)]
        errors = [abs(cost(removed + change) - goal) for change in candidates]
        if min(errors) >= abs(value - goal):
            break
        removed = removed + candidates[int(np.argmin(errors))]
    return removed


def rounded(removed: np.ndarray, most: np.ndarray, step: np.ndarray, full: np.ndarray) -> np.ndarray:
    """`removed` with the number of units that stay at the nearest multiple of `step`, or whole."""
    nearest = []
    for count, limit, size, units in zip(removed, most, step, full, strict=True):
        allowed = levels(limit, size, units)
        nearest.append(allowed[int(np.argmin(np.abs(allowed - count)))])
    return np.array(nearest, dtype=int)


def unit_step(multiple: int, unit: int) -> int:
    """What the number of units of `unit` channels must be a multiple of, so that the channels are one of `multiple`."""
    return multiple // gcd(multiple, unit)


def levels(most: int, step: int, units: int) -> np.ndarray:
    """How many units a group may lose so that a multiple of `step` stays, or all do; ascending."""
    counts = np.arange(1, most + 1)
    return np.concatenate([[0], counts[(units - counts) % step == 0]])


def cheapest_choices(losses: Sequence[np.ndarray], savings: Sequence[np.ndarray], load: Cost) -> np.ndarray:
    """The counts that give up the least for what they save, at the saving for which `load` comes down to 1.

    A multiple-choice knapsack: group g loses 0 … n units, which costs ``losses[g][n]`` (non-decreasing) and saves
    ``savings[g][n]``. Savings are told apart to 1/1000 of what can be saved. Counts that save no more than a smaller
    one are never taken, so a curve of savings may fall. Shape (groups,).
    """
    scale = sum(float(saving.max(initial=0.0)) for saving in savings)
    if scale <= 0:
        return np.zeros(len(losses), dtype=int)
    best = np.concatenate([[0.0], np.full(BINS, np.inf)])  # the least loss that saves at least so much
    taken = np.zeros((len(losses), BINS + 1), dtype=int)
    worth = []
    for group, (loss, saving) in enumerate(zip(losses, savings, strict=True)):
        bins = np.round(saving / scale * BINS).astype(int)
        worth.append(bins)
        before, best = best, best.copy()
        for count in np.flatnonzero(bins > np.maximum.accumulate(np.concatenate([[0], bins]))[:-1]):
            gain = bins[count]
            with_it = loss[count] + np.concatenate([np.full(gain, before[0]), before[: BINS + 1 - gain]])
            better = with_it < best
            best[better], taken[group, better] = with_it[better], count

    def counts(saved: int) -> np.ndarray:
        chosen = np.zeros(len(losses), dtype=int)
        for group in reversed(range(len(losses))):
            chosen[group] = taken[group, saved]
            saved = max(0, saved - worth[group][chosen[group]])
        return chosen

    low, high = 0, int(np.flatnonzero(np.isfinite(best))[-1])
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if load(counts(middle)) > 1 else (low, middle)
    return counts(high)


def _single_changes(removed: np.ndarray, most: np.ndarray) -> list[np.ndarray]:
    """One unit more or less in each group, where it may."""
    steps = np.eye(len(removed), dtype=int)
    return [*steps[removed < most], *-steps[removed > 0]]


def _stepped_changes(removed: np.ndarray, most: np.ndarray, step: np.ndarray, full: np.ndarray) -> list[np.ndarray]:
    """The next allowed number of units more or less in each group, where it may."""
    changes, ones = [], np.eye(len(removed), dtype=int)
    for group, count in enumerate(removed):
        allowed = levels(most[group], step[group], full[group])
        near = [*allowed[allowed > count][:1], *allowed[allowed < count][-1:]]
        changes += [ones[group] * (level - count) for level in near]
    return changes


def _promising_pairs(singles: list[np.ndarray], changes: np.ndarray, wanted: float, most: int) -> list[np.ndarray]:
    """The pairs of changes in different groups that together come nearest to the wanted change of cost."""
    first, second = np.triu_indices(len(singles), 1)
    nearest = np.argsort(np.abs(changes[first] + changes[second] - wanted), kind="stable")[: 2 * most]
    pairs = [singles[a] + singles[b] for a, b in zip(first[nearest], second[nearest], strict=True)]
    return [pair for pair in pairs if np.count_nonzero(pair) == 2][:most]
