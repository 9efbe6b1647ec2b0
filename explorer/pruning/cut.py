"""Does a plan for good."""

from dataclasses import dataclass

from torch import nn

from explorer.pruning.plan import Plan
from explorer.structure import Structure, cut_module


@dataclass(frozen=True)
class CutModel:
    """A physically smaller model, and the plain attributes that a rebuild must set besides the tensors."""

    module: nn.Module
    attributes: dict[str, dict]


def cut(module: nn.Module, structure: Structure, plan: Plan) -> CutModel:
    """A new, smaller model without the plan's units and blocks; `module` stays as it was.

    Raises:
        ExplorerError: the plan does not fit the structure.
    """
    return CutModel(*cut_module(module, structure, plan.check(structure).remove, plan.blocks))


def exact(structure: Structure, plan: Plan) -> bool:
    """Whether masking this plan gives the logits of cutting it."""
    return all(structure.groups[name].exact for name in plan.remove)
