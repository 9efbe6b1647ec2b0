"""How much of a network's cost is left after each of several cuts that lead to a target."""

from collections.abc import Callable, Sequence

from explorer.methods.tools.pace import Pace
from explorer.methods.tools.schedule import first_fraction, fraction

Growth = Callable[[float, Sequence[float]], list[float]]
"""Of the share of the cost that is to be left at last, and the cuts' moments, see `cubic`."""


def cubic(goal: float, moments: Sequence[float]) -> list[float]:
    """``goal + (1 − goal)·(1 − x)³`` (Zhu & Gupta 2017, arXiv:1710.01878, equation 1): most leaves early.

    Args:
        goal: the share of the whole cost that is left after the last cut.
        moments: when each cut is, as a share x of the way from `start` to `end`, rising to 1.
    """
    return [goal + (1 - goal) * (1 - x) ** 3 for x in moments]


def linear(goal: float, moments: Sequence[float]) -> list[float]:
    """``goal + (1 − goal)·(1 − x)``: every step removes as much; see `cubic`."""
    return [goal + (1 - goal) * (1 - x) for x in moments]


def ifap(goal: float, moments: Sequence[float]) -> list[float]:
    """Cut t of T removes the share ``ρ₀·(1 + t/T)^1.5`` of what is left, ρ₀ such that the last one meets the goal.

    So it is in the method of this name (IFAP): steps go deeper as they go on. See `cubic`.
    """
    steps = len(moments)
    growth = [fraction(t, steps, 1.0, Pace.growth) for t in range(steps)]
    first, left, shares = first_fraction(goal, growth), 1.0, []
    for times in growth:
        left *= 1 - first * times
        shares.append(left)
    return [*shares[:-1], goal]


GROWTHS: dict[str, Growth] = {"cubic": cubic, "linear": linear, "ifap": ifap}
