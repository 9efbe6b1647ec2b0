"""The criterion that removes what the next layer's outputs miss least."""

from itertools import chain

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Inputs, Sums, observe
from explorer.criteria.tools.members import tensor_sums
from explorer.criteria.tools.numbers import added, to_float64, to_numpy
from explorer.criteria.tools.readers import UNREAD, Reader, by_gauge, draw, sample
from explorer.criteria.tools.registry import criterion


@criterion(
    "thinet",
    title="Next layer's outputs (ThiNet)",
    needs={"inputs"},
    cost="1 forward, and a greedy search",
    forwards=1.0,
    reference="Luo et al. 2017, ThiNet: A Filter Level Pruning Method (arXiv:1707.06342)",
    explanation="Removes, one after the other, the unit without which the next layer's outputs change least, given "
    "those that are gone; a unit's score is its place in that order. Units that cancel each other leave together.",
)
def thinet(context: Context) -> dict[str, np.ndarray | str]:
    """``(place of the unit in the order of removal)/units``, of the greedy search for ``min Σ_i (Σ_{j∈T} x̂_ij)²``.

    x̂_ij is what unit j contributes to sample i, one entry of a consumer's output without its bias: per input
    `readers.SAMPLES` places, and one output channel in each. The sum is ``Σ_{j,k∈T} G_jk`` with the Gram matrix
    ``G = x̂ᵀx̂``, which is all that is kept, so that a step costs no more than a row of it. Each consumer counts alike:
    its G is divided by its trace. The paper removes channels of one consumer, and rescales weights afterwards, which
    is a recovery.
    """
    reading = by_gauge(context)

    def measure(gauge: Gauge, activation: Tensor, inputs: Inputs) -> Sums[tuple[str, str]]:
        sums: Sums[tuple[str, str]] = {}
        for name, reader in chain.from_iterable(reading[gauge].values()):
            parts = contributions(context, reader, context.structure.full[name], activation, inputs.first)
            sums[name, reader.member.tensor] = parts.mT @ parts
        return sums

    grams: dict[str, list[np.ndarray]] = {name: [] for name in context.structure.groups}
    for sums in observe(context, list(reading), measure).values():
        for (name, _), gram in sums.items():
            grams[name].append(to_numpy(gram))
    return {name: _score(known) if known else UNREAD for name, known in grams.items()}


def contributions(context: Context, reader: Reader, units: int, activation: Tensor, first: int) -> Tensor:
    """What every unit adds to sampled outputs of a layer: float64 (samples, units)."""
    inputs, weights = sample(context, reader, activation, first)
    rows, places, groups = inputs.shape[:3]
    outputs = draw(context, reader, "outputs", groups * weights.shape[1], first, rows, places)
    group, output = (torch.as_tensor(part, device=inputs.device) for part in np.divmod(outputs, weights.shape[1]))
    chosen = inputs.gather(2, group[:, :, None, None, None].expand(-1, -1, 1, *inputs.shape[3:]))[:, :, 0]
    channels = to_float64((chosen * weights[group, output]).sum(-1)).flatten(0, 1)
    return tensor_sums(channels, reader.member, units)


def _score(grams: list[np.ndarray]) -> np.ndarray:
    gram = added(gram / (trace if (trace := np.trace(gram)) > 0 else 1) for gram in grams)
    return (np.argsort(removal_order(gram)) + 1) / len(gram)


def removal_order(gram: np.ndarray) -> np.ndarray:
    """Units in the order in which each next one adds least to ``Σ_{j,k∈T} G_jk``; of equals the first."""
    cost, left, order = np.diag(gram).copy(), np.ones(len(gram), dtype=bool), []
    for _ in range(len(gram)):
        unit = int(np.where(left, cost, np.inf).argmin())
        left[unit] = False
        order.append(unit)
        cost += 2 * gram[unit]
    return np.array(order)
