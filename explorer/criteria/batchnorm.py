"""Criteria that read batch normalisation."""

from collections.abc import Mapping

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import MEMBERS, combine, unit_means
from explorer.criteria.tools.numbers import to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.errors import ExplorerError
from explorer.structure.types import Group, Member


@criterion(
    "bn-scale",
    title="Batch-norm scale",
    needs={"batch norm"},
    cost="none",
    reference="Liu et al. 2017, Network Slimming (arXiv:1708.06519)",
    explanation="The absolute scale |γ| that batch normalisation gives to a channel. It says most after training "
    "with an L1 penalty on γ, for which it was invented; groups without batch normalisation stay whole.",
    settings={"members": MEMBERS},
    rank=20,
)
def bn_scale(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """The mean of |γ| over a unit's channels in one batch norm, then `members` over the group's batch norms."""
    modules = dict(context.module.named_modules())
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        parts = [unit_means(to_numpy(tensors[m.tensor].abs()), m, group.units) for m in scales(group, modules)]
        scores[name] = combine(parts, members) if parts else without(group)
    if all(isinstance(score, str) for score in scores.values()):
        raise ExplorerError("bn-scale needs batch normalisation and no group of this model has it: use l2 or flow")
    return scores


def scales(group: Group, modules: Mapping[str, nn.Module]) -> list[Member]:
    """The members that are the scale γ of a batch norm."""
    members = []
    for member in group.of_role("affine"):
        layer, _, tensor = member.tensor.rpartition(".")
        if tensor == "weight" and isinstance(modules.get(layer), _BatchNorm):
            members.append(member)
    return members


def without(group: Group) -> str:
    """Why a group has no score where batch normalisation is needed."""
    return f"no batch normalisation with a scale follows {group.name}"
