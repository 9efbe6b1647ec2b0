"""Criteria that ask the gradient what a unit's removal would do to the loss."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.batchnorm import scales, without
from explorer.criteria.connections import by_producer
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gradients import MINI_BATCH, batch_gradients, mini_batches, producer_weights
from explorer.criteria.tools.members import MEMBERS, Part, combine, maskable, sums, unit_sums
from explorer.criteria.tools.numbers import added, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.errors import ExplorerError
from explorer.structure.types import Member, Structure

Key = tuple[str, int]  # a tensor and one of its axes


@criterion(
    "taylor",
    title="Taylor, first order",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Molchanov et al. 2019, Importance Estimation for Neural Network Pruning (arXiv:1906.10771)",
    explanation="How much the loss would change, to first order, if the unit were masked where it is consumed. "
    "It sees what the rest of the network does with a unit; near a minimum it can miss what only "
    "removing many units together breaks.",
    settings={"batch": MINI_BATCH},
)
def taylor(context: Context, *, batch: str = "auto") -> dict[str, np.ndarray | str]:
    """``mean over mini-batches of g_u²``, g_u = Σ w·∂L/∂w over the unit's input slices in all its consumers.

    g_u is the derivative of the mini-batch's mean cross-entropy with respect to a mask on the unit, so the
    mini-batch size, the setting `batch`, sets how much the gradient's noise adds to the score. Groups that nothing with
    weights consumes are masked where they are produced.
    """
    weights = dict(context.module.named_parameters(remove_duplicate=False))
    slopes = SquaredSlopes(context.structure, weights)
    for images, labels in mini_batches(context, batch) if slopes.weights else ():
        slopes.add(slopes.of(batch_gradients(context, images, labels, slopes.weights)))
    return slopes.scores()


class SquaredSlopes:
    """``mean over mini-batches of g_u²``, see `taylor`, from gradients that somebody has taken.

    `weights` are the parameters, by name, whose gradients it is about; `totals` the sums over so many `batches`.
    """

    def __init__(self, structure: Structure, weights: Mapping[str, nn.Parameter]) -> None:
        self._gates = {name: maskable(group, weights) for name, group in structure.groups.items()}
        self._keys = list(dict.fromkeys((m.tensor, m.axis) for members in self._gates.values() for m in members))
        self.totals = {name: np.zeros(group.units) for name, group in structure.groups.items()}
        self.weights = {tensor: weights[tensor] for tensor, _ in self._keys}
        self.batches = 0

    def of(self, gradients: Mapping[str, Tensor]) -> dict[Key, np.ndarray]:
        """Σ w·∂L/∂w for every slice of the weights that have a gradient of one mini-batch's mean loss."""
        keys = [key for key in self._keys if key[0] in gradients]
        if not keys:
            return {}
        with torch.no_grad():
            slopes = [sums(self.weights[tensor] * gradients[tensor], axis) for tensor, axis in keys]
        values = to_numpy(torch.cat(slopes))  # one transfer for all
        ends = np.cumsum([len(slope) for slope in slopes])
        return dict(zip(keys, np.split(values, ends[:-1]), strict=True))

    def add(self, slopes: Mapping[Key, np.ndarray]) -> None:
        """One mini-batch; slices that are not named have no slope."""
        for name, total in self.totals.items():
            own = [member for member in self._gates[name] if (member.tensor, member.axis) in slopes]
            parts = [unit_sums(slopes[m.tensor, m.axis], m, len(total)).values for m in own]
            total += np.sum(parts, axis=0) ** 2
        self.batches += 1

    def scores(self) -> dict[str, np.ndarray | str]:
        """By group what every unit is worth, or why nothing can be said."""
        return {
            name: total / self.batches if self._gates[name] else "no weights produce or consume its channels"
            for name, total in self.totals.items()
        }


@criterion(
    "taylor-weights",
    title="Taylor on weights",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Molchanov et al. 2019, Importance Estimation for Neural Network Pruning (arXiv:1906.10771), equation 8",
    explanation="The squared change of the loss, to first order, that each single weight of a filter would cause, "
    "added up over the filter: weights that balance each other still count.",
    settings={"members": MEMBERS, "batch": MINI_BATCH},
)
def taylor_weights(context: Context, *, members: str = "mean", batch: str = "auto") -> dict[str, np.ndarray | str]:
    """``mean over mini-batches of Σ (w·∂L/∂w)²`` over a unit's rows in one producer, then `members`."""
    weights = producer_weights(context)
    totals = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    batches = 0
    for images, labels in mini_batches(context, batch) if weights else ():
        for name, gradient in batch_gradients(context, images, labels, weights).items():
            totals[name] += (weights[name].detach() * gradient).square()
        batches += 1
    return by_producer(context, {name: total / batches for name, total in totals.items()}, members)


@criterion(
    "taylor-gates",
    title="Taylor on batch-norm gates",
    needs={"inputs", "labels", "gradients", "batch norm"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Molchanov et al. 2019, Importance Estimation for Neural Network Pruning (arXiv:1906.10771), section 3.2",
    explanation="The squared change of the loss, to first order, if a gate behind batch normalisation closed: the "
    "scale and the shift of the channel leave together. Groups without batch normalisation stay whole.",
    settings={"members": MEMBERS, "batch": MINI_BATCH},
)
def taylor_gates(context: Context, *, members: str = "mean", batch: str = "auto") -> dict[str, np.ndarray | str]:
    """``mean over mini-batches of (Σ γ·∂L/∂γ + β·∂L/∂β)²`` over a unit's channels in one batch norm, then `members`.

    A gate z on the batch norm's output z·(γx̂ + β) has the derivative γ·∂L/∂γ + β·∂L/∂β at z = 1.
    """
    modules = dict(context.module.named_modules())
    weights = dict(context.module.named_parameters(remove_duplicate=False))
    gates = {name: scales(group, modules) for name, group in context.structure.groups.items()}
    if not any(gates.values()):
        raise ExplorerError("taylor-gates needs batch normalisation and no group of this model has it: use taylor")
    used = {tensor: weights[tensor] for own in gates.values() for m in own for tensor in _pair(m) if tensor in weights}
    totals = {name: [np.zeros(context.structure.full[name]) for _ in own] for name, own in gates.items()}
    batches = 0
    for images, labels in mini_batches(context, batch):
        gradients = batch_gradients(context, images, labels, used)
        slopes = {tensor: to_numpy(weights[tensor] * gradient) for tensor, gradient in gradients.items()}
        for name, own in gates.items():
            for total, member in zip(totals[name], own, strict=True):
                channels = added(slopes[tensor] for tensor in _pair(member) if tensor in slopes)
                total += unit_sums(channels, member, len(total)).values ** 2
        batches += 1
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        owners = [unit_sums(np.ones(len(m.units)), m, group.units).holds for m in gates[name]]
        parts = [Part(total / batches, holds) for total, holds in zip(totals[name], owners, strict=True)]
        scores[name] = combine(parts, members) if parts else without(group)
    return scores


def _pair(scale: Member) -> tuple[str, str]:
    return scale.tensor, scale.tensor.removesuffix("weight") + "bias"
