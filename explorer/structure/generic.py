"""Copies of a model with weights that hide no difference."""

import torch
from torch import Tensor, nn

from explorer.structure.copies import copied


def awake(module: nn.Module) -> nn.Module:
    """A copy with generic weights where they are freshly made: equal entries would hide every difference.

    Random are constant parameters, and statistics of norms, about the value that they have.
    """
    generator = torch.Generator().manual_seed(0)
    memo: dict[int, object] = {id(t): t for t in [*module.parameters(), *module.buffers()]}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        known = name.rpartition(".")[2] in ("running_mean", "running_var") or isinstance(tensor, nn.Parameter)
        if known and tensor.is_floating_point() and tensor.numel() and _constant(tensor):
            noise = torch.rand(tensor.shape, generator=generator) - 0.5
            values = (tensor.detach() + 0.2 * noise.to(tensor)).to(tensor.dtype)
            memo[id(tensor)] = (
                nn.Parameter(values, requires_grad=tensor.requires_grad) if isinstance(tensor, nn.Parameter) else values
            )
    return copied(module, memo)


def doubled(module: nn.Module) -> nn.Module:
    """A copy in float64."""
    memo: dict[int, object] = {}
    for tensor in [*module.parameters(), *module.buffers()]:
        wide = tensor.detach().double() if tensor.is_floating_point() else tensor
        memo[id(tensor)] = nn.Parameter(wide, tensor.requires_grad) if isinstance(tensor, nn.Parameter) else wide
    return copied(module, memo)


def _constant(tensor: Tensor) -> bool:
    return bool((tensor == tensor.flatten()[0]).all())
