"""Rules of operators that act along one axis, or between positions, and let channels along other axes pass."""

from collections.abc import Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import along, on_axis, restrict, varying
from explorer.structure.operators import Operator
from explorer.structure.rules_entrywise import differs_along
from explorer.structure.rules_weights import convolution
from explorer.structure.rules_writes import take_over
from explorer.structure.tracing import Tracing


def act_along(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """What comes out at one place depends on the others along some axes: sorted, summed up so far, transformed."""
    label = tracing.label(args[0])
    if label is None:
        return
    dims = _axes(operator, label.dim(), args, kwargs)
    if dims & set(varying(label)) and _choose(tracing, operator, label, dims, args, out):
        return
    for tensor in tree_leaves((args[1:], kwargs)):  # by which entries are chosen
        tracing.freeze(tracing.label(tensor), f"used as an index by {operator.name}")
    if dims & set(varying(label)):
        tracing.freeze(label, f"{operator.name} over channels")
        return
    for made in tree_leaves(out):
        tracing.assign(made, _in_shape(label, made))


def _choose(tracing: Tracing, operator: Operator, label: Tensor, dims: set[int], args: tuple, out: Any) -> bool:
    """Follow the choice of the best of some channels, or a look at those that were chosen; False for anything else."""
    if set(varying(label)) != dims or len(dims) > 1:
        return False
    ids = along(label, *dims)
    if operator.name == "topk":
        tracing.choose(tree_leaves(out)[1], ids, args[1], f"topk over channels in {tracing.here}")
        return True
    return operator.name == "gather" and np.array_equal(tracing.chosen.get(args[2], ()), ids)


def _axes(operator: Operator, rank: int, args: tuple, kwargs: dict) -> set[int]:
    """The axes along which an operator acts."""
    if operator.name in ("tril", "triu"):
        return {rank - 2, rank - 1}
    given = args[2:] if operator.name == "topk" else args[1:]
    dims = kwargs.get("dim", given[0] if given and not isinstance(given[0], bool) else -1)
    return {d % rank for d in ([dims] if isinstance(dims, int) else dims)}


def _in_shape(label: Tensor, like: Tensor) -> Tensor:
    """The label of an output that has as many channels, and other numbers of positions."""
    axes = varying(label)
    channels = restrict(label, axes)
    for d in axes:
        channels = channels.narrow(d, 0, like.shape[d])  # an index may be shorter than what it chooses from
    return channels.expand(like.shape)


def scatter(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """What is written to, or added up at, places that are chosen has the same channels as what stood there."""
    into, source, dims = _written(operator, args, kwargs)
    labels = [tracing.label(tensor) for tensor in (into, source)]
    known = [label for label in labels if label is not None]
    if not known:
        return
    if _at_chosen(tracing, operator, args):
        tracing.assign(out, known[0].expand(out.shape))
        return
    axes = {d - label.dim() for label in known for d in varying(label)}
    if axes & dims or any(-d > label.dim() for label in known for d in axes):
        for label in known:
            tracing.freeze(label, f"{operator.name} over channels")
        return
    channels = [_at_end(label, axes) for label in known]
    if len(channels) > 1:
        first, second = torch.broadcast_tensors(*channels)
        tracing.unite(first, second, "written into one tensor")
    elif any(differs_along(tensor, d) for tensor in (into, source) if tracing.label(tensor) is None for d in axes):
        tracing.freeze(known[0], f"{operator.name} with a tensor of fixed width")
    take_over(tracing, channels[0].expand(out.shape), out)


def _at_chosen(tracing: Tracing, operator: Operator, args: tuple) -> bool:
    """Whether one number is written at those of some channels that were chosen among them, as to choose the next."""
    label = tracing.label(args[0])
    if operator.name != "scatter" or label is None or varying(label) != [args[1] % label.dim()]:
        return False
    one = not isinstance(args[3], Tensor) or args[3].numel() == 1
    return one and np.array_equal(tracing.chosen.get(args[2], ()), along(label, args[1] % label.dim()))


def _written(operator: Operator, args: tuple, kwargs: dict) -> tuple[Tensor, Any, set[int]]:
    """What is written into, what is written, and the axes along which it chooses places, counted from the last."""
    into = args[0]
    if operator.name == "index_put":
        chosen = [d for d, numbers in enumerate(args[1]) if numbers is not None]
        spanned = sum(max(n.dim(), 1) - 1 for n in args[1] if n is not None and n.dtype is torch.bool)
        return into, args[2], {d - into.dim() for d in range(min(chosen), max(chosen) + 1 + spanned)}
    source = args[3] if len(args) > 3 else kwargs.get("src", kwargs.get("source", kwargs.get("value")))
    return into, source, {args[1] % into.dim() - into.dim()}


def _at_end(label: Tensor, axes: Collection[int]) -> Tensor:
    """The channels along these axes, counted from the last, with axes of size 1 between them."""
    channels = restrict(label, {d + label.dim() for d in axes})
    return channels.reshape(channels.shape[min(axes, default=0) :] if axes else ())


# Windows and coordinates ---------------------------------------------------------------------------------


def unfold(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """(batch, channel, height, width) → (batch, channel · place in the window, window)."""
    label = tracing.label(args[0])
    label = None if label is None else tracing.unmix(label, {0, 2, 3}, "cut into windows over mixed axes")
    if label is not None:
        ids = along(label, 1)
        tracing.assign(out, on_axis(np.repeat(ids, out.shape[-2] // len(ids)), out.dim() - 2, out.shape))


def fold(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """(batch, channel · place in the window, window) → (batch, channel, height, width)."""
    label = tracing.label(args[0])
    label = None if label is None else tracing.unmix(label, {0, 2}, "put together from windows over mixed axes")
    if label is not None:
        ids = along(label, label.dim() - 2).reshape(out.shape[1], -1)
        tracing.unite_rows(ids.T, "put together from windows")
        tracing.assign(out, on_axis(ids[:, 0], 1, out.shape))


def sample(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Images looked at where coordinates point."""
    label = tracing.label(args[0])
    tracing.freeze(tracing.label(args[1]), "used as coordinates")
    label = None if label is None else tracing.unmix(label, set(range(label.dim())) - {1}, "sampled over mixed axes")
    if label is not None:
        tracing.assign(out, restrict(label, {1})[:1].expand(out.shape))


def unpool(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Maxima back at their places, which belong to the channels in which they were found."""
    labels = [label for tensor in args[:2] if (label := tracing.label(tensor)) is not None]
    if any(set(varying(label)) - {1} for label in labels):
        for label in labels:
            tracing.freeze(label, f"{operator.name} over mixed axes")
    elif labels:
        tracing.unite(labels[0], labels[-1], "unpooling")
        tracing.assign(out, restrict(labels[0], {1}).expand(out.shape))


def deformed(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """A convolution whose taps lie where offsets point, and count as much as a mask says."""
    x, weight, offset, mask, bias, *_, groups, _offset_groups, _use_mask = args
    for tensor in (offset, mask):
        tracing.freeze(tracing.label(tensor), "used as coordinates")
    convolution(tracing, operator, (x, weight, bias, groups), {}, out)
