"""Labels: integer tensors in the shape of an activation that say which channel each of its entries belongs to.

An axis along which the channel does not vary has stride 0, so that a label costs little.
"""

import weakref
from collections.abc import Collection
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

Ids = np.ndarray  # of int64 channel ids
T = TypeVar("T")
LARGEST = 2**27  # entries of a tensor whose channels are followed: 1 GiB where they must be written out


class OfTensors(Generic[T]):
    """What is known of tensors, for as long as they live; a dictionary of weak references, with little around it."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref, T]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, tensor: Any) -> bool:
        return id(tensor) in self._known

    def __getitem__(self, tensor: Any) -> T:
        return self._known[id(tensor)][1]

    def __setitem__(self, tensor: Tensor, value: T) -> None:
        key, known = id(tensor), self._known
        known[key] = weakref.ref(tensor, lambda _: known.pop(key, None)), value

    def get(self, tensor: Any, default: Any = None) -> T | Any:
        known = self._known.get(id(tensor))
        return default if known is None else known[1]

    def pop(self, tensor: Any, default: Any = None) -> T | Any:
        known = self._known.pop(id(tensor), None)
        return default if known is None else known[1]


def varying(label: Tensor | None) -> list[int]:
    """The axes along which the channel varies; none where there is no label."""
    return [] if label is None else [d for d in range(label.dim()) if label.shape[d] > 1 and label.stride(d) != 0]


def restrict(label: Tensor, axes: Collection[int]) -> Tensor:
    """The label at index 0 of all axes but these."""
    for d in range(label.dim()):
        if d not in axes:
            label = label.narrow(d, 0, 1)
    return label


def ids_in(label: Tensor) -> Ids:
    """All different channels of a label."""
    return np.unique(flat(label, varying(label)))


def flat(label: Tensor, axes: Collection[int]) -> Ids:
    """The channels met along these axes, at index 0 of the others, in one row."""
    return restrict(label, axes).reshape(-1).numpy()


def along(label: Tensor, axis: int) -> Ids:
    """The channels met along one axis, at index 0 of all others."""
    index: list[int | slice] = [0] * label.dim()
    index[axis] = slice(None)
    return np.ascontiguousarray(label.numpy()[tuple(index)])


def on_axis(ids: Ids, axis: int, shape: torch.Size | tuple[int, ...]) -> Tensor:
    """A label of `shape` whose channel varies along one axis only."""
    view = [1] * len(shape)
    view[axis] = -1
    return torch.from_numpy(np.ascontiguousarray(ids)).view(view).expand(shape)


def collapse(label: Tensor) -> Tensor:
    """The same label with stride 0 on every axis along which it turns out constant."""
    for d in varying(label):
        size = label.shape[d]
        if torch.equal(label.narrow(d, 0, size - 1), label.narrow(d, 1, size - 1)):
            label = label.narrow(d, 0, 1).expand(label.shape)
    return label
