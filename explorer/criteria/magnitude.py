"""Criteria that look at the weights which produce a channel, and at nothing else."""

from collections.abc import Callable

import numpy as np
from torch import Tensor

from explorer.criteria.context import Context
from explorer.criteria.members import MEMBERS, Part, combine, host, sums, unit_sums
from explorer.criteria.registry import criterion
from explorer.structure.types import Group


@criterion(
    "l1",
    title="L1 norm",
    cost="none",
    paper="Li et al. 2017, Pruning Filters for Efficient ConvNets (arXiv:1608.08710)",
    explanation="Adds up the absolute weights of the filters that produce a unit. Small filters make small "
    "activations, so little is lost with them; what the next layer does with the activation isn't seen.",
    options={"members": MEMBERS},
)
def l1(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ|w|`` over all rows of a unit in one producer, then `members` over the group's producers."""
    return _producers(context, members, Tensor.abs, lambda total: total)


@criterion(
    "l2",
    title="L2 norm",
    cost="none",
    paper="He et al. 2018, Soft Filter Pruning (arXiv:1808.06866)",
    explanation="The Euclidean length of the filters that produce a unit. Like the L1 norm, but a few large weights "
    "count for more than many small ones.",
    options={"members": MEMBERS},
)
def l2(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``sqrt(Σw²)`` over all rows of a unit in one producer, then `members` over the group's producers."""
    return _producers(context, members, Tensor.square, np.sqrt)


def _producers(context: Context, members: str, before: Callable, after: Callable) -> dict[str, np.ndarray | str]:
    tensors = context.module.state_dict()
    found: dict[str, np.ndarray | str] = {}
    for done, (name, group) in enumerate(context.structure.groups.items()):
        context.report(done / len(context.structure.groups), f"scoring {name}")
        found[name] = _group(group, tensors, members, before, after)
    return found


def _group(
    group: Group, tensors: dict[str, Tensor], members: str, before: Callable, after: Callable
) -> np.ndarray | str:
    parts = []
    for member in group.of_role("producer"):
        rows = host(sums(before(tensors[member.tensor]), member.axis))
        totals, holds = unit_sums(rows, member, group.units)
        parts.append(Part(after(totals), holds))
    return combine(parts, members) if parts else "no layer's weights produce its channels"
