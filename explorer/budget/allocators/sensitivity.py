"""Units leave where the measured loss is least for what they save."""

from collections.abc import Callable

import numpy as np

from explorer.budget.allocating import Case, Times, allocator, departures, needed
from explorer.budget.search import nearest_prefix

ROUNDS = 4  # in which prices are taken anew at the widths that the last ones led to


@allocator(
    "sensitivity",
    title="Measured sensitivity",
    explanation="Units leave where the measured loss of accuracy is least for what they save: each group's curve, "
    "made convex, against its true cost, which is priced anew as its neighbours become narrower.",
    needs=("curves", "target"),
    rank=35,
)
def sensitivity(case: Case) -> np.ndarray:
    """``argmin_n Δ_g(n) + λ·cost_g(n)`` for every group, with the λ that meets the target.

    For convex Δ and a price per unit that is the order of slope over price, which is bisected on the true cost.
    """
    curves = needed(case.curves, "curves")
    slopes = {name: curves.slopes(name, case.structure.full[name]) for name in case.ranked}
    return _settled(case, lambda prices: {n: slopes[n] / price for n, price in zip(case.ranked, prices, strict=True)})


def _settled(case: Case, times: Callable[[np.ndarray], Times]) -> np.ndarray:
    """The units that leave at prices which belong to the widths that they lead to, as near as a few rounds come."""
    limits, removed = needed(case.limits, "limits"), np.zeros_like(case.most)
    prices: np.ndarray | None = None
    for _ in range(ROUNDS):
        here = limits.prices(removed, case.most)
        prices = here if prices is None else (prices + here) / 2  # else two groups take turns in being cheap
        removed = nearest_prefix(departures(times(prices), case), len(case.most), limits.load, 1.0)
    return removed
