"""Rules of matrix products: with a weight, see `explorer.structure.rules_weights`, and of two activations.

Products of two activations are those of an attention: ``queries @ keysᵀ`` sums over channels, which ties them in pairs;
``weights @ values`` carries the values' channels on. A batch index that has channels of its own is a head.
"""

from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure import rules_kernels
from explorer.structure.heads import counter
from explorer.structure.labels import Ids, flat, ids_in, on_axis, restrict, varying
from explorer.structure.ledger import Contraction
from explorer.structure.operators import ADD, Operator
from explorer.structure.rules_entrywise import entrywise, meet_constant
from explorer.structure.rules_views import transpose
from explorer.structure.rules_weights import Weight, as_weight, mix, observe_rows, weigh
from explorer.structure.tracing import POSITIONS, Tracing


def matmul(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """``a @ b``"""
    tracing.assign(out, _multiplied(tracing, args[0], args[1], out))


def added_matmul(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """``bias + a @ b``, the bias of a layer."""
    bias, a, b = args[:3]
    tracing.assign(out, _multiplied(tracing, a, b, out, bias))


def batched_added_matmul(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """``c + a @ b``, where c is anything."""
    added, a, b = args[:3]
    tracing.assign(out, _multiplied(tracing, a, b, out))
    entrywise(tracing, ADD, (added, out), {}, out)


def linear(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """``x @ weightᵀ + bias``"""
    x, weight = args[:2]
    bias = args[2] if len(args) > 2 else kwargs.get("bias")
    tracing.assign(out, _multiplied(tracing, x, transpose(tracing, weight), out, bias))


def grouped_matmul(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Rows of ``a``, each times the matrix of its group: experts, (groups, inputs, outputs), which keep one width."""
    a, b = args[:2]
    weight = as_weight(tracing, b, 2, 1) if b.dim() == 3 else None
    if weight is None:
        tracing.freeze_all((a, b), f"the operator {operator.name}")
        return
    label = tracing.read_along(a, -1)
    made = weigh(tracing, weight, label, tuple(a.shape), mixed=tracing.mixed.get(a))
    mix(tracing, weight, label, out, -1)
    if operator.name == "_grouped_mm":  # the kernel wants addresses of rows to be multiples of 16 bytes
        for each in (label, made):
            tracing.freeze(each, "a fused product of experts keeps its widths (use experts_implementation='eager')")
    tracing.assign(out, made)


def _multiplied(tracing: Tracing, a: Tensor, b: Tensor, out: Tensor, bias: Tensor | None = None) -> Tensor | None:
    """The label of ``a @ b (+ bias)``: a parameter on either side reads channels and produces others."""
    label, mixed = tracing.read_along(a, -1), [tracing.mixed.get(tensor) for tensor in (a, b)]
    weight = as_weight(tracing, b, b.dim() - 1, b.dim() - 2)
    if weight and _meets_all_groups(weight, label, a.dim() - 1):
        made = weigh(tracing, weight, label, tuple(a.shape), bias, mixed=mixed[0])
        mix(tracing, weight, label, out, -1)
        observe_rows(tracing, weight.view)
        return made
    if weight and label is not None and (heads := _by_heads(tracing, b, label, b.shape[-1])) is not None:
        return heads
    label = tracing.label(b)
    weight = as_weight(tracing, a, a.dim() - 2, a.dim() - 1)
    if bias is None and weight and _meets_all_groups(weight, label, b.dim() - 2):
        turned, others = (None if each is None else each.mT for each in (label, mixed[1]))
        made = weigh(tracing, weight, turned, tuple(b.mT.shape), mixed=others)
        mix(tracing, weight, turned, out, -2)
        return made.mT
    for each in mixed:
        tracing.freeze(each, POSITIONS)
    if rules_kernels.looked_up(tracing, a, b, out):
        return None
    return _of_activations(tracing, tracing.label(a), label, (*a.shape, b.shape[-1]))


def _by_heads(tracing: Tracing, weight: Tensor, label: Tensor, outputs: int) -> Tensor | None:
    """The label of heads that a matrix of their own reads each (a block-diagonal weight), which leave as a whole.

    None where the label has other axes than those of heads and of places in them.
    """
    view, heads = tracing.views[weight], [d for d in varying(label) if d < label.dim() - 1]
    axis = view.axis_along(heads[0]) if len(heads) == 1 else None
    if axis is None or len(axis.index) != label.shape[heads[0]]:
        return None
    ids = tracing.ledger.produce(view.name, axis.number, view.shape[axis.number], role="producer")[axis.index]
    spread = restrict(label, varying(label))
    tracing.unite(on_axis(ids, heads[0], spread.shape), spread, "one matrix for a head")
    if tracing.costs:
        each = prod(label.shape) * outputs // len(ids)
        tracing.ledger.contractions.append(Contraction(each, (ids,)))
    return on_axis(ids, heads[0], (*label.shape[:-1], outputs))


def _meets_all_groups(weight: Weight, label: Tensor | None, read: int) -> bool:
    """Whether what a weight reads along one axis is the same channels for all matrices that it consists of."""
    return not (weight.batched and set(varying(label)) - {read})


# Products of activations ---------------------------------------------------------------------------------


def attention(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """``softmax(scale · queries @ keysᵀ + bias) @ values``"""
    queries, keys, values = args[:3]
    lq = tracing.label(queries)
    lk, lv = (_for_every_query(tracing.label(tensor), queries) for tensor in (keys, values))
    shape = (*queries.shape[:-1], keys.shape[-2])
    if lq is not None and kwargs.get("scale") is None:
        reason = f"the scale of the attention in {tracing.here} follows the number of these channels"
        tracing.ledger.blur_places(ids_in(lq), reason)
    weights = _of_activations(tracing, lq, None if lk is None else lk.mT, (*queries.shape, keys.shape[-2]))
    for bias in tree_leaves((args[3:], kwargs)):  # a mask, or a relative position bias with a row per head
        _bias_attention(tracing, bias, weights, shape)
    tracing.assign(tree_leaves(out)[0], _of_activations(tracing, weights, lv, (*shape, values.shape[-1])))


def _for_every_query(label: Tensor | None, queries: Tensor) -> Tensor | None:
    """The label of keys or values, each of their heads repeated for the heads of queries that it serves."""
    if label is None or label.dim() < 3 or label.shape[-3] == queries.shape[-3]:
        return label
    repeats = queries.shape[-3] // label.shape[-3]
    if label.stride(-3) == 0 or label.shape[-3] == 1:
        return label.narrow(-3, 0, 1).expand(*label.shape[:-3], queries.shape[-3], *label.shape[-2:])
    spread = restrict(label, varying(label)).repeat_interleave(repeats, -3)
    return spread.expand(*label.shape[:-3], queries.shape[-3], *label.shape[-2:])


def _bias_attention(tracing: Tracing, bias: Any, weights: Tensor | None, shape: tuple[int, ...]) -> None:
    """What is added to the attention's weights: a row of it for a head leaves with the head."""
    label = tracing.label(bias, weights)
    if label is not None and weights is not None:
        tracing.unite(weights, label.expand(shape), "position bias of the attention")
    elif label is not None:
        tracing.freeze(label.expand(shape), "added to attention without heads")
    elif weights is not None and isinstance(bias, Tensor):
        meet_constant(tracing, "attention", bias, weights)


def _of_activations(tracing: Tracing, la: Tensor | None, lb: Tensor | None, sizes: tuple[int, ...]) -> Tensor | None:
    """The label of ``a @ b``, of two activations with the labels `la` and `lb`.

    Channels that are summed over are tied pair by pair, and all those of one batch index (a head) to each other; what
    has the same batch index on the other side is tied to it too.

    Args:
        sizes: (*batch, rows, inner, columns) of a, (*batch, rows, inner), and b, (*batch, inner, columns).
    """
    *batch, rows, inner, columns = sizes
    first = len(batch)  # of a matrix's two axes
    la, lb = _read_by_constants(tracing, la, lb, first)
    if la is not None and (_carries_rows(la, lb, first) or _read_by_rows(_turned(lb), la.mT, first)):
        turned = _of_activations(tracing, _turned(lb), la.mT, (*batch, columns, inner, rows))
        return _turned(turned)
    heads = {first} if _read_by_rows(la, lb, first) else set()
    if not heads:
        la, lb = _followed(tracing, la, lb, first)
        heads = {d for d in (*varying(la), *varying(lb)) if d < first}
    made: Tensor | None
    counted: Tensor | None
    if la is not None and lb is not None and first + 1 in varying(la):
        made, counted = _summed(tracing, la, lb, heads, first)
    elif lb is not None:
        made = counted = _carried(tracing, la, lb, heads, first)
    else:
        made = counted = None if la is None else restrict(la, heads)
    if tracing.costs:
        sides = () if counted is None else (counted.reshape(-1).numpy(),)
        tracing.ledger.contractions.append(Contraction(prod(sizes) // prod(map(len, sides)), sides))
    return None if made is None else made.expand(*batch, rows, columns)


def _read_by_constants(
    tracing: Tracing, la: Tensor | None, lb: Tensor | None, first: int
) -> tuple[Tensor | None, Tensor | None]:
    """Both labels without that of one side that is summed over where the other has no channels, which then stays.

    What has heads besides is left to `_followed`.
    """
    for side, other, summed, theirs in ((la, lb, first + 1, first), (lb, la, first, first + 1)):
        if varying(side) == [summed] and theirs not in varying(other):
            tracing.freeze(side, "summed over with a tensor without channels")
            return (None, lb) if side is la else (la, None)
    return la, lb


def _carries_rows(la: Tensor | None, lb: Tensor | None, first: int) -> bool:
    """Whether channels lie along the rows of a, and along neither axis of b: the turned product carries them."""
    return first in varying(la) and not {first + 1, first} & {*varying(lb)} and first + 1 not in varying(la)


def _read_by_rows(la: Tensor | None, lb: Tensor | None, first: int) -> bool:
    """Whether every row of a is a head that reads the same channels of b, as of a table of relative positions."""
    return varying(la) == [first, first + 1] and varying(lb) == [first]


def _turned(label: Tensor | None) -> Tensor | None:
    return None if label is None else label.mT


def _followed(
    tracing: Tracing, la: Tensor | None, lb: Tensor | None, first: int
) -> tuple[Tensor | None, Tensor | None]:
    """Both labels, or None for what can't be followed, whose channels then can't leave.

    Followed are sums over channels on both sides, and columns of b that are carried on. Of other products (linear
    attention, attention among channels) heads are followed as a whole.
    """
    rows, summed = (axis in varying(la) for axis in (first, first + 1))
    inner, columns = (axis in varying(lb) for axis in (first, first + 1))
    if not rows and summed == inner and not (summed and columns):
        return la, lb
    reason = "a product of activations along channels"
    heads = {d for d in (*varying(la), *varying(lb)) if d < first}
    if rows and not summed and not heads:
        tracing.freeze(la, reason)
        return _followed(tracing, None, lb, first)
    return _whole_heads(tracing, la, heads, reason), _whole_heads(tracing, lb, heads, reason)


def _whole_heads(tracing: Tracing, label: Tensor | None, heads: set[int], reason: str) -> Tensor | None:
    """The label of heads that leave as a whole; None where there are none, and nothing can leave."""
    if label is not None and (own := heads & {*varying(label)}):
        return tracing.bundle(label, own, reason)
    tracing.freeze(label, reason)
    return None


def _summed(
    tracing: Tracing, queries: Tensor, keys: Tensor, heads: set[int], first: int
) -> tuple[Tensor | None, Tensor]:
    """Sum over channels: the label of the product, which has one channel for a head, and the channels summed over."""
    counted = restrict(queries, heads | {first + 1})
    others = restrict(keys, heads | {first}).mT
    counted, others = _broadcast(counted, others)
    if heads and not heads <= {*varying(counted)}:  # one query for all keys, else one key for all queries
        counted, others = others, counted
    _tie_pairs(tracing, _by_row(counted), _by_row(others))
    if not heads and not _keeps_width(tracing, counted):
        tracing.ledger.contracted.append(np.union1d(counted, others))
        return None, counted
    if not heads or heads & {*varying(others)}:
        tracing.ledger.heads.append(_by_head(others))
    made = counted.narrow(-1, 0, 1)
    _tie_head(tracing, made, counted)
    return made, counted


def _tie_pairs(tracing: Tracing, queries: Ids, keys: Ids) -> None:
    """Channels, (heads, places), leave with those that they are multiplied by, but for what one side has for all heads.

    A head of latent keys has places of its own, and others, which turn with the position, that all heads share.
    """
    same_queries, same_keys = ((side == side[:1]).all(0) for side in (queries, keys))
    for shared, side, other in ((same_keys & ~same_queries, keys, queries), (same_queries & ~same_keys, queries, keys)):
        if shared.any():
            tracing.ledger.share(side[0, shared], other[:, shared], "attention", tracing.here)
    own = same_queries == same_keys
    tracing.ledger.unite(queries[:, own].ravel(), keys[:, own].ravel(), "attention", tracing.here)


def _carried(tracing: Tracing, weights: Tensor | None, values: Tensor, heads: set[int], first: int) -> Tensor:
    """Carry the channels of b on: what multiplies them, one number for a head, leaves with the head."""
    made = restrict(values, heads | ({first + 1} & {*varying(values)}))
    if weights is None:
        return made
    head = restrict(weights, heads)
    alone = int(head.flatten()[0])
    if varying(head) and not {*varying(values)} & heads:  # of several queries: each stands for what it carries
        tracing.freeze(values, "all heads share them")
        return head
    if varying(weights) or alone in tracing.ledger.lone_heads:
        _tie_head(tracing, head, made)
    else:
        tracing.ledger.keep(alone, f"one channel meets all others in {tracing.here}")
    return made


def _keeps_width(tracing: Tracing, channels: Tensor) -> bool:
    """Whether an attribute has the width of this single head, which queries, keys and values then share."""
    ids = flat(channels, range(channels.dim()))
    if any(counter(tracing.module, tensor, len(ids)) for tensor in tracing.ledger.tensors_of(ids)):
        tracing.ledger.lone_heads.add(int(ids[0]))
        return True
    return False


def _tie_head(tracing: Tracing, head: Tensor, channels: Tensor) -> None:
    """All channels of one batch index leave with that index."""
    head, channels = _broadcast(head, channels)
    tracing.unite(head, channels, "attention head")
    tracing.ledger.heads.append(_by_head(channels))


def _broadcast(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Two labels in one shape."""
    shape = torch.broadcast_shapes(a.shape, b.shape)
    return a.expand(shape), b.expand(shape)


def _by_row(channels: Tensor) -> Ids:
    """Channels of shape (heads, channels of one head), as often as a head is met."""
    return channels.reshape(-1, channels.shape[-1]).numpy()


def _by_head(channels: Tensor) -> Ids:
    """Channels of shape (heads, channels of one head), each head once."""
    grid = _by_row(channels)
    return grid[np.sort(np.unique(grid[:, 0], return_index=True)[1])]
