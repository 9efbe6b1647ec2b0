"""Criteria that ask how much, or how often, a channel is active."""

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Sums, all_gauges, joined, observe, over_all
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.registry import criterion

SILENT = frozenset({"relu", "relu6", "hardswish", "hardsigmoid"})  # exactly zero on a whole range of inputs


@criterion(
    "apoz",
    title="Share of active entries (APoZ)",
    needs={"inputs"},
    cost="1 forward",
    forwards=1.0,
    reference="Hu et al. 2016, Network Trimming (arXiv:1607.03250)",
    explanation="How often a channel is not exactly zero: one minus the average percentage of zeros (APoZ). Only "
    "activations such as ReLU have zeros to count; groups behind others (GELU, SiLU) stay whole. A channel that is "
    "always on scores 1, however small it is.",
    settings={"members": MEMBERS},
    rank=20,
)
def apoz(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``1 − APoZ_c``, the fraction of a channel's activations that differ from zero, over inputs and positions."""
    gauges = {gauge for gauge in all_gauges(context) if gauge.activation in SILENT}

    def measure(_gauge: Gauge, activation: Tensor, *_: object) -> Sums[str]:
        active = to_float64(activation.count_nonzero(over_all(activation)))
        return {"active": active, "entries": torch.tensor(activation.numel() // activation.shape[1])}

    read = observe(context, gauges, measure)
    shares = {gauge: to_numpy(sums["active"]) / int(sums["entries"]) for gauge, sums in read.items()}
    return joined(context, shares, members, "no ReLU or the like follows, so its activations are hardly ever zero")


@criterion(
    "mean-activation",
    title="Mean activation",
    needs={"inputs"},
    cost="1 forward",
    forwards=1.0,
    reference="Molchanov et al. 2017, Pruning Convolutional Neural Networks for Resource Efficient Inference "
    "(arXiv:1611.06440), section 2.2",
    explanation="The mean size of a channel's activation. Behind a ReLU this is its mean; behind other "
    "non-linearities signs are dropped, so that what is large but balanced does not pass for absent.",
    settings={"members": MEMBERS},
    rank=20,
)
def mean_activation(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean |a|`` over inputs and positions."""

    def measure(_gauge: Gauge, activation: Tensor, *_: object) -> Sums[str]:
        total = to_float64(activation.abs()).sum(over_all(activation))
        return {"total": total, "entries": torch.tensor(activation.numel() // activation.shape[1])}

    read = observe(context, all_gauges(context), measure)
    means = {gauge: to_numpy(sums["total"]) / int(sums["entries"]) for gauge, sums in read.items()}
    return joined(context, means, members)
