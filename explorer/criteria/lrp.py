"""The criterion that follows the right answer's logit back through the network."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.context import Context
from explorer.criteria.gauges import Gauge, all_gauges, joined, over_all, precise
from explorer.criteria.members import MEMBERS, host
from explorer.criteria.registry import Option, criterion
from explorer.criteria.relevance import Relevance
from explorer.criteria.traces import slopes, target_outputs, traced

RULE = Option(
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
    forwards=4,
    backwards=4,
    paper="Yeom et al. 2021, Pruning by Explaining: A Novel Criterion for Deep Neural Network Pruning "
    "(arXiv:1912.08881)",
    explanation="How much of the right class's logit flows through a unit, handed back layer by layer so that none "
    "is lost or made, in additions as well. About ten inputs a class are enough. Groups that only open gates stay "
    "whole.",
    options={"rule": RULE, "members": MEMBERS},
)
def lrp(context: Context, *, rule: str = "zplus", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean over inputs of Σ|R|`` over a channel's positions, R the relevance for the label's logit (`Relevance`)."""
    totals: dict[Gauge, Tensor] = {}
    gauges, count = all_gauges(context), 0
    for images, labels in context.batches() if gauges else ():

        def work(size: int, images: Tensor = images, labels: Any = labels) -> dict[Gauge, Tensor]:
            found: dict[Gauge, Tensor] = {}
            for inputs, targets in context.chunks(size, images, labels):
                for gauge, pairs in relevance(context, gauges, inputs, targets, rule).items():
                    for seen, slope in pairs:
                        size_of = precise((seen * slope).abs()).sum(over_all(seen))
                        found[gauge] = found.get(gauge, 0) + size_of
            return found

        for place, values in context.batch.retry(work).items():
            totals[place] = totals.get(place, 0) + values
        count += len(images)
    return joined(context, {gauge: host(values) / count for gauge, values in totals.items()}, members, ALONE)


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
