"""Criteria that ask the gradient what a unit's removal would do to the loss."""

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.context import Context
from explorer.criteria.members import host, sums, unit_sums
from explorer.criteria.registry import criterion
from explorer.structure.types import Group, Member

Key = tuple[str, int]  # a tensor and one of its axes


@criterion(
    "taylor",
    title="Taylor, first order",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    paper="Molchanov et al. 2019, Importance Estimation for Neural Network Pruning (arXiv:1906.10771)",
    explanation="How much the loss would change, to first order, if the unit were masked where it is consumed. "
    "It sees what the rest of the network does with a unit; near a minimum it can miss what only "
    "removing many units together breaks.",
)
def taylor(context: Context) -> dict[str, np.ndarray | str]:
    """``mean over mini-batches of g_u²``, g_u = Σ w·∂L/∂w over the unit's input slices in all its consumers.

    g_u is the derivative of the mini-batch's mean cross-entropy with respect to a mask on the unit, so the
    mini-batch size sets how much the gradient's noise adds to the score. Groups that nothing with weights
    consumes are masked where they are produced.
    """
    weights = dict(context.module.named_parameters(remove_duplicate=False))
    gates = {name: _gates(group, weights) for name, group in context.structure.groups.items()}
    keys = list(dict.fromkeys((m.tensor, m.axis) for members in gates.values() for m in members))
    totals = {name: np.zeros(group.units) for name, group in context.structure.groups.items()}
    batches = 0
    for images, labels in context.batches() if keys else ():
        slopes = _slopes(context, images, labels, weights, keys)
        for name, total in totals.items():
            parts = [unit_sums(slopes[m.tensor, m.axis], m, len(total)).values for m in gates[name]]
            total += np.sum(parts, axis=0) ** 2
        batches += 1
    return {
        name: total / batches if gates[name] else "no weights produce or consume its channels"
        for name, total in totals.items()
    }


def _gates(group: Group, weights: dict[str, nn.Parameter]) -> list[Member]:
    """The members whose slices are scaled exactly when the unit is: consumers, else producers and their biases."""
    consumers = [m for m in group.of_role("consumer") if m.tensor in weights]
    if consumers and group.kind != "head-dims":  # queries and keys are consumed by each other
        return consumers
    producers = [m for m in group.of_role("producer") if m.tensor in weights]
    biases = {m.tensor.removesuffix("weight") + "bias" for m in producers}
    return producers + [m for m in group.of_role("affine") if m.tensor in biases and m.tensor in weights]


def _slopes(
    context: Context, images: Tensor, labels: Tensor, weights: dict[str, nn.Parameter], keys: Iterable[Key]
) -> dict[Key, np.ndarray]:
    """Σ w·∂L/∂w for every slice along every key's axis, L the mean loss of the mini-batch."""
    used = {tensor: weights[tensor] for tensor, _ in keys}

    def work(size: int) -> list[Tensor]:
        found = [0.0] * len(used)
        for inputs, targets in context.chunks(size, images, labels):
            loss = context.loss(inputs, targets) * (len(inputs) / len(images))
            gradients = torch.autograd.grad(loss, list(used.values()), allow_unused=True)
            found = [f if g is None else f + g for f, g in zip(found, gradients, strict=True)]
        return found

    _require(used.values(), True)
    try:
        with torch.enable_grad():
            gradients = dict(zip(used, context.batch.retry(work), strict=True))
    finally:
        _require(used.values(), False)
    with torch.no_grad():
        slopes = [sums(weights[tensor] * gradients[tensor], axis) for tensor, axis in keys]
    values = host(torch.cat(slopes))  # one transfer for all
    ends = np.cumsum([len(slope) for slope in slopes])
    return dict(zip(keys, np.split(values, ends[:-1]), strict=True))


def _require(parameters: Iterable[nn.Parameter], required: bool) -> None:
    for parameter in parameters:
        parameter.requires_grad_(required)
