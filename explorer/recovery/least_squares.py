"""Least squares between what a layer read in the whole network and what it reads in the cut one."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from explorer.criteria.tools.numbers import to_float64
from explorer.recovery.readers import Geometry, reading_counts

SAFE = 1e-5  # a ridge that hides what sums in single precision are off by, about a millionth of the variance
PER_UNKNOWN = 30  # windows that are looked at for each unknown of a convolution: more hardly move what is found
LEAST = 1e-6  # of the mean square of the inputs, below which their variance may be nothing but rounding
_NUMBERS = 1 << 20  # of an activation, taken at once


class Observed:
    """What a layer reads, as (samples, blocks, channels, places).

    Of a convolution each group is a block, and places that it never reads are left out. Of matrices all but the last
    axis are samples; a channel has several places where a flattening made several entries of each.

    Args:
        inputs: as the layer gets them.
        geometry: how the layer goes over them.
        positions: entries in a row that belong to one channel.
    """

    def __init__(self, inputs: Tensor, geometry: Geometry, positions: int = 1) -> None:
        self._counts: Tensor | None = None
        if not geometry.window:
            self.maps = inputs.reshape(-1, 1, inputs.shape[-1] // positions, positions)
            self.reads_each = positions
            return
        counts, self.reads_each = reading_counts(geometry, inputs.shape[2:])
        for axis, own in enumerate(counts, start=2):
            if not own.all():
                read = torch.from_numpy(np.flatnonzero(own)).to(inputs.device)
                inputs = inputs.index_select(axis, read)
        total = np.ones(1)
        for own in counts:
            total = np.outer(total, own[own > 0]).ravel()
        self.maps = inputs.flatten(2).unflatten(1, (geometry.groups, -1))
        if (total != 1).any():
            self._counts = torch.from_numpy(total).to(inputs)

    @cached_property
    def padding(self) -> float:
        """How often a sample's padding is read, where all channels are zero."""
        places = self.maps.shape[3] if self._counts is None else float(self._counts.sum(dtype=torch.float32))
        return self.reads_each - places

    def weighted(self, maps: Tensor) -> Tensor:
        """Every place times how often it is read."""
        return maps if self._counts is None else maps * self._counts.to(maps)

    def totals(self, maps: Tensor) -> Tensor:
        """Sums over all samples and places, each as often as it is read: (blocks, channels)."""
        if self._counts is None:
            return maps.sum((0, 3))
        return (maps @ self._counts.to(maps)).sum(0)

    def chunks(self) -> Iterator[slice]:
        """Samples that are taken at once."""
        step = max(1, _NUMBERS // max(1, self.maps[:1].numel()))
        return (slice(start, start + step) for start in range(0, len(self.maps), step))


def products(a: Tensor, b: Tensor) -> Tensor:
    """``Σ a·bᵀ`` over samples and places of (samples, blocks, channels, places): (blocks, channels, channels)."""
    samples, blocks, channels, places = a.shape
    if samples == 1 or places >= max(channels, b.shape[2]):
        return (a @ b.mT).sum(0)
    if places == 1 and blocks == 1:
        return (a[:, 0, :, 0].mT @ b[:, 0, :, 0])[None]
    rows = (maps.permute(1, 2, 0, 3).reshape(blocks, maps.shape[2], -1) for maps in (a, b))
    first, second = rows
    return first @ second.mT


@dataclass
class Moments:
    """Sums over all that a layer reads: of its inputs, and of what they lack of those in the whole network.

    With x the whole network's channels and y those that are left, "lacking" is x, less y where a channel stays. Both
    are taken about an offset, the first samples' mean of x, so that sums in single precision are as good about the
    variance as about the numbers themselves.

    Args:
        stays: the numbers of the channels that are left, (left,).
        exact: whether products are taken in double precision, not only summed up in it.
    """

    stays: np.ndarray
    exact: bool = False
    seen: int = 0  # places
    count: float = 0.0  # readings, padding included
    padding: float = 0.0
    offset: Any = None  # (blocks, channels)
    inputs: Any = 0.0  # (blocks, left)
    lacking: Any = 0.0  # (blocks, channels)
    gram: Any = 0.0  # (blocks, left, left)
    cross: Any = 0.0  # (blocks, left, channels)
    _stays: Any = None
    _of_left: Any = None

    def add(self, mine: Observed, whole: Observed) -> None:
        """What the layer reads in the cut network and in the whole one, of the same samples."""
        self.seen += len(mine.maps) * mine.maps.shape[3]
        self.count += len(mine.maps) * mine.reads_each
        self.padding += len(mine.maps) * mine.padding
        for some in mine.chunks():
            self._add(mine, mine.maps[some], whole.maps[some])

    def _add(self, how: Observed, left: Tensor, whole: Tensor) -> None:
        left, whole = (to_float64(maps) if self.exact else maps.float() for maps in (left, whole))
        if self.offset is None:
            self.offset = whole.mean((0, 3))
            self._stays = torch.from_numpy(self.stays).to(whole.device)
            self._of_left = self.offset[:, self._stays]
        lacking = whole - self.offset[:, :, None]
        centred = left - self._of_left[:, :, None]
        lacking.index_add_(2, self._stays, centred, alpha=-1)
        weighted = how.weighted(centred)
        self.inputs = self.inputs + to_float64(how.totals(centred))
        self.lacking = self.lacking + to_float64(how.totals(lacking))
        self.gram = self.gram + to_float64(products(weighted, centred))
        self.cross = self.cross + to_float64(products(weighted, lacking))

    def solved(self, ridge: float, *, constant: bool) -> tuple[Tensor, Tensor]:
        """What is lacking as ``inputs·mix + rest``: (blocks, left, channels) and (blocks, channels), float64.

        Ridge regression (Hoerl and Kennard 1970), ``mix = (YᵀY/n + ridge·s·I)⁻¹ YᵀX/n`` with s the mean square of the
        inputs; with a constant, which is not damped, of inputs and what is lacking about their means. Of inputs that
        hardly vary, s is no smaller than `LEAST` of their mean square about zero: nothing is fitted to rounding.
        """
        own = to_float64(self.offset)
        stays = torch.from_numpy(self.stays).to(own.device)
        of_left = own[:, stays]
        of_lacking = own.index_fill(1, stays, 0.0)
        # the padding: all channels are zero there, so that the offset is what they are away from it
        inputs = (self.inputs - self.padding * of_left) / self.count
        lacking = (self.lacking - self.padding * of_lacking) / self.count
        gram = (self.gram + self.padding * _outer(of_left, of_left)) / self.count
        cross = (self.cross + self.padding * _outer(of_left, of_lacking)) / self.count
        least = LEAST * _mean_square(gram, inputs, of_left)
        if constant:
            gram = gram - _outer(inputs, inputs)
            cross = cross - _outer(inputs, lacking)
        else:
            gram = gram + _outer(inputs, of_left) + _outer(of_left, inputs) + _outer(of_left, of_left)
            cross = cross + _outer(inputs, of_lacking) + _outer(of_left, lacking) + _outer(of_left, of_lacking)
        mix = _solve(_damped(gram, ridge, least), cross)
        if not constant:
            return mix, torch.zeros_like(lacking)
        return mix, lacking + of_lacking - ((inputs + of_left)[:, None] @ mix)[:, 0]


class WindowMoments:
    """Sums over windows of a convolution: of what it reads in the cut network, and gives in the whole one.

    With u a window of the cut network, all its channels and kernel places, and z the convolution's output there in the
    whole network, without its bias. Of many windows some are looked at, drawn by a fixed seed. Sums are taken about
    offsets, the first windows' means, as in `Moments`.

    Args:
        weights: of the whole network, (blocks, outputs, channels, kernel places).
        geometry: of the convolution.
        share: of the windows that are looked at.
        exact: see `Moments`.
    """

    def __init__(self, weights: Tensor, geometry: Geometry, share: float, *, exact: bool = False) -> None:
        self._weights, self._geometry, self._share, self._exact = weights, geometry, share, exact
        self._drawing = torch.Generator().manual_seed(0)
        self._offsets: tuple[Tensor, Tensor] | None = None
        self.count = 0  # of the windows that were looked at
        self._sums: Any = (0.0, 0.0)  # of u and of z: (blocks, unknowns), (blocks, outputs)
        self._gram: Any = 0.0
        self._cross: Any = 0.0

    @property
    def unknowns(self) -> int:
        """How many weights each output has over what is left; 0 before anything was seen."""
        return 0 if self._offsets is None else self._offsets[0].shape[1]

    def add(self, mine: Tensor, whole: Tensor) -> None:
        """What the layer is given in the cut network and in the whole one, of the same samples."""
        step = max(1, _NUMBERS // max(1, whole[:1].numel()))
        for left, read in zip(mine.split(step), whole.split(step), strict=True):
            self._add(left, read)

    def _add(self, mine: Tensor, whole: Tensor) -> None:
        places = _window_counts(self._geometry, whole.shape[2:])
        total = len(whole) * int(np.prod(places))
        taken = max(1, round(self._share * total))
        drawn = torch.randperm(total, generator=self._drawing)[:taken] if taken < total else torch.arange(total)
        inputs, read = (self._precise(windows(each, self._geometry, places, drawn)) for each in (mine, whole))
        outputs = read @ self._weights.to(read).flatten(2).mT
        if self._offsets is None:
            self._offsets = inputs.mean(1), outputs.mean(1)
        inputs, outputs = (x - offset[:, None] for x, offset in zip((inputs, outputs), self._offsets, strict=True))
        self.count += taken
        self._sums = tuple(total + to_float64(x.sum(1)) for total, x in zip(self._sums, (inputs, outputs), strict=True))
        self._gram = self._gram + to_float64(inputs.mT @ inputs)
        self._cross = self._cross + to_float64(inputs.mT @ outputs)

    def _precise(self, values: Tensor) -> Tensor:
        return to_float64(values) if self._exact else values.float()

    def solved(self, prior: Tensor, ridge: float, *, constant: bool) -> tuple[Tensor, Tensor]:
        """Weights as (blocks, outputs, left, kernel places), and what is added to the outputs, (blocks, outputs).

        Ridge regression as in `Moments.solved`, but towards the weights `prior`.
        """
        assert self._offsets is not None
        of_inputs, of_outputs = (to_float64(offset) for offset in self._offsets)
        inputs, outputs = (total / self.count for total in self._sums)
        gram, cross = self._gram / self.count, self._cross / self.count
        least = LEAST * _mean_square(gram, inputs, of_inputs)
        if constant:
            gram, cross = gram - _outer(inputs, inputs), cross - _outer(inputs, outputs)
        else:
            gram = gram + _outer(inputs, of_inputs) + _outer(of_inputs, inputs) + _outer(of_inputs, of_inputs)
            cross = cross + _outer(inputs, of_outputs) + _outer(of_inputs, outputs) + _outer(of_inputs, of_outputs)
        before = prior.flatten(2)
        found = before + _solve(_damped(gram, ridge, least), cross - gram @ before.mT).mT
        if not constant:
            return found.reshape(prior.shape), torch.zeros_like(outputs)
        rest = outputs + of_outputs - (found @ (inputs + of_inputs)[:, :, None])[:, :, 0]
        return found.reshape(prior.shape), rest


def window_share(geometry: Geometry, weight: Tensor, sizes: torch.Size, samples: int) -> float:
    """Which share of a convolution's windows is looked at: `PER_UNKNOWN` for each unknown, or all.

    Args:
        weight: of the cut network.
        sizes: of its maps, without padding.
        samples: that there are.
    """
    unknowns = weight[0].numel()
    return min(1.0, PER_UNKNOWN * unknowns / (samples * int(np.prod(_window_counts(geometry, sizes)))))


def _window_counts(geometry: Geometry, sizes: torch.Size) -> list[int]:
    """How many windows lie along every axis of the maps."""
    return [
        (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        for size, (kernel, stride, padding, dilation) in zip(sizes, geometry.window, strict=True)
    ]


def windows(maps: Tensor, geometry: Geometry, counts: list[int], numbers: Tensor) -> Tensor:
    """The chosen windows of a convolution, with zeros for its padding: (blocks, windows, channels · kernel places).

    Args:
        maps: (samples, channels, …).
        counts: how many windows lie along every axis.
        numbers: of the windows, those of the first sample first.
    """
    padding = [size for _, _, each, _ in reversed(geometry.window) for size in (each, each)]
    last = F.pad(maps, padding).movedim(1, -1).contiguous()
    sample, *starts = (index.to(maps.device) for index in torch.unravel_index(numbers, (len(maps), *counts)))
    places = np.ndindex(*(kernel for kernel, *_ in geometry.window))
    parts = []
    for place in places:
        steps = zip(starts, place, geometry.window, strict=True)
        parts.append(last[(sample, *(start * stride + k * dilation for start, k, (_, stride, _, dilation) in steps))])
    return torch.stack(parts, -1).unflatten(1, (geometry.groups, -1)).transpose(0, 1).flatten(2)


def _outer(a: Tensor, b: Tensor) -> Tensor:
    return a[:, :, None] * b[:, None]


def _mean_square(gram: Tensor, means: Tensor, offset: Tensor) -> Tensor:
    """The mean square of each block's inputs about zero, (blocks,), from their means and products about an offset."""
    return (gram.diagonal(dim1=1, dim2=2) + 2 * means * offset + offset.square()).mean(1)


def _damped(gram: Tensor, ridge: float, least: Tensor) -> Tensor:
    """With a ridge relative to the gram's own size, which counts as `least` (blocks,) where it is smaller."""
    size = gram.diagonal(dim1=1, dim2=2).mean(1).maximum(least).clamp_min(torch.finfo(torch.float32).tiny)
    return gram + ridge * torch.diag_embed(size[:, None].expand(gram.shape[:2]))


def _solve(damped: Tensor, cross: Tensor) -> Tensor:
    """By Cholesky; where rounding left no positive definite matrix, by elimination."""
    factor, failed = torch.linalg.cholesky_ex(damped)
    if bool(failed.any()):
        return torch.linalg.solve(damped, cross)
    return torch.cholesky_solve(cross, factor)


def to_blocks(weight: Tensor, geometry: Geometry, positions: int) -> Tensor:
    """A weight as (blocks, outputs, channels, entries), entries being kernel places or those of one channel."""
    groups = geometry.groups
    if geometry.transposed:
        return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(3)
    matrix = weight.mT if geometry.inputs_first else weight
    if geometry.window:
        return matrix.unflatten(0, (groups, -1)).flatten(3)
    return matrix.reshape(1, len(matrix), -1, positions)


def from_blocks(blocks: Tensor, geometry: Geometry, shape: torch.Size) -> Tensor:
    """The inverse of `to_blocks`, in the weight's shape."""
    if geometry.transposed:
        return blocks.transpose(1, 2).reshape(shape)
    if geometry.inputs_first:
        return blocks.reshape(shape[1], shape[0]).mT
    return blocks.reshape(shape)
