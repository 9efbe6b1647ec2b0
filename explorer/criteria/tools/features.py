"""What a group's channels see: their activation maps on one input."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.criteria.tools.scoring import prepared
from explorer.modules import watching
from explorer.structure.types import Group


def feature_maps(module: nn.Module, group: Group, image: Tensor) -> np.ndarray | None:
    """The first channel of every unit on one image, after normalisation and non-linearity, where it is first produced.

    Args:
        image: (C, H, W), normalised as the model wants it.

    Returns:
        float32 of shape (units, height, width); None where the group has no two-dimensional maps.
    """
    tap = next((tap for tap in group.taps if tap.axis == 1), None)
    if tap is None:
        return None
    outputs: list[Tensor] = []
    device = next(module.parameters()).device

    def keep(_: nn.Module, __: tuple, output: object) -> None:
        if isinstance(output, Tensor):
            outputs.append(output)

    with prepared(module, device), watching(module, {tap.module: keep}), torch.inference_mode():
        module(image[None].to(device))
    owners = next(member.units for member in group.of_role("producer") if member.tensor == tap.producer)
    if not outputs or outputs[0].ndim != 4 or outputs[0].shape[1] != len(owners):
        return None
    maps = getattr(F, tap.activation)(outputs[0]) if tap.activation else outputs[0]
    _, firsts = np.unique(owners, return_index=True)
    return maps[0].float().cpu().numpy()[firsts[-group.units :]]  # -1, not of this group, sorts before the units
