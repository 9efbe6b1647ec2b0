"""Layers and residual blocks that leave whole, when a plan leaves nothing of the channels inside."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import Plan
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
    """Modules that can be left out together: what reads the group that they make then reads the group `before`."""

    before: str
    modules: tuple[str, ...]


class Vanishing:
    """What can leave a network whole. `structure` has as blocks, besides the residual ones, all that can.

    - A residual block leaves when each of its branches has a group with no unit.
    - A convolution that keeps the size of its maps, read by nothing but its batch norm and what follows, leaves with
      that: the next layer then reads as many channels as it did.
    - A stage leaves when its residual stream has no unit: the stage behind then reads the stream before it, and of
      its maps every second row and column where the stage halved them.
    """

    def __init__(self, module: nn.Module, structure: Structure, example: Tensor) -> None:
        self._branches = {name: _branches(structure, name) for name in structure.blocks}
        self._links: dict[str, Link] = {}
        self._stages: list[str] = []
        blocks = dict(structure.blocks)
        shapes = _shapes(module, example)
        for name, group in structure.groups.items():
            link, stage = _link(module, structure, group, shapes), _stage(module, structure, group, shapes)
            if link is not None and not any(inside(link.modules[0], [block]) for block in structure.blocks):
                self._links[name] = link
            elif stage is not None:
                self._links[name] = stage
                self._stages.append(name)
            else:
                continue
            for path in self._links[name].modules:
                if path not in blocks:
                    cost = _cost(module, structure, path, shapes)
                    blocks[path] = Block(path, 0, cost, _stride(shapes, path))
        self.structure = replace(structure, blocks=blocks)

    def check(self, plan: Plan) -> None:
        """Refuses a plan in which something leaves whole, but what follows does not fit what comes before.

        Raises:
            ExplorerError: it takes a part of what can leave only together, or widths differ.
        """
        kept = plan.kept(self.structure)
        for name, link in self._links.items():
            gone = [path for path in link.modules if inside(path, plan.blocks)]
            if not set(gone) - self._branches.keys():  # residual blocks leave by themselves
                continue
            if len(gone) < len(link.modules):
                raise ExplorerError(
                    f"{', '.join(link.modules)} can only leave together, and the plan takes out {', '.join(gone)}"
                )
            if kept[name] != kept[link.before]:
                raise ExplorerError(
                    f"without {link.modules[0]}, what read {name} reads {link.before}: the plan must keep as many "
                    f"units of both, and keeps {kept[name]} and {kept[link.before]}"
                )

    def settle(self, wished: Mapping[str, int]) -> Settled:
        """What can be done where `wished` units of each group are to stay, of some none."""
        kept, held, gone = dict(wished), [], []
        for block, branches in self._branches.items():
            if branches and all(any(not wished[name] for name in branch) for branch in branches):
                gone.append(block)

        def width(name: str) -> int:
            if not kept[name]:
                link = self._links.get(name)
                before = width(link.before) if link else 0
                if link is None or before > self.structure.full[name]:
                    kept[name] = 1
                    held.append(name)
                else:
                    kept[name] = before
                    gone.extend(link.modules)
            return kept[name]

        for name in self._stages:
            width(name)
        out = {name for block in gone for name in self.structure.inside(block)}
        for name in wished:
            if name not in out:
                width(name)
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


Shapes = Mapping[str, Sequence[tuple[torch.Size, torch.Size]]]  # of what a module takes and gives, call by call


def _link(module: nn.Module, structure: Structure, group: Group, shapes: Shapes) -> Link | None:
    """The convolution that alone makes a group's channels, if it can be left out."""
    makers = group.of_role("producer")
    path = makers[0].tensor.rpartition(".")[0] if len(makers) == 1 else ""
    layer = module.get_submodule(path)
    calls = shapes.get(path, [])
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1 or len(calls) != 1 or calls[0][0][2:] != calls[0][1][2:]:
        return None
    norms = {tap.module for tap in group.taps} - {path}
    modules = (path, *norms)
    own = [member for member in group.members if member.role != "consumer"]
    plain = len(norms) <= 1 and all(isinstance(module.get_submodule(norm), nn.BatchNorm2d) for norm in norms)
    alone = all(inside(member.tensor, modules) for member in own) and all(separable(module, name) for name in modules)
    readers = _groups(structure, f"{path}.weight", "consumer")
    whole = len(readers) == 1 and group.unit == 1 == structure.groups[readers[0]].unit
    full = whole and structure.groups[readers[0]].size == layer.in_channels and group.size == layer.out_channels
    return Link(readers[0], modules) if plain and alone and full and not group.norms else None


