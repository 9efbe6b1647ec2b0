"""The rule of operators that compute entry by entry: channels that meet leave together."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure import rules_kernels
from explorer.structure.arguments import take
from explorer.structure.labels import along, flat, ids_in, restrict, varying
from explorer.structure.operators import ADD, Operator
from explorer.structure.tracing import Tracing

_TIES = {"mul": "product", "add": "addition"}  # how a person calls what ties channels; else the operator's name


class _Operand(NamedTuple):
    """A tensor, and its label in the shape of the output."""

    tensor: Tensor
    label: Tensor


def entrywise(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Operands with channels are tied to one another; what has none must be the same for all channels."""
    if operator is ADD and _is_bias(tracing, *args[:2]):
        _add_bias(tracing, args[0], args[1], out)
        return
    outs = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    followed = any(tensor in tracing.labels for tensor in tensors)
    if not followed and rules_kernels.from_entries(tracing, operator, tensors, outs):
        return
    shape = outs[0].shape
    operands, others = _labelled(tracing, tensors, shape)
    if not operands or not (followed or all(_same_along(tensor, operands[0].label) for tensor in others)):
        return  # a parameter that meets what has no channels has none: a position bias of a single head
    label = _united(tracing, operator, operands)
    _observe(tracing, label)
    for tensor in others:
        meet_constant(tracing, operator.name, tensor, label)
    if operator.activation and len(axes := varying(label)) == 1:
        tracing.ledger.activate(along(label, *axes), operator.name)
    for each in outs:
        if each.shape == shape:
            tracing.assign(each, label)


# The bias of a layer -------------------------------------------------------------------------------------


def _is_bias(tracing: Tracing, x: Any, vector: Any) -> bool:
    """Whether a layer adds its own vector to its rows, as `linear` does where its input does not lie in one piece."""
    view = tracing.views.get(vector) if isinstance(vector, Tensor) and vector.dim() == 1 else None
    label = tracing.labels.get(x) if isinstance(x, Tensor) else None
    if view is None or label is None or varying(label) != [label.dim() - 1]:
        return False
    owners = {tracing.path[-1], view.name.rpartition(".")[0]}
    producers = tracing.ledger.producers_of(along(label, label.dim() - 1))
    return any(owners == {producer.tensor.rpartition(".")[0]} for producer in producers)


def _add_bias(tracing: Tracing, x: Tensor, vector: Tensor, out: Tensor) -> None:
    label = tracing.labels[x]
    tracing.attach(vector, along(label, x.dim() - 1))
    tracing.assign(out, label)


# Operands without channels -------------------------------------------------------------------------------


def meet_constant(tracing: Tracing, what: str, tensor: Tensor, label: Tensor) -> None:
    """Channels stay where a tensor without a label has a number of its own for each.

    One that differs only inside a head (cosines of a rotary embedding) lets heads leave as a whole. Of one that a
    module is given (slopes of ALiBi) what belongs to them leaves with them.
    """
    axes = varying(label)
    own = {d for d in axes if _runs_along(tensor, d - label.dim())}
    if not own or tensor in tracing.noise:
        return
    if own == {*axes} and _same_along(tensor, label):
        if tensor not in tracing.views:
            _adopt(tracing, tensor, label)
        return
    if axes[0] in own and differs_along(tensor, axes[0] - label.dim()):
        own -= take(tracing, tensor, label)
    if own:
        tracing.fix(label, own, f"{what} with a tensor of fixed width")


def differs_along(tensor: Tensor, axis: int) -> bool:
    """Whether a constant has entries of its own for every channel; equal ones may be as many as there are channels."""
    if not _runs_along(tensor, axis):
        return False
    return not torch.equal(tensor, tensor.narrow(axis, 0, 1).expand_as(tensor))


def _runs_along(tensor: Tensor, axis: int) -> bool:
    """Whether a constant has an entry for every channel along an axis, counted from the last."""
    return -axis <= tensor.dim() and tensor.shape[axis] > 1 and tensor.stride(axis) != 0


def _same_along(tensor: Tensor, label: Tensor) -> bool:
    """Whether all entries of a constant are equal where a label varies."""
    axes = [axis for d in varying(label) if _runs_along(tensor, axis := d - label.dim())]
    return all(torch.equal(tensor, tensor.narrow(axis, 0, 1).expand_as(tensor)) for axis in axes)


