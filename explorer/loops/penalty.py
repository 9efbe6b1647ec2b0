"""A penalty on coupled groups of channels, which presses whole units towards zero before they are cut."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.tools.members import sums
from explorer.structure import Structure


class Slices(NamedTuple):
    """The slices of one parameter along one axis that belong to units: their places, and the unit of each."""

    parameter: nn.Parameter
    axis: int
    places: Tensor
    owners: Tensor


class GroupPenalty:
    """``λ·Σ_u √n_u·‖w_u‖₂``, w_u the n_u weights that leave with unit u: in layers that make it, scale it and read it.

    It is the group lasso (Yuan & Lin 2006) over coupled channels; by √n_u every weight is pressed alike, whatever the
    width of the layers around. Frozen parameters are left out.

    Args:
        module: the network as it is.
        structure: of it.
        locked: groups without a penalty.
    """

    def __init__(self, module: nn.Module, structure: Structure, locked: Collection[str] = ()) -> None:
        parameters = dict(module.named_parameters(remove_duplicate=False))
        self._groups: list[tuple[list[Slices], Tensor]] = []
        for name, group in structure.groups.items():
            found: dict[tuple[int, int], Slices] = {}
            sizes = np.zeros(group.units)
            for member in () if name in locked else group.members:
                parameter = parameters.get(member.tensor)
                if parameter is None or not parameter.requires_grad or (id(parameter), member.axis) in found:
                    continue
                places = np.flatnonzero(member.units >= 0)
                owners = member.units[places]
                sizes += np.bincount(owners, minlength=group.units) * (parameter.numel() // len(member.units))
                index = (torch.as_tensor(each, dtype=torch.int64, device=parameter.device) for each in (places, owners))
                found[id(parameter), member.axis] = Slices(parameter, member.axis, *index)
            if found:
                roots = torch.as_tensor(np.sqrt(sizes), dtype=torch.float32)
                self._groups.append((list(found.values()), roots))

    @torch.no_grad()
    def add(self, strength: float | Tensor, trained: Collection[int]) -> None:
        """Adds the penalty's gradient to those that parameters have; at zero it is zero.

        Args:
            strength: λ, times what the gradients are scaled by.
            trained: ids of the parameters that are about to be changed.
        """
        for slices, roots in self._groups:
            if not any(id(each.parameter) in trained and each.parameter.grad is not None for each in slices):
                continue
            device = slices[0].parameter.device
            squares = torch.zeros(len(roots), device=device)
            for each in slices:
                entries = sums(each.parameter.detach().float().square(), each.axis)[each.places].to(device)
                squares.index_add_(0, each.owners.to(device), entries)
            pull = torch.where(squares > 0, strength * roots.to(device) * squares.rsqrt(), 0.0)
            for each in slices:
                if id(each.parameter) in trained and each.parameter.grad is not None:
                    _pull(each, pull)


def _pull(each: Slices, pull: Tensor) -> None:
    parameter, gradient = each.parameter, each.parameter.grad
    assert gradient is not None
    along = torch.zeros(parameter.shape[each.axis], device=parameter.device)
    along[each.places] = pull.to(parameter.device)[each.owners]
    shape = [-1 if axis == each.axis else 1 for axis in range(parameter.dim())]
    gradient.addcmul_(parameter.to(gradient.dtype), along.view(shape).to(gradient.dtype))