def _stage(module: nn.Module, structure: Structure, group: Group, shapes: Shapes) -> Link | None:
    """The block that begins a residual stream, with a projection, and those that add to it, if they can be left out."""
    if group.kind != "stream" or group.unit > 1:
        return None
    own = [member.tensor for member in group.members if member.role != "consumer"]
    adding = [block for block in structure.blocks if any(inside(tensor, [block]) for tensor in own)]
    first = _around([tensor for tensor in own if not inside(tensor, adding)])
    calls = shapes.get(first, [])
    if not first or any(inside(block, [first]) for block in adding) or len(calls) != 1 or not _stride(shapes, first):
        return None
    read = {name for path in _layers(module, first) for name in _groups(structure, f"{path}.weight", "consumer")}
    known = all(_known(structure, path, module.get_submodule(path)) for path in _layers(module, first))
    before = read - structure.inside(first)
    if not known or len(before) != 1 or not all(separable(module, path) for path in (first, *adding)):
        return None
    other = structure.groups[before.pop()]
    fits = other.unit == 1 and (other.size, group.size) == tuple(shape[1] for shape in calls[0])
    return Link(other.name, (first, *adding)) if fits and other is not group else None


def _around(tensors: Sequence[str]) -> str:
    """The innermost module that holds all of the tensors."""
    paths = [tensor.split(".")[:-1] for tensor in tensors]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return ".".join(parts[0] for parts in shared)


def _stride(shapes: Shapes, path: str) -> int:
    """How often a module passes on a row or column of its maps; 0 where it does something else to them."""
    before, after = shapes[path][0]
    if len(before) != 4 or len(after) != 4:
        return 0
    stride = -(-before[2] // after[2])
    return stride if all(after[dim] == -(-before[dim] // stride) for dim in (2, 3)) else 0


def _layers(module: nn.Module, path: str) -> list[str]:
    """The layers with weights in a module, by path."""
    inner = module.get_submodule(path).named_modules(prefix=path)
    return [name for name, layer in inner if next(layer.parameters(recurse=False), None) is not None]


def _known(structure: Structure, path: str, layer: nn.Module) -> bool:
    """Whether a layer is a convolution or a batch norm whose cost follows from the groups that it makes and reads."""
    makes, reads = (_groups(structure, f"{path}.weight", role) for role in ("producer", "consumer"))
    if isinstance(layer, nn.BatchNorm2d):
        return len(_groups(structure, f"{path}.weight", "affine")) == 1
    return isinstance(layer, nn.Conv2d) and layer.groups == 1 == len(makes) == len(reads)


def _groups(structure: Structure, tensor: str, role: str) -> list[str]:
    """The groups whose channels a tensor makes, reads or follows."""
    return [
        name
        for name, group in structure.groups.items()
        if any(member.tensor == tensor and member.role == role for member in group.members)
    ]


def _shapes(module: nn.Module, example: Tensor) -> dict[str, list[tuple[torch.Size, torch.Size]]]:
    """Shapes of what every module that takes and gives a tensor takes and gives, call by call."""
    seen: dict[str, list[tuple[torch.Size, torch.Size]]] = {}

    def see(name: str, given: tuple, out: object) -> None:
        if given and isinstance(given[0], Tensor) and isinstance(out, Tensor):
            seen.setdefault(name, []).append((given[0].shape, out.shape))

    handles = [
        layer.register_forward_hook(lambda _, given, out, name=name: see(name, given, out))
        for name, layer in module.named_modules()
    ]
    try:
        with torch.inference_mode():
            module(example)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _cost(module: nn.Module, structure: Structure, path: str, shapes: Shapes) -> CostModel:
    """The part in the whole cost of the convolutions and batch norms in a module."""
    params: Counter[tuple] = Counter()  # coefficients by widths
    macs: Counter[tuple] = Counter()
    for name in _layers(module, path):
        layer = module.get_submodule(name)
        if isinstance(layer, nn.BatchNorm2d):
            [follows] = _groups(structure, f"{name}.weight", "affine")
            params[(((1, (follows,)),),)] += 2
            continue
        [makes], [reads] = (_groups(structure, f"{name}.weight", role) for role in ("producer", "consumer"))
        wide, before, taps = ((1, (makes,)),), ((1, (reads,)),), prod(layer.kernel_size)
        params[wide, before] += taps
        macs[wide, before] += sum(taps * prod(out[2:]) for _, out in shapes[name])
        if layer.bias is not None:
            params[wide,] += 1
    return CostModel(*(tuple(Product(c, widths) for widths, c in found.items()) for found in (params, macs)))
