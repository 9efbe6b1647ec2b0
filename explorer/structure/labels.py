"""Labels: integer tensors in the shape of an activation that say which channel each of its entries belongs to.

An axis along which the channel does not vary has stride 0, so that a label costs little.
"""

from collections.abc import Collection

import numpy as np
import torch
from torch import Tensor

Ids = np.ndarray  # of int64 channel ids
LARGEST = 2**27  # entries of a tensor whose channels are followed: 1 GiB where they must be written out


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
    return np.ascontiguousarray(label[tuple(index)].numpy())


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
