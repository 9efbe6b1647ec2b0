"""What goals about a cost have in common: a number that must not be above a limit."""

from explorer.learning.missions.facts import Facts
from explorer.learning.missions.goal import Standing


def count(value: float) -> str:
    """A count with three significant digits: ``20 M``, ``0.95 M`` is ``950 k``."""
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.0f} "


def size(value: float) -> str:
    """Bytes in decimal units: ``1.09 MB``."""
    return f"{count(value)}B"


def at_most(cost: str, limit: float, facts: Facts, text: str) -> Standing:
    """How a cost stands to its limit; its way begins at the whole network's."""
    value, whole = getattr(facts, cost), facts.costs.get(cost)
    if value is None:
        return Standing(None)
    share = None if whole is None or whole <= limit else min(1.0, max(0.0, (whole - value) / (whole - limit)))
    return Standing(value <= limit, text, share=share)


def rounded_up(value: float) -> int:
    """The value with two significant digits, or the next number above it that has so many."""
    step = 10 ** max(0, len(str(int(value))) - 2)
    return -(-int(value) // step) * step
