"""What of a network can be left out whole with a group of channels: the layer that makes them, or a whole stage."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import prod

import torch
from torch import Tensor, nn

from explorer.structure import CostModel, Group, Structure
from explorer.structure.blocks import separable, shared_tensors
from explorer.structure.types import Product, inside

Shapes = Mapping[str, Sequence[tuple[torch.Size, torch.Size]]]
"""Of what every module takes and gives, call by call."""
NO_STREAM = "it is no residual stream"


@dataclass(frozen=True)
class Link:
    """Modules that can be left out together: what reads the group that they make then reads the group `before`."""

    before: str
    modules: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """A module, the structure of it, and the shapes that its parts see on an example."""

    module: nn.Module
    structure: Structure
    shapes: Shapes

    @classmethod
    def of(cls, module: nn.Module, structure: Structure, example: Tensor) -> "Network":
        return cls(module, structure, _shapes(module, example))

    def layers(self, path: str) -> list[str]:
        """The layers with weights in a module, by path."""
        inner = self.module.get_submodule(path).named_modules(prefix=path)
        return [name for name, layer in inner if next(layer.parameters(recurse=False), None) is not None]

    def groups(self, tensor: str, role: str) -> list[str]:
        """The groups whose channels a tensor makes, reads or follows."""
        return [
            name
            for name, group in self.structure.groups.items()
            if any(member.tensor == tensor and member.role == role for member in group.members)
        ]

    def stride(self, path: str) -> int:
        """How often a module passes on a row or column of its maps; 0 where it does something else to them."""
        before, after = self.shapes[path][0]
        if len(before) != 4 or len(after) != 4:
            return 0
        stride = -(-before[2] // after[2])
        return stride if all(after[dim] == -(-before[dim] // stride) for dim in (2, 3)) else 0

    def plain(self, path: str) -> bool:
        """Whether a layer is a convolution or batch norm whose cost follows from the groups that it makes and reads."""
        layer = self.module.get_submodule(path)
        if isinstance(layer, nn.BatchNorm2d):
            return len(self.groups(f"{path}.weight", "affine")) == 1
        makes, reads = (self.groups(f"{path}.weight", role) for role in ("producer", "consumer"))
        return isinstance(layer, nn.Conv2d) and layer.groups == 1 == len(makes) == len(reads)

    def cost(self, path: str) -> CostModel:
        """The part in the whole cost of the convolutions and batch norms in a module."""
        params: Counter[tuple] = Counter()  # coefficients by widths
        macs: Counter[tuple] = Counter()
        for name in self.layers(path):
            layer = self.module.get_submodule(name)
            if isinstance(layer, nn.BatchNorm2d):
                [follows] = self.groups(f"{name}.weight", "affine")
                params[(((1, (follows,)),),)] += 2
                continue
            [makes], [reads] = (self.groups(f"{name}.weight", role) for role in ("producer", "consumer"))
            wide, before, taps = ((1, (makes,)),), ((1, (reads,)),), prod(layer.kernel_size)
            params[wide, before] += taps
            macs[wide, before] += sum(taps * prod(out[2:]) for _, out in self.shapes[name])
            if layer.bias is not None:
                params[wide,] += 1
        return CostModel(*(tuple(Product(c, widths) for widths, c in terms.items()) for terms in (params, macs)))


def layer_of(network: Network, group: Group) -> Link | str:
    """The convolution that alone makes a group's channels, with its batch norm; else why it can't be left out."""
    makers = group.of_role("producer")
    if len(makers) != 1:
        return "more than one layer makes its channels"
    path = makers[0].tensor.rpartition(".")[0]
    layer, calls = network.module.get_submodule(path), network.shapes.get(path, [])
    if not isinstance(layer, nn.Conv2d) or layer.groups > 1:
        return "no plain convolution makes its channels"
    if len(calls) != 1:
        return f"{path} does not run exactly once"
    if calls[0][0][2:] != calls[0][1][2:]:
        return f"{path} changes the size of its maps"
    norms = {tap.module for tap in group.taps} - {path}
    if len(norms) > 1 or not all(isinstance(network.module.get_submodule(norm), nn.BatchNorm2d) for norm in norms):
        return f"more than a batch norm follows {path}"
    modules = (path, *norms)
    if not all(inside(member.tensor, modules) for member in group.members if member.role != "consumer"):
        return f"other layers than {path} hold its channels too"
    shared = shared_tensors(network.module)
    if not all(separable(shared, name) for name in modules):
        return f"{path} shares weights with other layers"
    if group.norms:
        return "a norm or a kernel runs over its channels"
    return _in_place_of(network, group, layer, path, modules)


def _in_place_of(network: Network, group: Group, layer: nn.Conv2d, path: str, modules: tuple[str, ...]) -> Link | str:
    """The link to the group that a convolution reads, where that can stand in for the one that it makes."""
    readers = network.groups(f"{path}.weight", "consumer")
    if len(readers) != 1:
        return f"{path} does not read one group of channels"
    before = network.structure.groups[readers[0]]
    if not group.unit == 1 == before.unit:
        return "channels before or behind it leave several at a time"
    if before.size != layer.in_channels or group.size != layer.out_channels:
        return f"{path} has channels of other groups"
    return Link(readers[0], modules)


def stage_of(network: Network, group: Group) -> Link | str:
    """The block that begins a residual stream, with a projection, and those that add to it; else why they stay."""
    if group.kind != "stream":
        return NO_STREAM
    if group.unit > 1:
        return "its channels leave several at a time"
    own = [member.tensor for member in group.members if member.role != "consumer"]
    adding = [block for block in network.structure.blocks if any(inside(tensor, [block]) for tensor in own)]
    first = _around([tensor for tensor in own if not inside(tensor, adding)])
    if not first or any(inside(block, [first]) for block in adding):
        return "no block of its own begins the stream"
    if len(network.shapes.get(first, [])) != 1:
        return f"{first} does not run exactly once"
    if not network.stride(first):
        return f"{first} does more to its maps than to leave out rows and columns"
    if odd := [path for path in network.layers(first) if not network.plain(path)]:
        return f"{odd[0]} is no plain convolution or batch norm"
    shared = shared_tensors(network.module)
    if not all(separable(shared, path) for path in (first, *adding)):
        return "its blocks share weights with other layers"
    return _behind(network, group, (first, *adding))


def _behind(network: Network, group: Group, blocks: tuple[str, ...]) -> Link | str:
    """The link to the stream that a stage's first block reads, where that can stand in for the stage's own."""
    first = blocks[0]
    read = {name for path in network.layers(first) for name in network.groups(f"{path}.weight", "consumer")}
    before = read - network.structure.inside(first)
    if len(before) != 1:
        return f"{first} does not read one group of channels"
    other = network.structure.groups[before.pop()]
    sizes = tuple(shape[1] for shape in network.shapes[first][0])
    if other is group or other.unit != 1 or (other.size, group.size) != sizes:
        return f"{first} reads and makes channels of other groups too"
    return Link(other.name, blocks)


def _around(tensors: Sequence[str]) -> str:
    """The innermost module that holds all of the tensors."""
    paths = [tensor.split(".")[:-1] for tensor in tensors]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*paths, strict=False))
    return ".".join(parts[0] for parts in shared)


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
