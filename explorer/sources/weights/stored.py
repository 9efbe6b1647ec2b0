"""The tensors of a file as a network could take them: what pruning and norms have split is put together.

A tensor's full name is its name behind those of everything around it, joined by dots: ``state_dict.fc.weight``.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from math import prod
from typing import Any

import torch
from torch import Tensor

from explorer.sources.weights.pickles import Declared, Inert

PRUNED, NORMED, SPECTRAL = "masks of pruning", "weight norm", "spectral norm"
_WEIGHTS = ("weight", "bias", "running_mean", "running_var")
_LONGEST_NAME = 1000  # of a tensor, with those of everything around it
_PARAMETRISED = ".parametrizations."


@dataclass(frozen=True)
class Source:
    """Where the values of one tensor come from.

    Args:
        parts: tensors of the file, by full name.
        shape: of what `make` gives.
        make: the parts' values → the tensor's.
        how: what is computed of several parts, for a person; empty: it is a tensor of the file itself.
    """

    parts: Mapping[str, Declared]
    shape: tuple[int, ...]
    make: Callable[..., Tensor] = lambda value: value
    how: str = ""

    @property
    def odd(self) -> str:
        """What keeps one of the parts from being a tensor with values; empty: nothing."""
        return next((part.odd for part in self.parts.values() if part.odd), "")

    @property
    def counts(self) -> bool:
        """Whether it is of whole numbers, or one number that is no weight, as counters and states of generators are."""
        if not all(part.dtype.is_floating_point for part in self.parts.values()):
            return True
        return prod(self.shape) <= 1 and not any(part.endswith(_WEIGHTS) for part in self.parts)


def find_tensors(content: Any) -> dict[str, Declared]:
    """All tensors within the content of a file, by full name, in its order.

    Networks that were saved whole are left out, and names that are no network's: what is compared takes the square of
    their length.
    """
    found: dict[str, Declared] = {}
    seen: set[int] = set()
    rest: Iterator[tuple[str | int | None, Any]] = iter([("", content)])
    open_ones = [("", rest)]  # names and rests of the containers around what is looked at
    while open_ones:
        place, rest = open_ones[-1]
        key, value = next(rest, (None, None))
        name = f"{place}.{key}" if place else str(key)
        if key is None:
            open_ones.pop()
        elif len(name) > _LONGEST_NAME:
            continue
        elif isinstance(value, Declared):
            found.setdefault(name, value)
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen and not is_module(value):
            parts = _parts(value)
            if (first := next(parts, None)) is not None:  # there can be millions of empty ones
                seen.add(id(value))
                open_ones.append((name, chain([first], parts)))
    return found


def find_modules(content: Any) -> list[str]:
    """The classes of networks that were saved whole, as the content of a file or directly in it."""
    parts = [content, *(part for _, part in _parts(content))] if isinstance(content, Mapping) else [content]
    return [part.origin for part in parts if is_module(part)]


def is_module(value: Any) -> bool:
    """Whether it is a network that was saved whole."""
    return isinstance(value, Inert) and value.is_module


def _parts(value: Any) -> Iterator[tuple[str | int, Any]]:
    if not isinstance(value, Mapping):
        yield from enumerate(value)
        return
    attributes = value.attributes if isinstance(value, Inert) else {}
    for key, part in (*value.items(), *attributes.items()):
        if isinstance(key, str) or (type(key) is int and not isinstance(part, Declared)):  # else it is no name
            yield key, part


def sources(tensors: Mapping[str, Declared], wanted: set[str], turned: set[str]) -> dict[str, Source]:
    """What a network could take of the tensors: what is split in the file and not in the network stands as one.

    Args:
        wanted: the network's names.
        turned: those of them that are weights of transposed convolutions, whose second axis is that of the outputs.
    """
    asked = {name.rpartition(".")[2] for name in wanted}
    found: dict[str, Source] = {}
    for name, tensor in tensors.items():
        whole = _joined(name, tensors, turned)
        if whole is not None and not asked & {part.rpartition(".")[2] for part in whole[1].parts}:
            found.setdefault(*whole)
        elif name not in found:
            found[name] = Source({name: tensor}, tensor.shape)
    return found


def _joined(name: str, tensors: Mapping[str, Declared], turned: set[str]) -> tuple[str, Source] | None:
    """The tensor that one of the file is a part of, and how it comes about."""
    for stem, parts in _splits(name):
        if all(part in tensors for part in parts):
            held = {part: tensors[part] for part in parts}
            first, second, *third = (tensors[part].shape for part in parts)
            axis = int(any(f".{stem}".endswith(f".{end}") for end in turned))
            if len(parts) == 3 and _is_spectral(first, second, third[0], axis):
                return stem, Source(held, first, partial(_spectral, axis=axis), SPECTRAL)
            if parts[1].endswith("_mask") and first == second:
                return stem, Source(held, first, lambda w, mask: w * mask.to(w.dtype), PRUNED)
            if len(parts) == 2 and _is_norm(first, second):
                return stem, Source(held, second, _normed, NORMED)
    return None


def _splits(name: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The tensors that a name can be a part of, each with all the parts that it would have."""
    for end in ("_orig", "_mask", "_u", "_v", "_g"):
        if name.endswith(end):
            stem = name.removesuffix(end)
            yield stem, (f"{stem}_orig", f"{stem}_mask")
            yield stem, (f"{stem}_orig", f"{stem}_u", f"{stem}_v")
            yield stem, (f"{stem}_g", f"{stem}_v")
    module, mark, rest = f".{name}".rpartition(_PARAMETRISED)
    if mark:
        tensor = rest.partition(".")[0]
        stem, place = f"{module}.{tensor}"[1:], f"{module}{mark}{tensor}"[1:]
        yield stem, (f"{place}.original0", f"{place}.original1")
        yield stem, (f"{place}.original", f"{place}.0._u", f"{place}.0._v")


def _is_norm(lengths: tuple[int, ...], values: tuple[int, ...]) -> bool:
    return not lengths or (
        len(lengths) == len(values) and all(a in (1, b) for a, b in zip(lengths, values, strict=True))
    )


def _normed(lengths: Tensor, values: Tensor) -> Tensor:
    """Weight norm: g · v / ‖v‖, over the axes along which g does not vary (Salimans and Kingma 2016)."""
    lengths, values = lengths.float(), values.float()
    axes = [axis for axis in range(values.dim()) if not lengths.dim() or lengths.shape[axis] == 1]
    norms = torch.linalg.vector_norm(values, dim=axes, keepdim=True) if axes else values.abs()
    return values * (lengths / norms)


def _is_spectral(weight: tuple[int, ...], left: tuple[int, ...], right: tuple[int, ...], axis: int) -> bool:
    return len(weight) > axis and left == (weight[axis],) and right == (prod(weight) // max(weight[axis], 1),)


def _spectral(weight: Tensor, left: Tensor, right: Tensor, *, axis: int) -> Tensor:
    """Spectral norm as in evaluation mode: W / (uᵀ W v), with the vectors as they are stored (Miyato et al. 2018)."""
    weight, left, right = weight.float(), left.float(), right.float()
    return weight / torch.dot(left, weight.movedim(axis, 0).flatten(1) @ right)
