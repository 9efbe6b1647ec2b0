"""The criterion of Iterative Flow-Aware Pruning: how much activation flows through a channel's weights."""

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import UNSEEN, Gauge, Sums, observe, places
from explorer.criteria.tools.members import MEMBERS, combine, norms, unit_means
from explorer.criteria.tools.numbers import to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.registry import Choice
from explorer.structure.types import Member

SCALE = Choice(
    "none",
    ("none", "chw", "sqrt-hw", "layer-mean"),
    "what a layer's activation norms are divided by: nothing (IFAP), channels·height·width (IDAP), "
    "the root of height·width, or their mean over the layer's channels",
)
ACTIVATION = Choice(
    "own",
    ("own", "relu"),
    "what is measured: the activation behind a layer's normalisation and the network's own non-linearity, or, as in "
    "IFAP's code, the ReLU of what the layer itself gives",
)


@criterion(
    "flow",
    title="Flow",
    needs={"inputs"},
    cost="1 forward",
    forwards=1.0,
    reference="Iterative Flow-Aware Pruning (IFAP), and IDAP++ (arXiv:2511.20141)",
    explanation="The size of a channel's activation times the length of the weights that make it. It is seen after "
    "normalisation and non-linearity, so a filter that the next layer never sees active counts for nothing. "
    "Unscaled, early layers with large feature maps look important: choose a scale, or normalise the budget.",
    settings={"scale": SCALE, "activation": ACTIVATION, "members": MEMBERS},
    rank=20,
)
def flow(
    context: Context, *, scale: str = "none", activation: str = "own", members: str = "mean"
) -> dict[str, np.ndarray | str]:
    """``S_c = d_c·‖W_c‖₂``, d_c the mean over inputs of the L2 norm of channel c's activation.

    The activation a is taken after batch norm and the network's own non-linearity; with ``activation="relu"`` it is
    the ReLU of the layer's own output, before batch norm, as in IFAP's code. Its norm is for convolutions
    ``sqrt(Σ_hw a²)``, for tokens ``sqrt(Σ_n a²)``, for vectors ``|a|``. W_c are the weights that produce the channel.
    A unit of several channels has their mean; a group's producers are joined by `members`. Attention heads can only be
    seen where their concatenated outputs enter the output projection: there a is the projection's input and W_c its
    column for c.
    """
    at = {name: list(places(group, context.module)) for name, group in context.structure.groups.items()}
    if activation == "relu":
        at = {name: [(_at_the_layer(gauge, m), m) for gauge, m in found] for name, found in at.items()}
    gauges = {gauge for found in at.values() for gauge, _ in found}
    readings = observe(context, gauges, lambda _gauge, seen, _inputs: measure(seen))
    tensors = context.module.state_dict()
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        parts = [
            unit_means(_scaled(readings[gauge], scale) * to_numpy(norms(tensors[m.tensor], m.axis)), m, group.units)
            for gauge, m in at[name]
            if gauge in readings
        ]
        scores[name] = combine(parts, members) if parts else UNSEEN
    return scores


def _at_the_layer(gauge: Gauge, producer: Member) -> Gauge:
    """Where the ReLU of a producer's own output shows; heads show nowhere but where they enter their projection."""
    return gauge if gauge.at_input else Gauge(producer.tensor.rpartition(".")[0], "relu", gauge.axis)


def measure(activation: Tensor) -> Sums[str]:
    """Per channel, the sum over inputs of the L2 norm over all positions; how many inputs, and how many entries."""
    positions = tuple(range(2, activation.ndim))
    if not positions:
        norm = activation.abs()
    elif activation.stride(1) > 1:
        norm = torch.linalg.vector_norm(activation, dim=positions)
    else:  # ten times as fast as vector_norm where the channels lie next to one another
        norm = activation.square().sum(positions).sqrt()
    wide = torch.float32 if activation.device.type == "mps" else torch.float64
    counts = {"inputs": len(activation), "entries": activation.numel() // activation.shape[1]}
    return {"norms": norm.sum(0, dtype=wide)} | {name: torch.tensor(count) for name, count in counts.items()}


def _scaled(reading: Sums[str], scale: str) -> np.ndarray:
    """The mean activation norm d_c of every channel, divided as `scale` says."""
    mean = to_numpy(reading["norms"]) / int(reading["inputs"])
    if scale == "layer-mean":
        return mean / mean.mean() if mean.any() else mean
    positions = int(reading["entries"]) / int(reading["inputs"])
    return mean / {"none": 1, "chw": mean.size * positions, "sqrt-hw": positions**0.5}[scale]
