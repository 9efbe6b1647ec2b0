"""The criterion that follows the right answer's logit back through the network."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, all_gauges, joined, over_all
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import to_float64
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.relevance import Relevance
from explorer.criteria.tools.traces import input_means, slopes, target_outputs, traced
from explorer.registry import Choice

RULE = Choice(
    "zplus",
    ("zplus", "epsilon"),
    "what gets a layer's relevance: positive contributions only (zplus), or all with their sign (epsilon)",
)
ALONE = "no relevance reaches it: it only steers what others let pass (a gate, queries, keys)"


@criterion(
    "lrp",
    title="Relevance (LRP)",
    needs={"inputs", "labels", "gradients"},
    cost="about 4 forwards + 4 backwards",
    forwards=4.0,
    backwards=4.0,
    reference="Yeom et al. 2021, Pruning by Explaining: A Novel Criterion for Deep Neural Network Pruning "
    "(arXiv:1912.08881)",
    explanation="How much of the right class's logit flows through a unit, handed back layer by layer so that none "
    "is lost or made, in additions as well. About ten inputs a class are enough. Groups that only open gates stay "
    "whole.",
    settings={"rule": RULE, "members": MEMBERS},
)
def lrp(context: Context, *, rule: str = "zplus", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean over inputs of Σ|R|`` over a channel's positions, R the relevance for the label's logit (`Relevance`)."""
    gauges = all_gauges(context)

    def sizes(inputs: Tensor, labels: Any) -> Iterator[tuple[Gauge, Tensor]]:
        for gauge, pairs in relevance(context, gauges, inputs, labels, rule).items():
            yield from ((gauge, to_float64((seen * slope).abs()).sum(over_all(seen))) for seen, slope in pairs)

    return joined(context, input_means(context, gauges, sizes), members, ALONE)


def relevance(
    context: Context, gauges: set[Gauge], inputs: Tensor, labels: Any, rule: str
) -> dict[Gauge, list[tuple[Tensor, Tensor]]]:
    """What passes the gauges and the factors that make it relevance, channels on axis 1."""
    if inputs.is_floating_point():
        inputs = inputs.detach().requires_grad_()
    with torch.enable_grad(), traced(context.module, gauges) as traces, Relevance(rule):
        outputs = context.module(inputs)
    with torch.enable_grad():
        return slopes(target_outputs("lrp", outputs, labels), traces)
