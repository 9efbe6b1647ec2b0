"""The rule of what modules are given that has no channels of its own, until it meets some."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn import functional
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import restrict, varying
from explorer.structure.operators import Kind, Operator
from explorer.structure.rules_views import relabelled
from explorer.structure.tracing import Tracing
from explorer.structure.views import Received

_MOVES = frozenset((Kind.SAME, Kind.RESHAPE, Kind.TURN, Kind.SPLIT, Kind.CHOOSE, Kind.MOVE))


def follow(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Follow what moves its entries, and what is computed of them one by one."""
    made = [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    if any(tensor in tracing.labels for tensor in made):
        return
    if operator.kind in _MOVES and args[0] in tracing.given:
        moved = [_moved(each, operator, args, kwargs, out) for each in tracing.given[args[0]]]
        for tensor, received in zip(made, zip(*moved, strict=True), strict=True):
            tracing.given[tensor] = received
    elif operator.kind is Kind.PAD:
        tracing.given[out] = tuple(
            each.seen_as(_padded(index, args[1], out) for index in each.view.indices) for each in tracing.given[args[0]]
        )
    elif operator.kind is Kind.ENTRYWISE:
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        met = [each for tensor in tensors for each in tracing.given.get(tensor, ())]
        for tensor in made:
            spread = (each.seen_as(index.expand(tensor.shape) for index in each.view.indices) for each in met)
            tracing.given[tensor] = tuple(spread)


def _moved(received: Received, operator: Operator, args: tuple, kwargs: dict, out: Any) -> list[Received]:
    """What every output of an operator that moves entries shows of it."""
    indices = [relabelled(operator, index, args, kwargs, out) for index in received.view.indices]
    return [received.seen_as(each) for each in zip(*indices, strict=True)]


def _padded(index: Tensor, widths: Sequence[int], out: Tensor) -> Tensor:
    """An index with −1 where something else than entries lies before or behind them."""
    own = varying(index)
    sides = [width if out.dim() - 1 - i // 2 in own else 0 for i, width in enumerate(widths)]
    return functional.pad(restrict(index, own), sides, value=-1).expand(out.shape)
