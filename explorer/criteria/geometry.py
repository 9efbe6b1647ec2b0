"""Criteria that look for units which others could stand in for: distances between weights."""

import numpy as np
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import MEMBERS, Part, combine
from explorer.criteria.tools.numbers import to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.rows import UNEVEN, distinct, squared_distances, unit_rows
from explorer.structure.types import Group


@criterion(
    "fpgm",
    title="Geometric median",
    cost="none",
    reference="He et al. 2019, Filter Pruning via Geometric Median (arXiv:1811.00250)",
    explanation="The sum of the distances from a unit's filter to all other filters of its layer. Filters near the "
    "middle of the others can be replaced by them; the size of a filter plays no part of its own.",
    settings={"members": MEMBERS},
    rank=30,
)
def fpgm(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ_c' ‖W_c − W_c'‖₂`` between the weights of a producer's filters, then `members` over the producers."""
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        found = [unit_rows(tensors[m.tensor], m, group) for m in distinct(group.of_role("producer"))]
        rows = [row for row in found if row is not None]
        if not rows or len(rows) < len(found):
            scores[name] = UNEVEN if found else "no layer's weights produce its channels"
            continue
        totals = [to_numpy(squared_distances(row).sqrt().sum(1)) for row in rows]
        scores[name] = combine([Part(total, np.ones(group.units, bool)) for total in totals], members)
    return scores


@criterion(
    "merging",
    title="Nearest neighbour",
    cost="none",
    reference="Chen et al. 2024, Iterative Feature Merging, in Going Beyond Neural Network Feature Similarity "
    "(arXiv:2310.06756)",
    explanation="How far a unit is from its nearest neighbour, in all weights that make and read the two. Of two "
    "near units one leaves and the other counts as unique from then on. The score says which units could be "
    "merged; removing them without merging loses what they carried.",
    rank=30,
)
def merging(context: Context) -> dict[str, np.ndarray | str]:
    """The distance at which a unit leaves, when of the nearest pair the one with the nearer next neighbour goes.

    The distance is IFM's ``D_ij = Σ_t ‖w_t,i − w_t,j‖²`` over all tensors of the group with two or more axes. A unit
    that leaves after a farther one has that one's score, so that scores give the order in which units leave. IFM
    puts a merged unit between the two; here the one that stays keeps its place.
    """
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        distances = _distances(group, tensors)
        scores[name] = distances if isinstance(distances, str) else leaving_distances(to_numpy(distances))
    return scores


def _distances(group: Group, tensors: dict[str, Tensor]) -> Tensor | str:
    if group.units == 1:
        return "it has a single unit, which has no neighbour"
    total = None
    for member in distinct([m for m in group.members if m.role != "index" and tensors[m.tensor].ndim > 1]):
        rows = unit_rows(tensors[member.tensor], member, group)
        if rows is None:
            return UNEVEN
        total = squared_distances(rows) if total is None else total + squared_distances(rows)
    return "no tensor with two axes holds its channels" if total is None else total


def leaving_distances(distances: np.ndarray) -> np.ndarray:
    """The score of every unit, (units,), see `merging`: one unit leaves at a time, of the nearest pair that is left.

    Args:
        distances: symmetric, (units, units), with two or more units.
    """
    units, level = _Neighbours(distances), 0.0
    scores = np.empty(len(distances))
    for _ in range(len(distances) - 1):
        one, other, gap = units.nearest_pair()
        level = max(level, gap)
        leaving, staying = (one, other) if units.second_gap(one) <= units.second_gap(other) else (other, one)
        scores[leaving] = scores[staying] = level  # of the one that stays until it leaves itself
        units.remove(leaving)
    return scores


class _Neighbours:
    """The units that are left, each with its nearest neighbour among them: a removal costs a few rows, not all."""

    def __init__(self, distances: np.ndarray) -> None:
        self._distances = distances.copy()
        np.fill_diagonal(self._distances, np.inf)
        self._nearest = self._distances.argmin(1)
        self._gaps = self._distances[np.arange(len(distances)), self._nearest]  # infinite for units that have left

    def nearest_pair(self) -> tuple[int, int, float]:
        """The two units that are nearest to each other, and how far they are apart."""
        one = int(self._gaps.argmin())
        return one, int(self._nearest[one]), float(self._gaps[one])

    def second_gap(self, unit: int) -> float:
        """How far a unit is from its nearest neighbour but one; infinite where there is none."""
        return float(np.partition(self._distances[unit], 1)[1])

    def remove(self, unit: int) -> None:
        """Takes a unit out; those that it was nearest to look for another neighbour."""
        self._distances[unit] = self._distances[:, unit] = self._gaps[unit] = np.inf
        orphans = np.flatnonzero((self._nearest == unit) & np.isfinite(self._gaps))
        self._nearest[orphans] = self._distances[orphans].argmin(1)
        self._gaps[orphans] = self._distances[orphans, self._nearest[orphans]]
