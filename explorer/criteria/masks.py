"""Criteria that ask a mask on activations, sample by sample, what it would do to the loss."""

import numpy as np
import torch

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gates import Gate, maker_gates, on_axis, reader_gates, sample_slopes
from explorer.criteria.tools.gauges import UNSEEN
from explorer.criteria.tools.members import MEMBERS, combine, tensor_sums, unit_means
from explorer.criteria.tools.numbers import added, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.registry import Choice

ABSOLUTE = Choice(
    "sample",
    ("sample", "set"),
    "where the absolute value is taken: of every sample before the mean (as in the paper), or of the mean over all "
    "samples (as in much-used code), in which samples that pull in opposite directions cancel",
)
COST = Choice(
    "none", ("none", "macs", "params"), "what a unit's score is divided by: nothing, or what removing it saves"
)


@criterion(
    "taylor-activation",
    title="Taylor on activations",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Molchanov et al. 2017, Pruning Convolutional Neural Networks for Resource Efficient Inference "
    "(arXiv:1611.06440)",
    explanation="How much the loss would change, to first order, if a feature map were zero, averaged over its "
    "positions. Maps of many positions look less important than they are: the paper divides by the layer's L2 "
    "norm, which is the normaliser of that name.",
    settings={"absolute": ABSOLUTE, "members": MEMBERS},
)
def taylor_activation(
    context: Context, *, absolute: str = "sample", members: str = "mean"
) -> dict[str, np.ndarray | str]:
    """``mean_n |t_n|``, or ``|mean_n t_n|``, with ``t_n = (1/M) Σ a·∂L_n/∂a`` over the M positions of a channel.

    The activation a is the one after the producer's normalisation and non-linearity, of heads the one that enters the
    output projection; L_n is the loss of sample n alone. A unit of several channels has their mean.
    """
    gates = {name: maker_gates(group) for name, group in context.structure.groups.items()}
    totals: dict[Gate, torch.Tensor] = {}
    samples = 0
    for slopes in sample_slopes(context, _all(gates)):
        for gate, (values, positions) in slopes.items():
            means = (values.abs() if absolute == "sample" else values).cpu().double().sum(0) / positions
            totals[gate] = totals[gate] + means if gate in totals else means
        samples += len(next(iter(slopes.values())).values) if slopes else 0
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        seen = [(gate, m) for gate, m in gates[name] if gate in totals]
        parts = [unit_means(to_numpy(on_axis(totals[gate].abs(), m)) / samples, m, group.units) for gate, m in seen]
        scores[name] = combine(parts, members) if parts else UNSEEN
    return scores


@criterion(
    "group-fisher",
    title="Group Fisher",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Liu et al. 2021, Group Fisher Pruning for Practical Network Compression (arXiv:2108.00708)",
    explanation="The squared derivative of every single sample's loss with respect to a mask on the unit in all "
    "layers that read it: to second order, what its removal costs at a minimum of the loss.",
    settings={"per": COST},
)
def group_fisher(context: Context, *, per: str = "none") -> dict[str, np.ndarray | str]:
    """``mean_n u_n²``, u_n = Σ a·∂L_n/∂a over all inputs of the group's consumers and the unit's channels in them.

    A mask in front of a depthwise convolution masks what it gives too, so only those layers count that mix channels.
    """
    gates = {name: reader_gates(group) for name, group in context.structure.groups.items()}
    totals = {name: np.zeros(group.units) for name, group in context.structure.groups.items()}
    samples, seen = 0, set(_all(gates))
    for slopes in sample_slopes(context, _all(gates)):
        seen &= set(slopes)
        samples += len(next(iter(slopes.values())).values) if slopes else 0
        for name, total in totals.items():
            if gates[name] and seen.issuperset(gate for gate, _ in gates[name]):
                total += _unit_slopes(slopes, gates[name], len(total)).square().sum(0).numpy()
    scores: dict[str, np.ndarray | str] = {}
    for name, total in totals.items():
        if not gates[name]:
            scores[name] = "no weights read its channels"
        elif not seen.issuperset(gate for gate, _ in gates[name]):
            scores[name] = UNSEEN
        else:
            scores[name] = total / samples / _saving(context, name, per)
    return scores


def _all(gates: dict) -> list[Gate]:
    return list(dict.fromkeys(gate for pairs in gates.values() for gate, _ in pairs))


def _unit_slopes(slopes: dict, pairs: list, units: int) -> torch.Tensor:
    """The sum over gates of every sample's slopes by unit, float64 of shape (samples, units), on the CPU."""
    return added(tensor_sums(on_axis(slopes[gate].values, m).cpu().double(), m, units) for gate, m in pairs)


def _saving(context: Context, name: str, per: str) -> float:
    """What the first unit of a group to leave saves; 1 where nothing is asked for."""
    if per == "none":
        return 1.0
    units = context.structure.full[name]
    whole, without = context.structure.cost(), context.structure.cost({name: units - 1})
    return max(1, getattr(whole, per) - getattr(without, per))
