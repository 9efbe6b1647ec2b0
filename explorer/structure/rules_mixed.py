"""The rule of positions that a weight makes out of others, as the hidden ones of a mixer are.

Channels lie along another axis meanwhile, so these have a label of their own, `Tracing.mixed`, until a weight reads
them. What else is done with positions knows how many there are, so they stay.
"""

from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import along, varying
from explorer.structure.operators import Kind, Operator
from explorer.structure.rules_views import relabelled
from explorer.structure.tracing import POSITIONS, Tracing

_MOVES = frozenset((Kind.SAME, Kind.RESHAPE, Kind.TURN))
_READ = frozenset((Kind.MATMUL, Kind.ADDED_MATMUL, Kind.BATCHED_ADDED_MATMUL, Kind.GROUPED_MATMUL, Kind.LINEAR))


def follow(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Let positions pass what treats each alike; products read them, see `explorer.structure.rules_products`."""
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)] if tracing.mixed else []
    mixed = [tensor for tensor in tensors if tensor in tracing.mixed]
    if not mixed or operator.kind in _READ:
        return
    label, outs = tracing.mixed[mixed[0]], [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
    others = [tensor for tensor in tensors if tensor is not mixed[0] and tensor.numel() > 1]
    if operator.kind in _MOVES and not others:
        for made, own in zip(outs, relabelled(operator, label, args, kwargs, out), strict=True):
            tracing.mixed[made] = own
    elif (
        operator.kind is Kind.ENTRYWISE
        and all(made.shape == label.shape for made in outs)
        and all(_is_bias(tracing, tensor, label) for tensor in others)
    ):
        for tensor in others:
            tracing.attach(tensor, along(label, label.dim() - 1))
        for made in outs:
            tracing.mixed[made] = label
    else:
        for tensor in mixed:
            tracing.freeze(tracing.mixed[tensor], POSITIONS)


def _is_bias(tracing: Tracing, tensor: Tensor, label: Tensor) -> bool:
    """Whether it is a vector of a layer with an entry for each of the positions."""
    return tensor in tracing.views and tensor.dim() == 1 and varying(label) == [label.dim() - 1]
