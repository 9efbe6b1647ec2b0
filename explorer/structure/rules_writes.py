"""Rules of operators that write into a tensor, or into a part of one."""

from collections.abc import Collection, Mapping
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from explorer.structure.labels import LARGEST, collapse, restrict, varying
from explorer.structure.operators import Operator
from explorer.structure.rules_views import FIXED
from explorer.structure.tracing import Tracing

WRITTEN = "written into a part of another tensor"


def overwrite(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """What is written into takes over the channels."""
    label = tracing.label(args[1] if operator.name == "copy" else None)
    if label is not None and isinstance(out, Tensor) and label.dim() <= out.dim():
        take_over(tracing, label.expand(out.shape), out)
    else:
        tracing.freeze(label, WRITTEN)


def take_over(tracing: Tracing, label: Tensor, out: Tensor) -> None:
    """What is written into has these channels, as a whole also where a part of its positions is meant.

    Of a part of its channels the others stay what they are, or what is written into them later.
    """
    base = out._base
    if base is not None:
        region = _region(out, base, {*varying(tracing.labels.get(base))}, varying(label))
        if region is None or prod(base.shape[b] for b in region) > LARGEST:
            tracing.freeze(label, WRITTEN)
            return
        tracing.assign(base, _written(tracing, label, base, region))
    tracing.assign(out, label)


class _Stretch(NamedTuple):
    """Where a part lies along one axis of a tensor, and which of its own axes that is, if it has several entries."""

    place: slice
    axis: int | None


Region = Mapping[int, _Stretch]  # by the axis of the whole


def _region(part: Tensor, base: Tensor, known: Collection[int], varied: Collection[int]) -> Region | None:
    """Where a part lies in a tensor along those axes along which channels vary; None where that can't be told.

    Args:
        known: such axes of the tensor.
        varied: such axes of the part.
    """
    order = sorted((b for b in range(base.dim()) if base.shape[b] > 1), key=base.stride, reverse=True)
    runs: dict[int, int] = {}  # axes of the part by those of the tensor
    several = [d for d in range(part.dim()) if part.shape[d] > 1]
    for d in several:
        b = next((b for b in order if part.stride(d) % base.stride(b) == 0), None)
        if b is not None and b not in runs and part.shape[d] <= base.shape[b]:
            runs[b] = d
    lost = {*several} - {*runs.values()}  # they run along several axes of the tensor
    if lost & {*varied} or (lost and not {*known} <= runs.keys()):
        return None
    offset = int(part.storage_offset()) - int(base.storage_offset())
    region = {}
    for b in order:
        start, offset = divmod(offset, base.stride(b))
        if b in known or runs.get(b) in varied:
            step, size = (part.stride(runs[b]) // base.stride(b), part.shape[runs[b]]) if b in runs else (1, 1)
            region[b] = _Stretch(slice(start, start + step * (size - 1) + 1, step), runs.get(b))
    return region


def _written(tracing: Tracing, label: Tensor, base: Tensor, region: Region) -> Tensor:
    """The label of a tensor when channels are written into a region of it: they meet what was written there before."""
    channels = _turned(label, base, region)
    known = tracing.labels.get(base)
    if known is None:
        if all(channels.shape[b] == base.shape[b] for b in region):
            return channels.expand(base.shape)
        known = _unwritten(tracing, base, region)
    whole = restrict(known, {*region, *varying(known)}).clone()
    part = whole[_within(base, region)]
    blank = tracing.unwritten.get(base, range(0))
    first = (part >= blank.start) & (part < blank.stop)
    channels = channels.expand(part.shape)
    met, written = (ids[~first].numpy() for ids in (part, channels))
    tracing.ledger.unite(met, written, "written into one tensor", tracing.here)
    part.copy_(torch.where(first, channels, part))
    return collapse(whole.expand(base.shape))


def _turned(label: Tensor, base: Tensor, region: Region) -> Tensor:
    """The label of a part with the axes of the tensor, of size 1 where it does not vary."""
    order = [region[b].axis if b in region else None for b in range(base.dim())]
    axes = [d for d in order if d is not None]
    channels = restrict(label, axes).permute([*axes, *(d for d in range(label.dim()) if d not in axes)])
    return channels.reshape([1 if d is None else label.shape[d] for d in order])


def _within(base: Tensor, region: Region) -> tuple[slice, ...]:
    return tuple(region[b].place if b in region else slice(None) for b in range(base.dim()))


def _unwritten(tracing: Tracing, base: Tensor, region: Region) -> Tensor:
    """A label along axes of a tensor for what is not written into yet, which stays so unless it is zero."""
    rest = base.clone()
    rest[_within(base, region)] = 0
    sizes = [size if b in region else 1 for b, size in enumerate(base.shape)]
    fixed, ledger = bool(rest.any()), tracing.ledger
    ids = ledger.constant(prod(sizes), f"{FIXED} in {tracing.here}") if fixed else ledger.blank(prod(sizes))
    tracing.unwritten[base] = range(int(ids[0]), int(ids[-1]) + 1)
    return torch.from_numpy(ids).reshape(sizes).expand(base.shape)
