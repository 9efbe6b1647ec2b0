"""Sparse weights as a file: one bit per weight says where the others are, and only those are stored."""

import json
from collections.abc import Mapping
from math import prod
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from explorer import memory
from explorer.errors import ExplorerError
from explorer.reading import parse_json

_BITS, _VALUES, _SHAPES = ".mask", ".values", "shapes"


def packed(tensors: Mapping[str, Tensor], masks: Mapping[str, Tensor]) -> bytes:
    """A safetensors file of `tensors`, those that have a mask without the entries where it is False.

    Of such a tensor it has ``NAME.mask``, eight entries a byte in row-major order, the first in the highest bit, and
    ``NAME.values`` of the others, in that order; its shape is in the metadata `shapes`.
    """
    stored = {name: tensor for name, tensor in tensors.items() if name not in masks}
    for name, mask in masks.items():
        stored[name + _BITS] = torch.from_numpy(np.packbits(mask.numpy()))
        stored[name + _VALUES] = tensors[name][mask]
    shapes = {name: list(mask.shape) for name, mask in masks.items()}
    return safetensors.torch.save(stored, {"format": "pt", _SHAPES: json.dumps(shapes)})


def unpacked(path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Tensors and masks of a file of `packed`: the same to the bit, where masked entries were zero.

    Raises:
        ExplorerError: there is no such file, or it is none of these.
    """
    try:
        with safe_open(path, "pt") as file:
            shapes = parse_json(file.metadata()[_SHAPES])
            memory.require(
                2 * _whole(path, shapes), f"unpacking {str(path)!r}", "choose the weights of a smaller network"
            )
            stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        masks = {name: _mask(stored.pop(name + _BITS), shape) for name, shape in shapes.items()}
        for name, mask in masks.items():
            values = stored.pop(name + _VALUES)
            stored[name] = torch.zeros(mask.shape, dtype=values.dtype).masked_scatter_(mask, values)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise ExplorerError(f"{path} holds no packed weights ({error}): name the sparse.safetensors of a run") from None
    return stored, masks


def _whole(path: Path, shapes: Mapping[str, list[int]]) -> int:
    """Bytes of the file's tensors when they are whole again, each with its mask; at most eight for a value."""
    return path.stat().st_size + sum((1 + 8) * abs(prod(shape)) for shape in shapes.values())


def _mask(bits: Tensor, shape: list[int]) -> Tensor:
    return torch.from_numpy(np.unpackbits(bits.numpy(), count=prod(shape)).astype(bool)).view(shape)
