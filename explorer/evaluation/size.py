"""The size of a cut model's weights file in closed form, to the byte."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import safetensors.torch
import torch
from torch import nn

from explorer.evaluation.measurement import METADATA
from explorer.structure import Structure
from explorer.structure.products import names_by_identity
from explorer.structure.surgery import saved_by_cut
from explorer.structure.types import Member, Width, inside


@dataclass(frozen=True)
class SizeModel:
    """Bytes of the safetensors file as a function of how many units of every group are kept.

    `tensors` are in the file's order: name, dtype as the file calls it, bytes of a value, and for every axis the place
    of its width in `widths`.
    """

    full: Mapping[str, int]
    widths: tuple[Width, ...]
    tensors: tuple[tuple[str, str, int, tuple[int, ...]], ...]

    def without(self, blocks: Sequence[str]) -> "SizeModel":
        """That of the model whose residual blocks are taken out, their tensors with them."""
        return replace(self, tensors=tuple(tensor for tensor in self.tensors if not inside(tensor[0], blocks)))

    def __call__(self, kept: Mapping[str, int]) -> int:
        """Groups that are not named stay whole."""
        units = {**self.full, **kept}
        lengths = [sum(c * prod(units[name] for name in names) for c, names in width) for width in self.widths]
        header, end = {"__metadata__": METADATA}, 0
        for name, dtype, size, axes in self.tensors:
            shape = [lengths[axis] for axis in axes]
            start, end = end, end + size * prod(shape)
            header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
        text = len(json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode())
        return 8 + -(-text // 8) * 8 + end


def size_model(module: nn.Module, structure: Structure) -> SizeModel:
    """The file that `weights` of a cut model fills: all parameters and buffers, shared ones under all their names."""
    owned = saved_by_cut(module, structure)
    names = names_by_identity(owned.items())
    members: dict[tuple[str, int], list[tuple[str, Member]]] = {}
    for group in structure.groups.values():
        for member in (*group.members, *group.unsaved):
            for alias in names[id(owned[member.tensor])]:
                members.setdefault((alias, member.axis), []).append((group.name, member))
    places: dict[Width, int] = {}
    tensors = []
    for name, dtype in _order(owned):
        shape = enumerate(owned[name].shape)
        widths = [_width(length, members.get((name, axis), []), structure) for axis, length in shape]
        axes = tuple(places.setdefault(width, len(places)) for width in widths)
        tensors.append((name, dtype, owned[name].element_size(), axes))
    return SizeModel(structure.full, tuple(places), tuple(tensors))


def _order(tensors: Mapping[str, torch.Tensor]) -> list[tuple[str, str]]:
    """Names and dtypes as a safetensors file orders and calls them, whatever the shapes."""
    file = safetensors.torch.save({name: torch.empty(1, dtype=tensor.dtype) for name, tensor in tensors.items()})
    header = json.loads(file[8 : 8 + int.from_bytes(file[:8], "little")])
    return sorted(((name, header[name]["dtype"]) for name in header), key=lambda pair: header[pair[0]]["data_offsets"])


def _width(length: int, members: list[tuple[str, Member]], structure: Structure) -> Width:
    """The axis as a sum over the sets of groups that own a place together; every unit owns equally many."""
    owners = np.stack([member.units >= 0 for _, member in members], axis=1) if members else np.zeros((length, 0), bool)
    width = []
    for owned, count in zip(*np.unique(owners, axis=0, return_counts=True), strict=True):
        names = tuple(name for (name, _), owns in zip(members, owned, strict=True) if owns)
        width.append((int(count) // prod(structure.full[name] for name in names), names))
    return tuple(width)
