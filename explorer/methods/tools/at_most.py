"""A target that is an upper bound: allocation comes as near to a target as it can, from either side."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_TRIES = 8
_FAINT = 1e-9  # of a fraction: rounding


def at_most(target: float, share_out: Callable[[float], tuple[T, float]]) -> T:
    """What sharing out gives for the largest target that leaves at most the asked one, of those that are tried.

    Args:
        target: the fraction to keep.
        share_out: gives what it found for a target, and the fraction that this really keeps.

    Returns:
        What it found; where no lower target helps, as where groups keep a minimum, that which keeps least.
    """
    found, kept = share_out(target)
    least, excess = (kept, found), kept - target
    for _ in range(_TRIES):
        if excess <= _FAINT or kept <= target + _FAINT:
            break
        found, kept = share_out(max(target - excess, target / 2))
        least = min(least, (kept, found), key=lambda pair: pair[0])
        excess *= 2  # what is asked for less changes nothing until it is less by a unit
    return found if kept <= target + _FAINT else least[1]
