"""The criterion that adds up what a channel does to the right answer while the input fades in."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, all_gauges, joined
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import to_float64
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.traces import input_means, slopes, target_outputs, traced
from explorer.errors import ExplorerError
from explorer.registry import Choice

STEPS = Choice("8", ("8", "16", "32", "64"), "steps from an input of zeros to the input")


@criterion(
    "conductance",
    title="Conductance (integrated gradients)",
    needs={"inputs", "labels", "gradients"},
    cost="9 forwards + 9 backwards, one more of each than steps",
    forwards=9.0,
    backwards=9.0,
    reference="Dhamdhere et al. 2019, How Important is a Neuron? (arXiv:1805.12233)",
    explanation="The part of the right class's logit that flows through a channel while the input grows from zeros to "
    "what it is. Over all channels of a layer that everything passes the parts add up to the logit's change.",
    settings={"steps": STEPS, "members": MEMBERS},
    rank=20,
)
def conductance(context: Context, *, steps: str = "8", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean over inputs of |Σ_p ∫ ∂F/∂a_p · ∂a_p/∂α dα|`` over a channel's positions p; F the label's logit of α·x.

    The integral is a trapezoidal sum along the activations: ``Σ_k ½(g_k + g_{k−1})·(a_k − a_{k−1})``. One sweep of the
    steps serves all layers at once.

    Raises:
        ExplorerError: the inputs are tokens, between which there are no steps.
    """
    gauges = all_gauges(context)

    def sizes(inputs: Tensor, labels: Any) -> Iterator[tuple[Gauge, Tensor]]:
        for gauge, parts in conducted(context, gauges, inputs, labels, int(steps)).items():
            yield gauge, to_float64(parts.abs()).sum(0)

    return joined(context, input_means(context, gauges, sizes), members)


def conducted(context: Context, gauges: set[Gauge], inputs: Tensor, labels: Any, steps: int) -> dict[Gauge, Tensor]:
    """The conductance of every channel for every input: (inputs, channels)."""
    if not inputs.is_floating_point():
        raise ExplorerError("conductance fades its inputs in, which tokens can't be: use lrp or taylor")
    totals: dict[Gauge, Tensor] = {}
    before: dict[Gauge, list[tuple[Tensor, Tensor]]] = {}
    for step in range(steps + 1):
        now = _at(context, gauges, inputs * (step / steps), labels)
        for gauge, pairs in now.items():
            for (seen, slope), (old, old_slope) in zip(pairs, before.get(gauge, ()), strict=False):
                parts = (seen - old) * (slope + old_slope) / 2
                parts = parts.flatten(2).sum(2) if parts.ndim > 2 else parts
                rows = parts.unflatten(0, (len(inputs), -1)).sum(1)  # windows of one input follow one another
                totals[gauge] = totals.get(gauge, 0) + rows
        before = now
    return totals


def _at(context: Context, gauges: set[Gauge], inputs: Tensor, labels: Any) -> dict:
    inputs = inputs.detach().requires_grad_()
    with torch.enable_grad(), traced(context.module, gauges) as traces:
        return slopes(target_outputs("conductance", context.module(inputs), labels), traces)
