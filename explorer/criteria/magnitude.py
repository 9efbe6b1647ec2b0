"""Criteria that add up the weights of a unit: of the filters that produce it, or of everything that it touches."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import MEMBERS, Part, combine, sums, unit_sums
from explorer.criteria.tools.numbers import to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.rows import distinct
from explorer.registry import Choice
from explorer.structure.types import Group, Member

POWER = Choice("2", ("2", "1"), "the power p of the weights that are added up; no root is taken")


@criterion(
    "l1",
    title="L1 norm",
    cost="none",
    reference="Li et al. 2017, Pruning Filters for Efficient ConvNets (arXiv:1608.08710)",
    explanation="Adds up the absolute weights of the filters that produce a unit. Small filters make small "
    "activations, so little is lost with them; what the next layer does with the activation isn't seen.",
    settings={"members": MEMBERS},
    rank=30,
)
def l1(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ|w|`` over all rows of a unit in one producer, then `members` over the group's producers."""
    return _producers(context, members, Tensor.abs, lambda total: total)


@criterion(
    "l2",
    title="L2 norm",
    cost="none",
    reference="He et al. 2018, Soft Filter Pruning (arXiv:1808.06866)",
    explanation="The Euclidean length of the filters that produce a unit. Like the L1 norm, but a few large weights "
    "count for more than many small ones.",
    settings={"members": MEMBERS},
    rank=30,
)
def l2(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``sqrt(Σw²)`` over all rows of a unit in one producer, then `members` over the group's producers."""
    return _producers(context, members, Tensor.square, np.sqrt)


@criterion(
    "group-norm",
    title="Group magnitude",
    cost="none",
    reference="Fang et al. 2023, DepGraph: Towards Any Structural Pruning (arXiv:2301.12900)",
    explanation="Adds up the powers of all weights that leave with a unit: the filters that produce it, the scales "
    "of its normalisations, and the columns of the layers that read it. A unit with small filters that is read "
    "with large weights is not small.",
    settings={"power": POWER, "members": MEMBERS},
    rank=30,
)
def group_norm(context: Context, *, power: str = "2", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ|w|^p`` over a unit's slice of one tensor, then `members` over the tensors that the group touches.

    Producers' rows, consumers' columns and the scales of normalisations count; biases and statistics don't. DepGraph
    divides by the group's mean, which here is the normaliser `mean`.
    """
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        parts = [_powers(m, tensors, group, int(power)) for m in distinct([m for m in group.members if _counts(m)])]
        scores[name] = combine(parts, members) if parts else "no layer's weights hold its channels"
    return scores


def _counts(member: Member) -> bool:
    scale = member.role == "affine" and member.tensor.rpartition(".")[2] == "weight"
    return scale or member.role in ("producer", "consumer", "expert")


def _powers(member: Member, tensors: dict[str, Tensor], group: Group, power: int) -> Part:
    return unit_sums(to_numpy(sums(tensors[member.tensor].abs().pow(power), member.axis)), member, group.units)


def _producers(context: Context, members: str, before: Callable, after: Callable) -> dict[str, np.ndarray | str]:
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.groups():
        scores[name] = _group(group, tensors, members, before, after)
    return scores


def _group(
    group: Group, tensors: dict[str, Tensor], members: str, before: Callable, after: Callable
) -> np.ndarray | str:
    parts = []
    for member in group.of_role("expert") or group.of_role("producer"):  # an expert is more than its router's row
        rows = to_numpy(sums(before(tensors[member.tensor]), member.axis))
        totals, holds = unit_sums(rows, member, group.units)
        parts.append(Part(after(totals), holds))
    return combine(parts, members) if parts else "no layer's weights produce its channels"
