"""Rules of operators that only move entries, so that their channels move along."""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import LARGEST, Ids, along, collapse, on_axis, restrict, varying
from explorer.structure.ledger import Section
from explorer.structure.operators import TRANSPOSE, Kind, Operator
from explorer.structure.rules_entrywise import differs_along
from explorer.structure.tracing import Tracing
from explorer.structure.views import View

FIXED = "joined with a tensor of fixed width"


def move(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """A view of a parameter stays one, and channels move as the entries do."""
    tensor = args[0]
    if isinstance(tensor, Tensor) and tensor.numel() > LARGEST and not operator.strided:
        tracing.freeze_all((args, kwargs), f"the operator {operator.name}")
    elif tensor not in tracing.labels and (view := tracing.views.get(tensor)) is not None:
        _move_view(tracing, view, operator, args, kwargs, out)
    elif (label := tracing.label(tensor)) is not None:
        _move_channels(tracing, label, operator, args, kwargs, out)
    else:
        tracing.freeze_all(args[1:], f"used as an index by {operator.name}")


def transpose(tracing: Tracing, matrix: Tensor) -> Tensor:
    """A matrix turned, with what is known of it."""
    turned = matrix.t()
    move(tracing, TRANSPOSE, (matrix,), {}, turned)
    return turned


def _move_view(tracing: Tracing, view: View, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    parts = (view, *view.beside)
    moved = [[relabelled(operator, index, args, kwargs, out) for index in part.indices] for part in parts]
    for position, made in enumerate(tree_leaves(out)):
        if made is not args[0]:
            own, *beside = (
                replace(part, indices=tuple(each[position] for each in indices), moved=True)
                for part, indices in zip(parts, moved, strict=True)
            )
            tracing.views[made] = replace(own, beside=tuple(beside))


def _move_channels(tracing: Tracing, label: Tensor, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    if operator.kind is Kind.CHOOSE:
        _look_up(tracing, label, _chosen(operator, args))
    if operator.name == "slice" and len(args) > 4 and args[4] > 1 and (axis := args[1] % label.dim()) in varying(label):
        _slice_with_step(tracing, label, axis, *args[2:5])
    if operator.name in ("select", "unbind"):
        _tie_rows(tracing, label, args[1] if len(args) > 1 else 0)
    if operator.name == "view_as_complex":
        _tie_parts(tracing, label.unbind(-1))
    moved = relabelled(operator, label, args, kwargs, out)
    for made, moved_label in zip(tree_leaves(out), moved, strict=True):
        tracing.assign(made, moved_label)
    if operator.kind is Kind.SPLIT or operator.name == "slice":
        _note_sections(tracing, label, operator, args, moved)
    if operator.kind is Kind.SPLIT:
        _tie_parts(tracing, moved)


def relabelled(operator: Operator, label: Tensor, args: tuple, kwargs: dict, out: Any) -> list[Tensor]:
    """What the operator makes of a label: one label per output."""
    if operator.kind is Kind.SAME:
        return [label]
    if operator.name == "view_as_real":
        return [label.unsqueeze(-1).expand(out.shape)]
    if operator.name == "view_as_complex":
        return [label.select(-1, 0)]
    if operator.kind is Kind.RESHAPE:
        return [collapse(label.reshape(out.shape))]
    moved = tree_leaves(getattr(torch.ops.aten, operator.name)(label, *args[1:], **kwargs))
    return moved if operator.strided else [collapse(each) for each in moved]


def _chosen(operator: Operator, args: tuple) -> dict[int, Tensor]:
    """The numbers (or marks) by which an operator chooses entries, by axis."""
    if operator.name == "index_select":
        return {args[1] % args[0].dim(): args[2]}
    chosen: dict[int, Tensor] = {}
    axis = 0
    for numbers in args[1]:
        spanned = numbers.dim() if numbers is not None and numbers.dtype is torch.bool else 1
        if numbers is not None:
            chosen.update(dict.fromkeys(range(axis, axis + spanned), numbers))
        axis += spanned
    return chosen


def _look_up(tracing: Tracing, label: Tensor, chosen: dict[int, Tensor]) -> None:
    """Channels may be chosen by the numbers in a buffer, which the cut writes anew; other numbers can't follow."""
    axes = varying(label)
    if not chosen.keys() & set(axes):
        return
    (numbers, *others) = chosen.values()
    view = tracing.views.get(numbers)
    numbered = numbers.dim() == 1 and numbers.dtype is not torch.bool and view is not None and view.in_order
    if numbered and not others and len(axes) == 1:
        ids = along(label, axes[0])
        tracing.ledger.look_up(view.name, numbers.numpy() % len(ids), ids)
        return
    if not others and not numbers.dtype.is_floating_point and numbers.dtype is not torch.bool and (numbers < 0).all():
        (axis,) = chosen  # counted from the end: only what lies behind matters
        start = label.shape[axis] + int(numbers.min())
        label = label.narrow(axis, start, label.shape[axis] - start)
    tracing.fix(label, chosen.keys(), "chosen by fixed numbers")


def _note_sections(tracing: Tracing, label: Tensor, operator: Operator, args: tuple, moved: Sequence[Tensor]) -> None:
    """Write down what was taken: of a slice both bounds count, and of equal parts how much they are together."""
    axes = varying(label)
    if len(axes) != 1 or all(part.shape == label.shape for part in moved):
        return
    ids = along(label, axes[0])
    sections = [along(part, axes[0]) for part in moved]
    if operator.name == "slice":
        start, size = args[2] or 0, len(ids)
        start = max(start + size if start < 0 else start, 0)
        sections = [ids[:start], ids[start : start + len(sections[0])]]
    elif len({len(section) for section in sections}) == 1:
        sections.append(ids)
    for section in sections:
        if len(section) > 1:
            tracing.ledger.sections.append(Section(tracing.path[-1], section))


def _slice_with_step(tracing: Tracing, label: Tensor, axis: int, start: int, stop: int, step: int) -> None:
    """Every other channel is taken: those of one step leave together, since which it takes follows those before."""
    size = label.shape[axis]
    if size % step or not 0 <= start < step or stop < size:
        tracing.fix(label, {axis}, "sliced with a step")
        return
    steps = restrict(label, varying(label)).unflatten(axis, (-1, step))
    tracing.unite(steps.narrow(axis + 1, 0, 1).expand(steps.shape), steps, "slices with a step")


def _tie_rows(tracing: Tracing, label: Tensor, dim: int) -> None:
    """Rows that are taken by number (queries, keys and values of one product) keep their number, and equal lengths."""
    axes, dim = set(varying(label)), dim % label.dim()
    if dim in axes and len(axes) > 1:
        spread = restrict(label, axes)
        tracing.unite(spread.narrow(dim, 0, 1).expand(spread.shape), spread, "split into equal parts")


def _tie_parts(tracing: Tracing, parts: Sequence[Tensor]) -> None:
    """Equal parts of a labelled axis must stay equal: the same places of all parts leave together."""
    if len({part.shape for part in parts}) == 1:
        for part in parts[1:]:
            tracing.unite(parts[0], part, "split into equal parts")


def glu(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """One half of the channels gates the other."""
    label = tracing.label(args[0])
    if label is not None:
        halves = [collapse(half) for half in label.chunk(2, args[1] if len(args) > 1 else -1)]
        _tie_parts(tracing, halves)
        tracing.assign(out, halves[0])


def roi_align(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Boxes cut out of images have the images' channels."""
    label = tracing.label(args[0])
    tracing.freeze(tracing.label(args[1]), "used as boxes")
    if set(varying(label)) - {1}:
        tracing.freeze(label, "boxes cut out of mixed axes")
    elif label is not None:
        tracing.assign(out, restrict(label, {1})[:1].expand(out.shape))


def cat(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Along the axis of the channels they are joined, along any other those that meet leave together."""
    tensors = [tensor for tensor in args[0] if tensor.numel()]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    like = next((tracing.labels[tensor] for tensor in tensors if tensor in tracing.labels), None)
    if like is None:  # parameters: biases of queries and values beside one of keys that is always zero
        like = next((label for tensor in tensors if (label := tracing.label(tensor)) is not None), None)
    labels = [tracing.label(tensor, like) for tensor in tensors]
    known = [label for label in labels if label is not None]
    axes = {d for label in known for d in varying(label)}
    if not known:
        return
    if axes - {dim} and dim in axes:
        tracing.assign(out, _joined_along_two(tracing, tensors, labels, axes, dim, out))
    elif dim in axes or not axes:
        parts = [_ids_along(tracing, *pair, dim) for pair in zip(tensors, labels, strict=True)]
        tracing.assign(out, on_axis(np.concatenate(parts), dim, out.shape))
    else:
        others = [tensor for tensor, label in zip(tensors, labels, strict=True) if label is None]
        tracing.assign(out, _side_by_side(tracing, known, axes, others).expand(out.shape))


def _ids_along(tracing: Tracing, tensor: Tensor, label: Tensor | None, dim: int) -> Ids:
    """The channels of a part along one axis; those of a part without a label can't leave unless it is zero."""
    if label is None and (label := tracing.read_along(tensor, dim)) is None:
        return tracing.ledger.constant(tensor.shape[dim], f"{FIXED} in {tracing.here}")
    return along(label, dim)


def _side_by_side(tracing: Tracing, known: Sequence[Tensor], axes: set[int], others: Sequence[Tensor]) -> Tensor:
    """The label of parts joined along another axis than that of the channels; `others`, without one, stay as wide."""
    first = restrict(known[0], axes)
    for label in known[1:]:
        tracing.unite(first, restrict(label, axes), "concatenation")
    if any(differs_along(tensor, d - first.dim()) for tensor in others for d in varying(first)):
        tracing.freeze(first, FIXED)
    return first


def _joined_along_two(
    tracing: Tracing, tensors: Sequence[Tensor], labels: Sequence[Tensor | None], axes: set[int], dim: int, out: Tensor
) -> Tensor | None:
    """The label of parts that vary along `dim` and along other axes, joined entry by entry; None if it is too large."""
    if prod(out.shape[d] for d in axes) > LARGEST:
        for label in labels:
            tracing.freeze(label, "concatenation along two axes")
        return None
    parts = []
    for tensor, label in zip(tensors, labels, strict=True):
        if label is None:
            fixed = tracing.ledger.constant(1, f"{FIXED} in {tracing.here}")
            label = torch.from_numpy(fixed).expand(tensor.shape)
        parts.append(restrict(label, axes))
    return collapse(torch.cat(parts, dim).expand(out.shape))


def pad(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Zeros beside the channels may be any channels; other constants beside them stay."""
    label, widths, value = tracing.label(args[0]), args[1], args[2] if len(args) > 2 else 0
    if label is None:
        return
    axes = varying(label)
    sides = {out.dim() - 1 - i // 2: (widths[i], widths[i + 1]) for i in range(0, len(widths), 2)}
    padded = [d for d in axes if any(sides.get(d, ()))]
    if not padded:
        made: Tensor | None = restrict(label, axes)
    elif len(axes) == 1 and value == 0:
        made = _beside_zeros(tracing, label, axes[0], *sides[axes[0]])
    elif len(axes) > 1 and len(padded) == 1:
        made = _beside_places(tracing, label, padded[0], *sides[padded[0]])
    else:
        made = None
    if made is None:
        tracing.freeze(label, "padded along channels")
    else:
        tracing.assign(out, made.expand([-1 if d in axes else size for d, size in enumerate(out.shape)]))


def _beside_zeros(tracing: Tracing, label: Tensor, axis: int, before: int, after: int) -> Tensor:
    """Channels with zeros before and after them, or without some at their ends, where the widths are negative."""
    ids = along(label, axis)[max(-before, 0) : label.shape[axis] - max(-after, 0)]
    first, last = (tracing.ledger.blank(max(width, 0)) for width in (before, after))
    ids = np.concatenate([first, ids, last])
    return on_axis(ids, axis, tuple(len(ids) if d == axis else 1 for d in range(label.dim())))


def _beside_places(tracing: Tracing, label: Tensor, axis: int, before: int, after: int) -> Tensor | None:
    """Heads with more places than channels, which leave as a whole."""
    if min(before, after) < 0:
        return None
    tracing.fix(label, [axis], "padded along channels")
    own = restrict(label, varying(label))
    ends = (own.narrow(axis, 0, 1).expand(_resized(own, axis, width)) for width in (before, after))
    return torch.cat([next(ends), own, next(ends)], axis)


def _resized(tensor: Tensor, axis: int, size: int) -> list[int]:
    return [size if d == axis else old for d, old in enumerate(tensor.shape)]


def stack(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """What lies at the same place of all tensors leaves together."""
    tensors = args[0]
    like = next((tracing.labels[tensor] for tensor in tensors if tensor in tracing.labels), None)
    labels = [label for tensor in tensors if (label := tracing.label(tensor, like)) is not None]
    dim = (args[1] if len(args) > 1 else kwargs.get("dim", 0)) % out.dim()
    for label in labels[1:]:
        tracing.unite(labels[0], label, "stack")
    if labels:
        others = [tensor for tensor in tensors if tracing.label(tensor, like) is None]
        axes = [d - labels[0].dim() for d in varying(labels[0])]
        if any(differs_along(tensor, d) for tensor in others for d in axes):
            tracing.freeze(labels[0], "stacked with a tensor of fixed width")
        tracing.assign(out, labels[0].unsqueeze(dim).expand(out.shape))


def pack(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Sequences of several lengths, (steps, batch, …), in one row, (steps of all, …)."""
    label = tracing.label(args[0])
    if label is not None and {0, 1} & set(varying(label)):
        tracing.freeze(label, "packed along channels")
    elif label is not None:
        tracing.assign(out[0], label[0, :1].expand(out[0].shape))
