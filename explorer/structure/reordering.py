"""Units in another order, which must change nothing where they are told apart by number alone, as experts are."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from explorer.structure.copies import copied
from explorer.structure.types import Group, Member


def reordered(module: nn.Module, groups: Iterable[Group]) -> nn.Module:
    """A copy in which units of the groups have the places of others, in all tensors alike; the rest is shared."""
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    moved: dict[str, Tensor] = {}
    for member in (member for group in groups for member in group.members):
        tensor = moved.get(member.tensor, tensors[member.tensor].detach())
        moved[member.tensor] = tensor.index_select(member.axis, _shuffled(member).to(tensor.device))
    memo: dict[int, object] = {id(tensor): tensor for tensor in tensors.values()}
    for name, values in moved.items():
        whole = tensors[name]
        memo[id(whole)] = nn.Parameter(values, whole.requires_grad) if isinstance(whole, nn.Parameter) else values
    return copied(module, memo)


def _shuffled(member: Member) -> Tensor:
    """For every entry along the member's axis, the one that takes its place: the same one of another unit.

    Units move on by one, but for two that do not: code that counts from another unit on would hide behind that.
    """
    owned = np.flatnonzero(member.units >= 0)
    by_unit = owned[np.argsort(member.units[owned], kind="stable")].reshape(len(np.unique(member.units[owned])), -1)
    places = np.arange(len(member.units))
    order = np.roll(np.arange(len(by_unit)), 1)
    order[:2] = order[:2][::-1] if len(order) > 2 else order[:2]
    places[by_unit] = by_unit[order]
    return torch.from_numpy(places)
