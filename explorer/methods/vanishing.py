"""Layers and residual blocks that leave whole, when a plan leaves nothing of the channels inside."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from explorer.structure import Block, CostModel, Group, Structure
from explorer.structure.blocks import separable
from explorer.structure.types import Product, inside, outermost


class Settled(NamedTuple):
    """What becomes of wished widths: units that stay of each group, modules that leave, groups that had to keep one."""

    kept: dict[str, int]
    blocks: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A convolution in a chain, which with its batch norm can be left out: `before` is the group that it reads."""

    before: str
    modules: tuple[str, ...]


class Vanishing:
    """What can leave a network whole. `structure` has the modules of chains as blocks besides the residual ones.

    - A residual block leaves when each of its branches has a group with no unit.
    - A convolution that keeps the size of its maps, read by nothing but its batch norm and what follows, leaves with
      that: the next layer then reads as many channels as it did.
    """

    def __init__(self, module: nn.Module, structure: Structure, example: Tensor) -> None:
        self._branches = {name: _branches(structure, name) for name in structure.blocks}
        self._links: dict[str, Link] = {}
        blocks = dict(structure.blocks)
        sizes = _sizes(module, example)
        for name, group in structure.groups.items():
            found = _link(module, structure, group, sizes)
            if found is not None and not any(inside(found.modules[0], [block]) for block in structure.blocks):
                self._links[name] = found
                costs = _costs(module, name, found, sizes)
                blocks |= {path: Block(path, 0, cost) for path, cost in zip(found.modules, costs, strict=True)}
        self.structure = replace(structure, blocks=blocks)

    def settle(self, wished: Mapping[str, int]) -> Settled:
        """What can be done where `wished` units of each group are to stay, of some none."""
        kept, held, gone = dict(wished), [], []
        for block, branches in self._branches.items():
            if branches and all(any(not wished[name] for name in branch) for branch in branches):
                gone.append(block)
        out = {name for block in gone for name in self.structure.inside(block)}
        for name in (name for name, units in wished.items() if not units and name not in out):
            link = self._links.get(name)
            if link is None or kept[link.before] > self.structure.full[name]:
                kept[name] = 1
                held.append(name)
            else:
                kept[name] = kept[link.before]
                gone += link.modules
        return Settled(kept, outermost(gone), tuple(held))


def _branches(structure: Structure, block: str) -> list[set[str]]:
    """The groups inside a block, those in one set that read what the others make or lie on the same tensors."""
    sets: list[tuple[set[str], set[str]]] = []  # groups, tensors
    for name in structure.inside(block):
        names, tensors = {name}, {member.tensor for member in structure.groups[name].members}
        for other in [entry for entry in sets if entry[1] & tensors]:
            sets.remove(other)
            names, tensors = names | other[0], tensors | other[1]
        sets.append((names, tensors))
    return [names for names, _ in sets]


def _link(
    module: nn.Module, structure: Structure, group: Group, sizes: Mapping[str, list[tuple[torch.Size, torch.Size]]]
) -> Link | None:
    """The convolution that alone makes a group's channels, if it can be left out."""
    makers = group.of_role("producer")
    path = makers[0].tensor.rpartition(".")[0] if len(makers) == 1 else ""
    layer = module.get_submodule(path)
    calls = sizes.get(path, [])
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1 or len(calls) != 1 or calls[0][0][2:] != calls[0][1][2:]:
        return None
    norms = {tap.module for tap in group.taps} - {path}
    modules = (path, *norms)
    own = [member for member in group.members if member.role != "consumer"]
    plain = len(norms) <= 1 and all(isinstance(module.get_submodule(norm), nn.BatchNorm2d) for norm in norms)
    alone = all(inside(member.tensor, modules) for member in own) and all(separable(module, name) for name in modules)
    readers = _readers(structure, f"{path}.weight")
    whole = len(readers) == 1 and group.unit == 1 == structure.groups[readers[0]].unit
    full = whole and structure.groups[readers[0]].size == layer.in_channels and group.size == layer.out_channels
    return Link(readers[0], modules) if plain and alone and full and not group.norms else None


def _readers(structure: Structure, tensor: str) -> list[str]:
    """The groups whose channels a tensor reads."""
    return [
        name
        for name, group in structure.groups.items()
        if any(member.tensor == tensor and member.role == "consumer" for member in group.members)
    ]


def _sizes(module: nn.Module, example: Tensor) -> dict[str, list[tuple[torch.Size, torch.Size]]]:
    """Shapes of what every convolution takes and gives, call by call."""
    seen: dict[str, list[tuple[torch.Size, torch.Size]]] = {}
    handles = [
        layer.register_forward_hook(
            lambda _, given, out, name=name: seen.setdefault(name, []).append((given[0].shape, out.shape))
        )
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d)
    ]
    try:
        with torch.inference_mode():
            module(example)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _costs(
    module: nn.Module, name: str, link: Link, sizes: Mapping[str, list[tuple[torch.Size, torch.Size]]]
) -> list[CostModel]:
    """The parts in the whole cost of a convolution and, where there is one, its batch norm."""
    conv, out = module.get_submodule(link.modules[0]), sizes[link.modules[0]][0][1]
    wide, before = ((1, (name,)),), ((1, (link.before,)),)
    taps = prod(conv.kernel_size)
    vectors = (Product(1, (wide,)),)
    params = (Product(taps, (wide, before)), *(vectors if conv.bias is not None else ()))
    costs = [CostModel(params, (Product(taps * prod(out[2:]), (wide, before)),))]
    for path in link.modules[1:]:
        costs.append(CostModel(vectors * len(list(module.get_submodule(path).parameters())), ()))
    return costs
