"""Criteria that look for units which others could stand in for: distances between weights."""

import numpy as np
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import MEMBERS, Part, combine, host
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
    found: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        rows = [unit_rows(tensors[m.tensor], m, group) for m in distinct(group.of_role("producer"))]
        if not rows or any(row is None for row in rows):
            found[name] = UNEVEN if rows else "no layer's weights produce its channels"
            continue
        totals = [host(squared_distances(row).sqrt().sum(1)) for row in rows]
        found[name] = combine([Part(total, np.ones(group.units, bool)) for total in totals], members)
    return found


@criterion(
    "merging",
    title="Nearest neighbour",
    cost="none",
    reference="Chen et al. 2024, Going Beyond Neural Network Feature Similarity: Iterative Feature Merging (ICLR 2024)",
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
    found: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        distances = _distances(group, tensors)
        found[name] = distances if isinstance(distances, str) else leaving_distances(host(distances))
    return found


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
    """See `merging`; `distances` are symmetric, (units, units) with two or more units."""
    distances = distances.copy()
    np.fill_diagonal(distances, np.inf)
    units = len(distances)
    nearest = distances.argmin(1)
    gaps = distances[np.arange(units), nearest]
    scores, level = np.zeros(units), 0.0
    for _ in range(units - 1):
        one = int(gaps.argmin())
        other = int(nearest[one])
        level = max(level, float(gaps[one]))
        apart = distances[one, other]
        distances[one, other] = distances[other, one] = np.inf
        leaving, staying = (one, other) if distances[one].min() <= distances[other].min() else (other, one)
        scores[leaving], scores[staying] = level, level
        distances[one, other] = distances[other, one] = apart
        distances[leaving], distances[:, leaving], gaps[leaving] = np.inf, np.inf, np.inf
        orphans = np.flatnonzero((nearest == leaving) & np.isfinite(gaps))
        nearest[orphans] = distances[orphans].argmin(1)
        gaps[orphans] = distances[orphans, nearest[orphans]]
    return scores
