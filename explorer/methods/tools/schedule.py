"""How much a gradual method removes in each of its steps, and which units."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from explorer.budget import ALLOCATORS, NORMALISERS
from explorer.budget.allocation import TOLERANCE, lowest_scored, most_removable, removal_order
from explorer.budget.search import nearest_prefix, refine
from explorer.criteria import Scores
from explorer.methods.spec import Spec
from explorer.methods.tools.pace import Pace
from explorer.pruning import Plan
from explorer.structure import Structure

RHO = 0.1  # of the units, in the first step, where neither the spec nor a target says otherwise


def fraction(t: float, steps: int, rho: float, alpha: float) -> float:
    """The share of what remains that step t of T removes, ``ρ_t = ρ₀·(1 + t/T)^α``, t = 0 … T − 1."""
    return rho * (1 + t / steps) ** alpha


def first_fraction(left: float, growth: Sequence[float]) -> float:
    """The ρ₀ for which steps that remove ρ₀ times `growth` leave the share `left`: ``Π (1 − ρ₀·growth) = left``."""
    low, high = 0.0, 1 / max(growth)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if prod(1 - middle * times for times in growth) > left else (low, middle)
    return low


@dataclass(frozen=True)
class Choice:
    """What a step removes, in the units of the model as it is: `removed` of them, the share `rho`.

    `lands`: it meets the target within 1 %, or as nearly as whole units allow.
    """

    plan: Plan
    rho: float
    removed: int
    lands: bool


@dataclass(frozen=True)
class Schedule:
    """The steps from a `whole` structure to where the spec leads.

    With ρ₀ in the pace, step t removes the share ρ_t of the units that remain. With a target alone, ρ₀ is the one by
    which T steps lead from the whole cost to the target's, and each step removes as many units as lower the cost by
    its share. In both ways the step that would pass the target, or the last one, lands on it instead.
    """

    spec: Spec
    pace: Pace
    whole: Structure

    def choose(self, structure: Structure, scores: Scores, t: float, depth: float) -> Choice:
        """The lowest units of all groups for the step at `t`, `depth` times as deep as the formula's.

        Args:
            structure: of the model as it is, with scores of its units.
        """
        spec, target = self.spec, self.spec.target()
        growth = self._growth(t, depth)
        free = self._free(structure, scores)
        units = sum(structure.full[name] for name in free)
        most = np.array(list(free.values()), dtype=int)
        ranked = {name: scores.groups[name] for name in free}
        owners = removal_order(ALLOCATORS[spec.allocate], NORMALISERS[spec.normalise], structure, ranked, most)
        cost = self._cost(structure, list(free))
        if target is None or self.pace.rho is not None:
            count = round((RHO if self.pace.rho is None else self.pace.rho) * growth[0] * units)
            removed = np.bincount(owners[:count], minlength=len(free))
        else:
            goal, now = self._goal(), cost(np.zeros_like(most))
            share = first_fraction(goal / now, growth) * growth[0]
            removed = nearest_prefix(owners, len(free), cost, max(goal, (1 - share) * now))
        if not removed.any():
            removed = np.bincount(owners[:1], minlength=len(free))
        lands = target is not None and (len(growth) == 1 or cost(removed) <= self._goal() * (1 + TOLERANCE))
        if lands:
            aim, near = self._goal() * (1 - TOLERANCE / 2), TOLERANCE / 2  # up to 1 % below the target, never above
            removed = refine(nearest_prefix(owners, len(free), cost, aim), most, cost, aim, near)
        counts = zip(free, removed.tolist(), strict=True)
        plan = Plan(spec.model, {name: lowest_scored(scores.groups[name], n) for name, n in counts if n})
        total = int(removed.sum())
        return Choice(plan, total / max(1, units), total, lands)

    def _growth(self, t: float, depth: float) -> list[float]:
        """What ρ₀ is multiplied by in the step at t and in those to come."""
        total = self.spec.steps
        return [depth * fraction(later, total, 1.0, self.pace.growth) for later in np.arange(t, total, depth).tolist()]

    def _free(self, structure: Structure, scores: Scores) -> dict[str, int]:
        """How many units each group may still lose; those without scores and the locked ones are left out."""
        free = {}
        for name, units in structure.full.items():
            if name in scores.groups and name not in self.spec.locked:
                lost = self.whole.full[name] - units
                free[name] = max(0, most_removable(self.whole, name, self.spec.minimum) - lost)
        return free

    def _goal(self) -> float:
        target = self.spec.target()
        return target.goal(target.of(self.whole.cost()))

    def _cost(self, structure: Structure, names: Sequence[str]) -> Callable[[np.ndarray], int]:
        """The target's cost of what remains when these groups lose so many units."""

        def cost(removed: np.ndarray) -> int:
            lost = zip(names, removed.tolist(), strict=True)
            return self.spec.target().of(structure.cost({name: structure.full[name] - n for name, n in lost}))

        return cost
