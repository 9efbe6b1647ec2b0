"""Takes units out of a model: for a try (mask) and for good (cut)."""

import copy
from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.structure.adapt import adapt
from explorer.structure.types import Structure

Removal = Mapping[str, Sequence[int]]  # group → units to remove

# Plain attributes that repeat a width, by class: {class: {attribute: (tensor, axis)}}.
WIDTH_ATTRIBUTES = {
    "torchvision.models.vision_transformer.VisionTransformer": {"hidden_dim": ("class_token", 2)},
}


def leaving(structure: Structure, removal: Removal, roles: Sequence[str] = ()) -> dict[str, dict[int, np.ndarray]]:
    """For every tensor that loses entries: per axis, which of them leave (boolean)."""
    gone: dict[str, dict[int, np.ndarray]] = {}
    for name, units in removal.items():
        group = structure.groups[name]
        lost = np.zeros(group.units + 1, dtype=bool)  # the last entry answers for -1
        lost[list(units)] = True
        lost[-1] = False
        for member in group.members:
            if units and (not roles or member.role in roles):
                axes = gone.setdefault(member.tensor, {})
                out = lost[member.units]
                axes[member.axis] = axes[member.axis] | out if member.axis in axes else out
    return gone


def cut_module(module: nn.Module, structure: Structure, removal: Removal) -> tuple[nn.Module, dict[str, dict]]:
    """A new module without the removed units, and the plain attributes that had to change."""
    tensors = dict(module.state_dict())
    owned = dict(module.state_dict(keep_vars=True))
    replaced: dict[int, object] = {}  # not worth copying
    for name, axes in leaving(structure, removal).items():
        tensor = tensors[name]
        for axis, gone in axes.items():
            index = torch.from_numpy(np.flatnonzero(~gone)).to(tensor.device)
            tensor = tensor.index_select(axis, index)
        tensors[name] = tensor
        if tensor.shape != owned[name].shape:
            replaced[id(owned[name])] = owned[name]
    smaller = copy.deepcopy(module, replaced)
    attributes = _width_attributes(module, tensors)
    adapt(smaller, tensors, attributes)
    return smaller, attributes


def _width_attributes(module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, dict]:
    changed: dict[str, dict] = {}
    for name, layer in module.named_modules():
        for attribute, (tensor, axis) in WIDTH_ATTRIBUTES.get(_class_name(layer), {}).items():
            width = tensors[f"{name}.{tensor}" if name else tensor].shape[axis]
            if width != getattr(layer, attribute):
                changed.setdefault(name, {})[attribute] = width
    return changed


def _class_name(layer: nn.Module) -> str:
    return f"{type(layer).__module__}.{type(layer).__qualname__}"


def mask_module(module: nn.Module, structure: Structure, removal: Removal) -> nn.Module:
    """A twin that computes what the cut model computes; all untouched tensors are shared with `module`.

    A removed channel is zero where it is consumed, which is the same as zero weights there, so nothing is
    hooked and nothing is written into `module`; layer norms take their statistics over the channels that stay.
    """
    zeroed = leaving(structure, removal, roles=("consumer",))
    normalised = leaving(structure, removal, roles=("affine",))
    shared: dict[int, object] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        shared[id(tensor)] = tensor
        if name in zeroed:
            replaced = tensor.detach().clone()
            for axis, gone in zeroed[name].items():
                index = torch.from_numpy(np.flatnonzero(gone)).to(tensor.device)
                replaced.index_fill_(axis, index, 0.0)
            shared[id(tensor)] = nn.Parameter(replaced, requires_grad=tensor.requires_grad)
    twin = copy.deepcopy(module, shared)
    for name, layer in twin.named_modules():
        axes = normalised.get(f"{name}.weight", {}) if isinstance(layer, nn.LayerNorm) else {}
        if 0 in axes and axes[0].any():
            _normalise_kept(layer, torch.from_numpy(np.flatnonzero(~axes[0])).to(layer.weight.device))
    return twin


def _normalise_kept(layer: nn.LayerNorm, kept: Tensor) -> None:
    """Let a layer norm see only the channels that stay; the others come out as zero."""
    channels_first = type(layer).__name__ == "LayerNorm2d"  # torchvision's ConvNeXt: (batch, channel, height, width)

    def forward(x: Tensor) -> Tensor:
        axis = 1 if channels_first else -1
        seen = x.index_select(axis, kept).movedim(axis, -1)
        bias = None if layer.bias is None else layer.bias[kept]
        y = F.layer_norm(seen, (len(kept),), layer.weight[kept], bias, layer.eps)
        return torch.zeros_like(x).index_copy_(axis, kept, y.movedim(-1, axis))

    layer.forward = forward
