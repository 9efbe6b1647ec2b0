"""Rules of operators that take statistics over positions or over channels: pooling, reductions, norms, softmax."""

import re
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure import rules_kernels
from explorer.structure.labels import along, ids_in, restrict, varying
from explorer.structure.ledger import Blur
from explorer.structure.operators import Kind, Operator
from explorer.structure.rules_entrywise import meet
from explorer.structure.tracing import Tracing


def pool(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Positions are mixed, channels pass."""
    label, first = tracing.label(args[0]), tree_leaves(out)[0]
    reason = f"{operator.name} along channels"
    if label is not None and (kernel := re.search(r"(\d)d", operator.name)):  # this many axes, the last, are mixed
        label = tracing.unmix(label, set(range(label.dim() - int(kernel[1]), label.dim())), reason)
    if label is None:
        return
    if any(label.shape[d] != first.shape[d] for d in varying(label)):
        tracing.freeze(label, reason)
        return
    channels = restrict(label, varying(label))
    for each in tree_leaves(out):
        tracing.assign(each, channels.expand(each.shape))


# Reductions ----------------------------------------------------------------------------------------------


def reduce(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """A statistic over positions has the channels that it came from; over channels it blurs, or ties them."""
    x = args[0]
    if rules_kernels.statistics(tracing, x, _reduced_axes(operator, x.dim(), args, kwargs), out):
        return
    label = tracing.label(x)
    if label is None:
        return
    dims = _reduced_axes(operator, label.dim(), args, kwargs)
    varied = set(varying(label))
    over = dims & varied
    if over and operator.kind is Kind.DECIDE:
        if operator.name == "argmax" and varied == over and len(over) == 1:
            reason = f"argmax over channels in {tracing.here}"
            tracing.choose(tree_leaves(out)[0], along(label, *over), 1, reason)
        else:
            tracing.freeze(label, f"{operator.name} over channels")
        return
    if over and over == varied:
        reason = f"{operator.name} in {tracing.here} runs over these channels"
        values, *numbers = tree_leaves(out) if operator.name in ("max", "min") else (out,)
        tracing.blur_if_read(tree_leaves(values), Blur(ids_in(label), reason, tracing.path[-1]))
        reason = f"{operator.name} in {tracing.here} tells which channel it is"
        if len(over) == 1:
            tracing.choose_if_read(numbers, along(label, *over), reason)
        else:
            tracing.freeze_if_read(numbers, ids_in(label), reason)
        return
    if over:
        _reduce_channels(tracing, operator.name, label, over, zeros_count=operator.kind is Kind.AVERAGE)
    kept = restrict(label, set(range(label.dim())) - dims)
    if tree_leaves(out)[0].dim() != label.dim():
        for d in sorted(dims, reverse=True):
            kept = kept.squeeze(d)
    for each in tree_leaves(out):
        tracing.assign(each, kept)


def _reduced_axes(operator: Operator, rank: int, args: tuple, kwargs: dict) -> set[int]:
    """The axes that a reduction runs over."""
    axes = (a for a in args[1:] if isinstance(a, int | list | tuple) and not isinstance(a, bool))
    dims = next(axes, None)
    if operator.name in ("linalg_vector_norm", "norm"):
        dims = args[2] if len(args) > 2 else kwargs.get("dim")
    dims = kwargs.get("dim", dims)
    if dims is None or dims == []:
        return set(range(rank))
    return {d % rank for d in ([dims] if isinstance(dims, int) else dims)}


def _reduce_channels(tracing: Tracing, name: str, label: Tensor, over: set[int], *, zeros_count: bool = True) -> None:
    """A statistic over channels: what else the label varies along (heads) leaves as a whole."""
    spread = restrict(label, varying(label))
    first = spread
    for d in over:
        first = first.narrow(d, 0, 1)
    tracing.unite(first.expand(spread.shape), spread, f"{name} over channels")
    if zeros_count:
        tracing.ledger.blur_places(ids_in(label), f"{name} in {tracing.here} runs over the channels of a head")


def softmax(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """Over channels a mask is not a cut: a zero takes part."""
    label = tracing.label(args[0])
    if label is None:
        return
    if args[1] % label.dim() in varying(label):
        tracing.ledger.blur(ids_in(label), f"the softmax in {tracing.here} runs over these channels", "")
    tracing.assign(out, label)


# Normalisation -------------------------------------------------------------------------------------------


def batch_norm(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Every channel has its own statistics; scale, shift, mean and variance belong to the channels."""
    if rules_kernels.standardised(tracing, args[0], args[1:5], out):
        return
    beside = tracing.label(args[0])
    if beside is not None and 1 not in varying(beside):  # of summaries of channels: one scale for all of these
        tracing.assign(out[0], beside)
        return
    label = _channels_second(tracing, args[0], "batch norm over mixed axes")
    if label is None:
        return
    ids = along(label, 1)
    for vector in args[1:5]:
        tracing.attach(vector, ids)
    tracing.ledger.observe_behind(tracing.path[-1], ids)
    tracing.assign(out[0], label)


def group_norm(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """The same places of all groups leave together, unless every channel is a group of its own."""
    x, weight, bias, *_, groups, _eps = args
    label = _channels_second(tracing, x, "group norm over mixed axes")
    if label is None:
        return
    ids = along(label, 1)
    if groups < len(ids):
        tracing.unite_rows(ids.reshape(groups, -1), "group norm")
        reason = f"group norm in {tracing.here} takes its statistics over these channels"
        tracing.ledger.blur(ids, reason, tracing.path[-1])
    for vector in (weight, bias):
        tracing.attach(vector, ids)
    tracing.assign(out[0], label)


def _channels_second(tracing: Tracing, x: Tensor, reason: str) -> Tensor | None:
    """The label of an input whose channels lie along the second axis; see `Tracing.unmix`."""
    label = tracing.label(x)
    return None if label is None else tracing.unmix(label, set(range(label.dim())) - {1}, reason)


def layer_norm(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """Statistics over channels: a mask is a cut only if the norm sees no more than what stays."""
    x, shape, weight, bias = args[:4]  # a root mean square has its epsilon there
    label = tracing.label(x)
    if label is None:
        return
    over = set(varying(label)) & set(range(x.dim() - len(shape), x.dim()))
    if over and len(shape) > 1:
        tracing.freeze(label, "layer norm over several axes")
        return
    if over and set(varying(label)) != over:
        _normalise_heads(tracing, label, over, (weight, bias))
    elif over:
        ids = along(label, x.dim() - 1)
        reason = f"layer norm in {tracing.here} takes its statistics over these channels"
        tracing.ledger.blur(ids, reason, tracing.path[-1])
        for vector in (weight, bias):
            tracing.attach(vector, ids)
    tracing.assign(out[0], label)


def _normalise_heads(tracing: Tracing, label: Tensor, over: set[int], vectors: tuple[Tensor | None, ...]) -> None:
    """A layer norm inside each head: all heads share its scale and shift."""
    _reduce_channels(tracing, "layer norm", label, over)
    for vector in vectors:
        if isinstance(vector, Tensor) and (own := tracing.label(vector, label)) is not None:
            meet(tracing, vector, own.expand(label.shape), label, "layer norm")
