"""Rules of weights that are computed from parameters: standardised, normalised, masked or scaled ones.

What is computed from the entries of a parameter, and has as many, still stands for them: see `View`. Other parameters
that take part (gains) go along.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import along, restrict, varying
from explorer.structure.operators import Operator
from explorer.structure.tracing import Tracing
from explorer.structure.views import View

_KEEP_ZEROS = frozenset(("mul", "div", "neg"))


def from_entries(tracing: Tracing, operator: Operator, tensors: Sequence[Tensor], outs: Sequence[Tensor]) -> bool:
    """Follow what is computed entry by entry from parameters and numbers; False where that is not what happens."""
    large = [tensor for tensor in tensors if tensor.numel() > 1] or tensors[:1]
    several = [tensor for tensor in large if tensor in tracing.views or not _is_a_number(tensor)]
    views = [view for tensor in several if (view := tracing.views.get(tensor)) is not None]
    whole = next((view for view in views if view.indices and view.indices[0].shape == outs[0].shape), None)
    if (
        len(views) < len(several)
        or not views
        or (len(several) > 1 and (whole is None or not any(map(_is_matrix, views))))
    ):
        return False
    whole = whole or views[0]
    beside = [part for view in views if view is not whole for part in (view, *view.beside)]
    if not all(_aligned(whole, part) for part in beside):
        return False
    numbers = [view for tensor in tensors if tensor.numel() == 1 and (view := tracing.views.get(tensor)) is not None]
    spread = frozenset[int]().union(*(view.spread for view in (*beside, *numbers) if view.name == whole.name))
    whole = replace(whole, keeps_zeros=whole.keeps_zeros and operator.name in _KEEP_ZEROS)
    for out in outs:
        tracing.views[out] = _computed(whole, out, beside, spread)
    return True


def statistics(tracing: Tracing, tensor: Tensor, dims: Collection[int], out: Any) -> bool:
    """Follow statistics over axes of a parameter, for every entry of the others; False where there is none."""
    view = tracing.views.get(tensor) if tensor not in tracing.labels else None
    if view is None or not _is_matrix(view):
        return False
    if any(set(varying(index)) & set(dims) and set(varying(index)) - set(dims) for index in view.indices):
        return False
    for made in tree_leaves(out):
        left = view.map(partial(_at_first, dims=dims, flat=made.dim() < tensor.dim()))
        tracing.views[made] = replace(left, moved=True, computed=True, spread=view.spread | _along(view, dims))
    return True


def standardised(tracing: Tracing, x: Tensor, vectors: Sequence[Any], out: Any) -> bool:
    """Follow a parameter through a batch norm, whose channels lie along its second axis; False where there is none."""
    view = tracing.views.get(x) if x not in tracing.labels else None
    beside = [tracing.views.get(vector) for vector in vectors if vector is not None]
    if view is None or not _is_matrix(view) or None in beside:
        return False
    shape = [-1 if d == 1 else 1 for d in range(x.dim())]
    given = (part for each in beside if each is not None for part in (each, *each.beside))
    turned = [part.map(lambda index: index.reshape(shape)) for part in given]
    view = replace(view, keeps_zeros=False)
    tracing.views[out[0]] = _computed(view, out[0], turned, _along(view, {0, *range(2, x.dim())}))
    return True


def weight_norm(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """A weight of given norms: its direction, and the norms along one axis."""
    direction, norms = (tracing.views.get(tensor) for tensor in args[:2])
    if direction is None or norms is None:
        tracing.freeze_all(args, f"the operator {operator.name}")
        return
    over = {d for d in range(args[0].dim()) if args[1].dim() <= d or args[1].shape[d] == 1}
    tracing.views[out[0]] = _computed(direction, out[0], [norms, *norms.beside], _along(direction, over))


def matched(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """A sum over products of a parameter's entries, with a vector that has one for each (of a spectral norm)."""
    tensors = args[:2]
    views = [tracing.views.get(tensor) if tensor not in tracing.labels else None for tensor in tensors]
    if None in views:
        tracing.freeze_all(tensors, f"the operator {operator.name}")
        return
    first, second = (view for view in views if view is not None)
    for vector, other in ((first, second), (second, first)):
        if len(vector.shape) == 1 and vector.name != other.name:
            axes = {a: along(i, i.dim() - 1) for a, i in enumerate(other.indices) if i.dim() - 1 in varying(i)}
            tracing.ledger.follow(vector.name, along(vector.indices[0], 0), other.name, axes)
    whole = first if len(first.shape) > 1 else second
    last = whole.indices[0].dim() - 1
    left = whole.map(partial(_at_first, dims={last}, flat=True))
    tracing.views[out] = replace(left, computed=True, moved=True, spread=whole.spread | _along(whole, {last}))


def looked_up(tracing: Tracing, a: Tensor, b: Tensor, out: Tensor) -> bool:
    """Follow a parameter that is multiplied with a constant, as a table of position biases; False for anything else.

    The constant is a buffer that is not saved; what is summed over has no channels.
    """
    views = [None if tensor in tracing.labels else tracing.views.get(tensor) for tensor in (a, b)]
    fixed = [view is not None and view.name in tracing.ledger.unsaved for view in views]
    place = 0 if fixed[1] else 1
    view, summed = views[place], out.dim() - 1 - place
    if view is None or sum(fixed) != 1:
        return False
    kept = view.map(lambda index: index.narrow(summed, 0, 1).expand(out.shape))
    tracing.views[out] = replace(kept, computed=True, moved=True, spread=view.spread | _along(view, {summed}))
    if tracing.costs:
        axes = [axis for axis, index in enumerate(view.indices) if varying(index)]
        macs = out.numel() * a.shape[-1]
        tracing.ledger.multiply(view.name, [axis for axis in axes if view.shape[axis] > 1], macs)
    return True


def _along(view: View, dims: Collection[int]) -> frozenset[int]:
    """The axes of a parameter that run along these of its view."""
    return frozenset(axis for axis, index in enumerate(view.indices) if set(varying(index)) & set(dims))


def _is_a_number(tensor: Tensor) -> bool:
    return bool((tensor == tensor.flatten()[0]).all())


def _is_matrix(view: View) -> bool:
    return sum(size > 1 for size in view.shape) > 1


def _aligned(whole: View, part: View) -> bool:
    """Whether statistics of the same parameter meet the rows and columns that they come from."""
    if part.name != whole.name:
        return True
    pairs = ((index, own.expand(index.shape)) for index, own in zip(whole.indices, part.indices, strict=True))
    return all(
        not varying(own)
        or (varying(own) == varying(index) and torch.equal(*(restrict(each, varying(own)) for each in (index, own))))
        for index, own in pairs
    )


def _computed(view: View, out: Tensor, beside: Sequence[View], spread: frozenset[int]) -> View:
    """What the output shows of one parameter, and of others that it is computed from besides."""
    whole = view.map(lambda index: index.expand(out.shape))
    parts = (replace(part, beside=()) for part in beside if part.name != view.name)
    expanded = tuple(part.map(lambda index: index.expand(out.shape)) for part in parts)
    spread = view.spread | spread
    return replace(whole, moved=True, computed=True, spread=spread, beside=(*whole.beside, *expanded))


def _at_first(index: Tensor, dims: Collection[int], *, flat: bool) -> Tensor:
    """The index where that of these axes is 0."""
    for d in sorted(dims, reverse=True):
        index = index.select(d, 0) if flat else index.narrow(d, 0, 1)
    return index
