"""Tries a plan without cutting."""

from torch import nn

from explorer.pruning.plan import Plan
from explorer.structure import Structure, mask_module


def mask(module: nn.Module, structure: Structure, plan: Plan) -> nn.Module:
    """A masked copy of `module` that computes the logits of the cut model, at the full model's shapes.

    Exact wherever the plan touches only groups that are `exact`. The copy shares every untouched tensor with
    `module`, which is not written to, so masking is cheap and safe while others use the model.

    Raises:
        ExplorerError: the plan does not fit the structure.
    """
    return mask_module(module, structure, plan.check(structure).remove, plan.blocks)
