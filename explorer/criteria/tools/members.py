"""From the entries of tensors to the units of a group."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explorer.registry import Choice
from explorer.structure.types import Group, Member

MEMBERS = Choice(
    "mean", ("mean", "sum", "max", "first"), "how the scores that a unit gets from several layers become one"
)


def sums(tensor: Tensor, axis: int) -> Tensor:
    """The sum of every slice along `axis`."""
    others = [dim for dim in range(tensor.ndim) if dim != axis % tensor.ndim]
    return tensor.detach().sum(others) if others else tensor.detach()


def norms(tensor: Tensor, axis: int) -> Tensor:
    """The L2 norm of every slice along `axis`."""
    return sums(tensor.detach().square(), axis).sqrt()


class Part(NamedTuple):
    """What one member says: a value per unit, and whether it holds the unit at all; both (units,)."""

    values: np.ndarray
    holds: np.ndarray


def unit_sums(values: np.ndarray, member: Member, units: int) -> Part:
    """The sum of the values that each unit owns on the member's axis; zero where it owns none."""
    owned = member.units >= 0
    counts = np.bincount(member.units[owned], minlength=units)
    return Part(np.bincount(member.units[owned], weights=values[owned], minlength=units), counts > 0)


def unit_means(values: np.ndarray, member: Member, units: int) -> Part:
    """As `unit_sums`, divided by how many entries the unit owns."""
    totals, holds = unit_sums(values, member, units)
    return Part(totals / np.maximum(unit_sums(np.ones_like(values), member, units).values, 1), holds)


def tensor_sums(values: Tensor, member: Member, units: int) -> Tensor:
    """As the values of `unit_sums`, of every row of a tensor: (rows, entries of the axis) → (rows, units)."""
    held = np.flatnonzero(member.units >= 0)
    places, owners = (
        torch.as_tensor(index, dtype=torch.int64, device=values.device) for index in (held, member.units[held])
    )
    return values.new_zeros(len(values), units).index_add_(1, owners, values[:, places])


def owned(member: Member) -> np.ndarray:
    """The entries on the member's axis of every unit it holds: (units held, entries of a unit)."""
    order = _by_unit(member)
    return order.reshape(len(np.unique(member.units[order])), -1)


def entries(member: Member, units: int) -> np.ndarray | None:
    """The same of all units, (units, entries of a unit); None where units own different numbers of entries."""
    order = _by_unit(member)
    counts = np.bincount(member.units[order], minlength=units)
    return order.reshape(units, -1) if len(order) and (counts == counts[0]).all() else None


def _by_unit(member: Member) -> np.ndarray:
    """The entries on the member's axis that belong to units, those of the first unit first."""
    order = np.argsort(member.units, kind="stable")
    return order[member.units[order] >= 0]


def combine(parts: Sequence[Part], how: str) -> np.ndarray | str:
    """One score per unit from one part per member; members that don't hold a unit have no say in it.

    A string, the reason, where no member holds some unit.
    """
    values, holds = np.stack([part.values for part in parts]), np.stack([part.holds for part in parts])
    if not holds.any(axis=0).all():
        return "some of its units are in none of the layers that this criterion looks at"
    if how == "first":
        return values[holds.argmax(axis=0), np.arange(values.shape[1])]
    if how == "max":
        return np.where(holds, values, -np.inf).max(axis=0)
    totals = values.sum(axis=0, where=holds)
    return totals if how == "sum" else totals / holds.sum(axis=0)


def maskable(group: Group, weights: Mapping[str, Tensor]) -> list[Member]:
    """The members whose slices are scaled exactly when the unit is: consumers, else producers and their biases.

    Of experts their own weights, without which they add nothing, though they may still be chosen.
    """
    if experts := group.of_role("expert"):
        return [m for m in experts if m.tensor in weights]
    consumers = [m for m in group.of_role("consumer") if m.tensor in weights]
    if consumers and group.kind != "head-dims":  # queries and keys are consumed by each other
        return consumers
    producers = [m for m in group.of_role("producer") if m.tensor in weights]
    biases = {m.tensor.removesuffix("weight") + "bias" for m in producers}
    return producers + [m for m in group.of_role("affine") if m.tensor in biases and m.tensor in weights]
