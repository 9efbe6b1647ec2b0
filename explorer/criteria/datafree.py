"""Criteria that follow paths of absolute weights through the network, without any data."""

from collections.abc import Iterable
from math import inf

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.connections import by_producer
from explorer.criteria.tools.absolute import TOKENS, Absolute, absolute_weights, reads_tokens, run_on_ones
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gates import on_axis
from explorer.criteria.tools.gradients import producer_weights
from explorer.criteria.tools.members import MEMBERS, unit_sums
from explorer.criteria.tools.numbers import to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.errors import ExplorerError
from explorer.structure.products import Product, names_by_identity
from explorer.structure.types import Group

_SCALES = (1.0, 1e-150, 1e150, 1e-300, 1e300)  # of inputs and of derivatives: R has twice the range of float64
_LEAST = 1e-280  # below it float64 loses digits


@criterion(
    "synflow",
    title="SynFlow",
    cost="1 forward + 1 backward of a single input",
    forwards=1.0,
    backwards=1.0,
    reference="Tanaka et al. 2020, Pruning Neural Networks without any Data by Iteratively Conserving Synaptic Flow "
    "(arXiv:2006.05467)",
    explanation="The share of all paths from inputs to outputs, each as large as the product of its absolute weights, "
    "that pass through the filters of a unit. Made to be repeated over many small cuts, so that no layer is "
    "emptied; in one step wide layers lose most.",
    settings={"members": MEMBERS},
    rank=20,
)
def synflow(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ θ·∂R/∂θ / R`` over all rows of a unit in one producer, R the sum of outputs for an input of ones.

    R is computed in float64 in the network without signs (see `Absolute`); there every layer that all paths pass has
    scores that add up to 1; attention's paths run through its values. Where float64 can't hold R, inputs and
    derivatives are scaled, which shares don't see.
    """
    if reads_tokens(context):
        return dict.fromkeys(context.structure.groups, TOKENS)
    context.report(0.0, "following all paths")
    scores = flow_shares(context, producer_weights(context))
    return by_producer(context, scores, members, "no path runs through its layers: they only set a gate")


def flow_shares(context: Context, weights: Iterable[str]) -> dict[str, Tensor]:
    """``θ·∂R/∂θ / R`` of the single weights of these names that paths run through, see `synflow`.

    Raises:
        ExplorerError: the paths are too large or too small for float64 at any scale.
    """
    weights = list(weights)
    for scale in _SCALES:
        if (shares := _flow_shares(context, weights, scale)) is not None:
            return shares
    raise ExplorerError(
        "synflow: the network's paths are too large or too small for float64: look for infinite weights and for layers "
        "of zeros, or use dfpc"
    )


def _flow_shares(context: Context, weights: Iterable[str], scale: float) -> dict[str, Tensor] | None:
    """None where float64 can't hold the shares at this scale."""
    tensors = absolute_weights(context.module)
    wanted = {name: tensors[name].requires_grad_() for name in weights if name in tensors}
    flow = run_on_ones(context, tensors, Absolute(names_by_identity(tensors.items())), scale)
    slopes = torch.autograd.grad(flow, list(wanted.values()), torch.full_like(flow, scale), allow_unused=True)
    whole = flow.detach() * scale
    pairs = zip(wanted.items(), slopes, strict=True)
    shares = {name: (w.detach() * s) / whole for (name, w), s in pairs if s is not None}
    held = _LEAST <= whole < inf and all(share.isfinite().all() for share in shares.values())
    return shares if held else None


@criterion(
    "dfpc",
    title="DFPC",
    cost="1 forward + 1 backward of a single input",
    forwards=1.0,
    backwards=1.0,
    reference="Narshana et al. 2023, DFPC: Data flow driven pruning of coupled channels without data (ICLR 2023)",
    explanation="A bound on how much the layers that read a unit could notice of it: from every layer that makes it "
    "to every layer behind that reads it, all products of absolute weights. Only the layers around the unit count.",
    rank=20,
)
def dfpc(context: Context) -> dict[str, np.ndarray | str]:
    """``Σ_{a, b behind a} Σ_entries |M_b|[:, c]·|BN||M_a|[c, :]`` over the group's producers a and consumers b.

    M is a layer as a matrix over positions. All entries being non-negative, the sum is the inner product of what a
    gives for ones and what b's transpose gives for ones: one pass in which every layer reads ones (see `Absolute`)
    and a backward pass that stops there. What lies between a and b, such as pooling, additions and depthwise
    convolutions, takes part as the linear map that it is, of max-pooling the one at the largest entry.
    """
    if reads_tokens(context):
        return dict.fromkeys(context.structure.groups, TOKENS)
    context.report(0.0, "following paths between neighbours")
    tensors = absolute_weights(context.module)
    mode = _Neighbours(names_by_identity(tensors.items()))
    run_on_ones(context, tensors, mode)
    masks = mode.masks
    if mode.noticed is None:  # no layer reads what another has made
        slopes: tuple[Tensor | None, ...] = (None,) * len(masks)
    else:
        slopes = torch.autograd.grad(mode.noticed, list(masks.values()), allow_unused=True)
    seen = {name: slope for name, slope in zip(masks, slopes, strict=True) if slope is not None}
    return {name: _unit_totals(group, seen) for name, group in context.structure.groups.items()}


class _Neighbours(Absolute):
    """Every layer that mixes channels reads ones; `noticed` sums what it would give for what reaches it instead."""

    def __init__(self, names: dict[int, list[str]]) -> None:
        super().__init__(names)
        self.masks: dict[str, Tensor] = {}
        self.noticed: Tensor | None = None

    def multiplied(self, call: Product, names: list[str]) -> Tensor:
        if call.depthwise:
            return super().multiplied(call, names)
        if call.input.requires_grad:
            more = call.run(call.input, call.weight).sum()
            self.noticed = more if self.noticed is None else self.noticed + more
        output = call.run(torch.ones_like(call.input), call.weight).detach()
        if names[0] not in self.masks:
            self.masks[names[0]] = output.new_ones(output.shape[call.axis]).requires_grad_()
        shape = [1] * output.ndim
        shape[call.axis] = -1
        return output * self.masks[names[0]].view(shape)


def _unit_totals(group: Group, slopes: dict[str, Tensor]) -> np.ndarray | str:
    made = [m for m in group.of_role("producer") if m.tensor in slopes]
    parts = [unit_sums(to_numpy(on_axis(slopes[m.tensor], m)), m, group.units).values for m in made]
    return np.sum(parts, axis=0) if np.any(parts) else "no weights read what its layers make"
