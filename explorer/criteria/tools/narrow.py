"""Changes to a few channels of an activation, followed through the operators that keep channels apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd

from explorer.structure.operators import ACTIVATIONS

_ENTRYWISE = {*ACTIVATIONS, "clone", "alias", "detach", "neg", "abs", "exp", "clamp"}
_OF_TWO = {"add", "sub", "mul", "div"}
_POOLS = {"max_pool2d_with_indices", "avg_pool2d", "adaptive_avg_pool2d", "_adaptive_avg_pool2d"}
_VIEWS = {"view", "_unsafe_view"}
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
LAYERS = (*CONVOLUTIONS, *NORMS, nn.Linear)
"""Layers of which only what changes need be computed."""


@dataclass(frozen=True)
class Narrow:
    """An activation that has changed in a few channels.

    Args:
        axis: of the channels.
        size: how many there are.
        index: those that have changed.
        old: what these were.
        new: what they are.
    """

    axis: int
    size: int
    index: Tensor
    old: Tensor
    new: Tensor

    def applied(self, base: Tensor) -> Tensor:
        """The activation, where `base` is what it was."""
        return base.index_copy(self.axis, self.index, self.new)


@dataclass(frozen=True)
class Delta:
    """An activation that has changed by `by` in all of its channels."""

    by: Tensor

    def applied(self, base: Tensor) -> Tensor:
        """The activation, where `base` is what it was."""
        return base + self.by


def through_layer(layer: nn.Module, x: Narrow) -> Narrow | Delta | None:
    """What a layer makes of the change; None where it is one to all of its channels that can't be had for less."""
    if isinstance(layer, nn.Linear) and x.axis == x.new.ndim - 1:
        return Delta(F.linear(x.new - x.old, layer.weight.index_select(1, x.index)))
    if x.axis != 1:
        return None
    if isinstance(layer, NORMS) and not layer.training and layer.running_mean is not None:
        return _normalised(layer, x)
    if not isinstance(layer, CONVOLUTIONS) or x.new.ndim != layer.weight.ndim:
        return None
    if layer.groups == 1:
        return Delta(layer._conv_forward(x.new - x.old, layer.weight.index_select(1, x.index), None))
    if layer.groups == layer.in_channels == layer.out_channels and layer.padding_mode == "zeros":
        return _depthwise(layer, x)
    return None


def through_operator(name: str, call: Any, args: Sequence[Any], kwargs: dict) -> Narrow | None:
    """What an ATen operator makes of changes among its arguments; None where it does not keep channels apart.

    Args:
        name: of the operator, without the underscore of those that write into their first argument.
        args: with a `Narrow` in place of every tensor that has changed.
    """
    first, *rest = args
    if name in _ENTRYWISE and isinstance(first, Narrow) and not any(_is_tensor(value) for value in rest):
        return _each(first, lambda x: call(x, *rest, **kwargs))
    if name in _OF_TWO:
        return _of_two(call, first, rest[0], rest[1:], kwargs)
    if name == "cat":
        return _joined(call, first, rest[0] if rest else 0)
    if not isinstance(first, Narrow) or kwargs or any(_is_tensor(value) for value in rest):
        return None
    if name in _POOLS and (first.axis, first.new.ndim) == (1, 4):
        pooled = _each(first, lambda x: call(x, *rest))
        return _each(pooled, lambda x: x[0]) if name == "max_pool2d_with_indices" else pooled
    if name == "mean" and rest:
        return _mean(call, first, *rest)
    if name in _VIEWS and first.axis == 1:
        return _flattened(first, rest[0])
    return None


def _each(x: Narrow, function: Any) -> Narrow:
    return replace(x, old=function(x.old), new=function(x.new))


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor | Narrow)


def _normalised(layer: _BatchNorm, x: Narrow) -> Narrow:
    tensors = layer.running_mean, layer.running_var, layer.weight, layer.bias
    mean, variance, weight, bias = (None if own is None else own.index_select(0, x.index) for own in tensors)
    return _each(x, lambda part: F.batch_norm(part, mean, variance, weight, bias, False, 0.0, layer.eps))


def _depthwise(layer: _ConvNd, x: Narrow) -> Narrow:
    weight = layer.weight.index_select(0, x.index)
    bias = None if layer.bias is None else layer.bias.index_select(0, x.index)
    convolve = getattr(F, f"conv{weight.ndim - 2}d")
    options = layer.stride, layer.padding, layer.dilation, len(x.index)
    return _each(x, lambda part: convolve(part, weight, bias, *options))


def _of_two(call: Any, one: Any, other: Any, rest: list, kwargs: dict) -> Narrow | None:
    """An operator that treats two tensors entry by entry, perhaps one of them stretched."""
    x = one if isinstance(one, Narrow) else other
    parts = []
    for new in (False, True):
        pair = [_part(value, x, new) for value in (one, other)]
        if any(part is None for part in pair):
            return None
        parts.append(call(*pair, *rest, **kwargs))
    return replace(x, old=parts[0], new=parts[1])


def _part(value: Any, x: Narrow, new: bool) -> Any:
    """What of an operand meets the changed channels, before the change or after; None where they don't lie alike."""
    if isinstance(value, Narrow):
        alike = (value.axis, value.size) == (x.axis, x.size) and torch.equal(value.index, x.index)
        return (value.new if new else value.old) if alike else None
    if not isinstance(value, Tensor):
        return value
    axis = x.axis - (x.new.ndim - value.ndim)
    if value.ndim > x.new.ndim:
        return None
    if axis < 0 or value.shape[axis] == 1:
        return value
    return value.index_select(axis, x.index) if value.shape[axis] == x.size else None


def _joined(call: Any, tensors: list, axis: int) -> Narrow | None:
    changed = [place for place, tensor in enumerate(tensors) if isinstance(tensor, Narrow)]
    x = tensors[changed[0]]
    if len(changed) > 1 or axis % x.new.ndim != x.axis:
        return None
    sizes = [tensor.size if isinstance(tensor, Narrow) else tensor.shape[x.axis] for tensor in tensors]
    before = [0, *accumulate(sizes)]
    return replace(x, index=x.index + before[changed[0]], size=before[-1])


def _mean(call: Any, x: Narrow, axes: list[int], keep: bool = False) -> Narrow | None:
    axes = [axis % x.new.ndim for axis in axes]
    if x.axis in axes or not axes:
        return None
    moved = x if keep else replace(x, axis=x.axis - sum(axis < x.axis for axis in axes))
    return replace(moved, old=call(x.old, axes, keep), new=call(x.new, axes, keep))


def _flattened(x: Narrow, shape: list[int]) -> Narrow | None:
    """A view of (batch, channels, …) as (batch, entries)."""
    batch, _, *positions = x.new.shape
    each = prod(positions)
    if list(shape) not in ([batch, x.size * each], [batch, -1]):
        return None
    index = (x.index[:, None] * each + torch.arange(each, device=x.index.device)).flatten()
    return replace(_each(x, lambda part: part.reshape(batch, -1)), index=index, size=x.size * each)
