"""Views of tensors: which entry of a parameter, a buffer, or what a module is given, each of their entries is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.structure.labels import OfTensors, along, varying


@dataclass(frozen=True, eq=False)
class Axis:
    """An axis of a parameter, and the index along it of every entry that is met."""

    number: int
    index: np.ndarray


@dataclass(frozen=True)
class View:
    """A view of a parameter or buffer.

    Args:
        name: of the tensor.
        shape: of the whole tensor.
        indices: for every axis of the tensor, the index that each entry of the view comes from.
        moved: whether it is not the tensor itself.
        computed: whether it is no view, but computed from the tensor entry by entry, or no tensor that could be a
            layer's weight.
        keeps_zeros: whether entries that are zero stay so thereby.
        spread: the axes of the tensor along which entries change others thereby.
        beside: other tensors that it is computed from, in its shape.
    """

    name: str
    shape: tuple[int, ...]
    indices: tuple[Tensor, ...]
    moved: bool = True
    computed: bool = False
    keeps_zeros: bool = True
    spread: frozenset[int] = frozenset()
    beside: tuple["View", ...] = ()

    @classmethod
    def whole(cls, name: str, tensor: Tensor, *, computed: bool = False) -> "View":
        shape = tuple(tensor.shape)
        return cls(name, shape, _indices(shape), moved=False, computed=computed)

    @property
    def in_order(self) -> bool:
        """Whether it is the whole tensor, rows and columns in their order."""
        return not self.computed and self.has_order

    @property
    def has_order(self) -> bool:
        """Whether it is as large as the whole tensor, rows and columns in their order."""
        return not self.moved or all(
            tuple(index.shape) == self.shape
            and set(varying(index)) <= {axis}
            and (axis > 1 or np.array_equal(along(index, axis), np.arange(self.shape[axis])))
            for axis, index in enumerate(self.indices)
        )

    def map(self, move: Callable[[Tensor], Tensor]) -> "View":
        """The view whose entries are moved like this."""
        beside = tuple(part.map(move) for part in self.beside)
        return replace(self, indices=tuple(move(index) for index in self.indices), beside=beside)

    def axis_along(self, dim: int) -> Axis | None:
        """The axis of the tensor that runs along `dim` of the view, and no other along it."""
        running = [axis for axis, index in enumerate(self.indices) if dim in varying(index)]
        if len(running) == 1 and varying(self.indices[running[0]]) == [dim]:
            return Axis(running[0], along(self.indices[running[0]], dim))
        single = [axis for axis, size in enumerate(self.shape) if size == 1]
        if not running and single and self.indices[0].shape[dim] == 1:
            return Axis(single[0], np.zeros(1, dtype=np.int64))
        return None

    def met_by(self, like: Tensor | None) -> int | None:
        """The last axis with several entries; where it meets the label `like`, the last that runs where that varies."""
        axes = [axis for axis, size in enumerate(self.shape) if size > 1 and varying(self.indices[axis])]
        if like is not None:
            skipped = like.dim() - self.indices[0].dim() if self.indices else 0
            met = {d - skipped for d in varying(like)}
            axes = [axis for axis in axes if met & set(varying(self.indices[axis]))]
        return axes[-1] if axes else None


@lru_cache(maxsize=1024)
def _indices(shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """For every axis of a tensor, the index of each entry."""
    return tuple(
        torch.arange(size).view([-1 if d == axis else 1 for d in range(len(shape))]).expand(shape)
        for axis, size in enumerate(shape)
    )


class Views(OfTensors[View]):
    """The views of a module's tensors; those of the tensors themselves are made when they are first met."""

    def __init__(self, tensors: Iterable[tuple[str, Tensor, bool]]) -> None:
        """The tensors with their names, and whether they are `computed` (see `View`)."""
        super().__init__()
        self._whole = {id(tensor): (name, tensor, computed) for name, tensor, computed in tensors}

    def __contains__(self, tensor: Any) -> bool:
        return super().__contains__(tensor) or id(tensor) in self._whole

    def __getitem__(self, tensor: Any) -> View:
        self._meet(tensor)
        return super().__getitem__(tensor)

    def get(self, tensor: Any, default: Any = None) -> View | Any:
        self._meet(tensor)
        return super().get(tensor, default)

    def pop(self, tensor: Any, default: Any = None) -> View | Any:
        self._meet(tensor)
        return super().pop(tensor, default)

    def _meet(self, tensor: Any) -> None:
        if known := self._whole.pop(id(tensor), None):
            name, own, computed = known
            self[own] = View.whole(name, own, computed=computed)


@dataclass(frozen=True, eq=False)
class Received:
    """What comes from an argument of a module, by its place or name; `view` says which entry is which.

    Where `argument` is None, it comes from a buffer of the model that is not saved.
    """

    module: str
    argument: int | str | None
    view: View

    def seen_as(self, indices: Iterable[Tensor]) -> "Received":
        """The same, of which other entries are seen."""
        return replace(self, view=replace(self.view, indices=tuple(indices)))