def _adopt(tracing: Tracing, tensor: Tensor, label: Tensor) -> None:
    """Let a constant with an entry per channel, all equal, stand for the channels it first meets."""
    own = restrict(label, varying(label))
    for _ in range(label.dim() - tensor.dim()):
        own = own.squeeze(0)
    tracing.labels[tensor] = own.expand(tensor.shape)


# Operands with channels ----------------------------------------------------------------------------------


def _labelled(tracing: Tracing, tensors: Sequence[Tensor], shape: torch.Size) -> tuple[list[_Operand], list[Tensor]]:
    """The operands with channels, and the tensors without; parameters have some where the widest label varies."""
    known = [tracing.labels[tensor].expand(shape) for tensor in tensors if tensor in tracing.labels]
    like = max(known, key=lambda label: len(varying(label)), default=None)
    labels = [(tensor, tracing.label(tensor, like)) for tensor in tensors]
    operands = [_Operand(tensor, label.expand(shape)) for tensor, label in labels if label is not None]
    return operands, [tensor for tensor, label in labels if label is None]


def _united(tracing: Tracing, operator: Operator, operands: Sequence[_Operand]) -> Tensor:
    """Tie every operand to the one whose channels vary along the most axes, whose label is the output's."""
    frozen_norm = _in_frozen_norm(tracing)
    what = "" if frozen_norm else _TIES.get(operator.name, operator.name)
    widest, *others = operands
    for other in others:
        if _cross(widest.label, other.label):
            widest = _larger(tracing, widest, other)
            continue
        fewer = len(varying(widest.label)) < len(varying(other.label))
        narrower, wider = (widest, other) if fewer else (other, widest)
        meet(tracing, narrower.tensor, narrower.label, wider.label, what)
        if operator is ADD and not frozen_norm:
            _add_up(tracing, widest.label, other.label)
        widest = wider
    return widest.label


def _cross(a: Tensor, b: Tensor) -> bool:
    """Whether every channel of one label meets every channel of the other."""
    return bool(varying(a) and varying(b)) and not {*varying(a)} & {*varying(b)}


def _larger(tracing: Tracing, a: _Operand, b: _Operand) -> _Operand:
    """Of two operands whose channels cross (an outer product) the one with more, which can be followed further."""
    fewer, more = sorted((a, b), key=lambda operand: prod(operand.label.shape[d] for d in varying(operand.label)))
    tracing.freeze(fewer.label, "they meet all channels of a wider tensor")
    return more


def _add_up(tracing: Tracing, a: Tensor, b: Tensor) -> None:
    axes = varying(a)
    if len(axes) == 1 and axes == varying(b):
        tracing.ledger.add_up(along(a, *axes), along(b, *axes))


def _in_frozen_norm(tracing: Tracing) -> bool:
    """Whether the module that is running is a batch norm written as a product and an addition."""
    return (f"{tracing.path[-1]}.running_var", 0) in tracing.ledger.axes


def _observe(tracing: Tracing, label: Tensor) -> None:
    if varying(label) == [1] and _in_frozen_norm(tracing):
        tracing.ledger.observe_behind(tracing.path[-1], along(label, 1))


def meet(tracing: Tracing, tensor: Tensor, label: Tensor, other: Tensor, what: str) -> None:
    """Tie the label of a tensor, expanded, to another one that varies along at least as many axes.

    What is the same for all channels (a gate of one channel) is not tied to them. What is the same for all heads
    but has an entry for every place in them leaves with these, or stays, where heads leave as a whole.
    """
    own, axes = set(varying(label)), set(varying(other))
    skipped = label.dim() - tensor.dim()
    shared = {d for d in axes - own if d < skipped or tensor.shape[d - skipped] == 1 or tensor.stride(d - skipped) == 0}
    if not own and axes and shared == axes:
        tracing.ledger.keep(int(ids_in(label)[0]), f"one channel meets all others in {tracing.here}")
    elif own < axes and shared and min(shared) < min(own):
        rows = sorted(axes - own)
        grid = restrict(other, axes).permute([*rows, *(d for d in range(other.dim()) if d not in rows)])
        places = flat(label, own)
        tracing.ledger.share(places, grid.reshape(-1, len(places)).numpy(), what, tracing.here)
    else:
        tracing.unite(label, other, what)
