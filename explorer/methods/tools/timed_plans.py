"""Which plans are timed: every group at a few widths, and random plans of all groups."""

from math import ceil

import numpy as np

from explorer.budget.allocation import MINIMUM, most_removable
from explorer.budget.latency_table import ALIGNMENT, aligned
from explorer.budget.search import unit_step
from explorer.structure import Structure

SHARES = (0.25, 0.5, 0.75)  # of a group that are kept, beside the least and one unit less than all
FITS, CHECKS = 8, 6  # plans


def together(structure: Structure, minimum: float = MINIMUM, checks: int = CHECKS) -> dict[str, list[dict[str, int]]]:
    """What is timed together, by name: the widths of each group, then each plan to fit and to check."""
    jobs = {name: [{name: n} for n in widths(structure, name, minimum)] for name in structure.groups}
    for what, count in (("fit", FITS), ("check", checks)):
        jobs |= {f"{what} {i}": [plan] for i, plan in enumerate(_random_plans(structure, minimum, count, what))}
    return jobs


def widths(structure: Structure, name: str, minimum: float = MINIMUM) -> list[int]:
    """The units kept at which a group is timed, ascending, without all: multiples of eight channels and others."""
    units, unit = structure.full[name], structure.groups[name].unit
    least = units - most_removable(structure, name, minimum)
    step = unit_step(ALIGNMENT, unit)
    wanted = {least, units - 1, step * ceil(least / step)}
    for share in SHARES:
        near = round(share * units / step) * step
        wanted |= {near, near - 1 if aligned(near * unit) else near}
    return sorted(count for count in wanted if least <= count < units)


def _random_plans(structure: Structure, minimum: float, count: int, what: str) -> list[dict[str, int]]:
    """Random widths for all groups at once, around a share that goes from nearly all to nearly the least.

    Every other plan has multiples of eight channels where there are any.
    """
    draw = np.random.default_rng(len(what))
    plans = []
    for number, depth in enumerate((np.arange(count) + 0.5) / max(count, 1)):
        plan = {}
        for name, units in structure.full.items():
            most = most_removable(structure, name, minimum)
            kept = units - round(most * float(np.clip(depth + draw.uniform(-0.3, 0.3), 0, 1)))
            step = unit_step(ALIGNMENT, structure.groups[name].unit)
            near = round(kept / step) * step
            plan[name] = near if number % 2 and units - most <= near <= units else kept
        plans.append(plan)
    return plans
