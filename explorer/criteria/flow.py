"""The criterion of Iterative Flow-Aware Pruning: how much activation flows through a channel's weights."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.context import Context
from explorer.criteria.gauges import Gauge, Reading, Watch
from explorer.criteria.members import MEMBERS, combine, host, norms, unit_means
from explorer.criteria.registry import Option, criterion
from explorer.structure.types import Group, Member

SCALE = Option(
    "none",
    ("none", "chw", "sqrt-hw", "layer-mean"),
    "what a layer's activation norms are divided by: nothing (IFAP), channels·height·width (IDAP), "
    "the root of height·width, or their mean over the layer's channels",
)


@criterion(
    "flow",
    title="Flow",
    needs={"inputs"},
    cost="1 forward",
    paper="Iterative Flow-Aware Pruning (IFAP), and its successor IDAP++ (arXiv:2511.20141)",
    explanation="The size of a channel's activation times the length of the weights that make it. It is seen after "
    "normalisation and non-linearity, so a filter that the next layer never sees active counts for nothing. "
    "Unscaled, early layers with large feature maps look important: choose a scale, or normalise the budget.",
    options={"scale": SCALE, "members": MEMBERS},
)
def flow(context: Context, *, scale: str = "none", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``S_c = d_c·‖W_c‖₂``, d_c the mean over inputs of the L2 norm of channel c's activation.

    The activation a is taken after batch norm and the network's own non-linearity (IFAP's code uses ReLU before
    batch norm everywhere): for convolutions ``sqrt(Σ_hw a²)``, for tokens ``sqrt(Σ_n a²)``, for vectors ``|a|``. W_c
    are the weights that produce the channel. A unit of several channels has their mean; a group's producers are
    joined by `members`. Attention heads can only be seen where their concatenated outputs enter the output
    projection: there a is the projection's input and W_c its column for c.
    """
    gauges = {name: list(_gauges(group, context.module)) for name, group in context.structure.groups.items()}
    readings = _read(context, {gauge for watched in gauges.values() for gauge, _ in watched})
    tensors = context.module.state_dict()
    found: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        parts = [
            unit_means(_scaled(readings[gauge], scale) * host(norms(tensors[m.tensor], m.axis)), m, group.units)
            for gauge, m in gauges[name]
            if gauge in readings
        ]
        found[name] = combine(parts, members) if parts else "no layer shows its activations when the model runs"
    return found


def _gauges(group: Group, module: nn.Module) -> Iterator[tuple[Gauge, Member]]:
    """Where to look, and the member whose weights count there: producers, for heads the consumers."""
    if group.kind not in ("heads", "head-dims"):
        producers = {member.tensor: member for member in group.of_role("producer")}
        for tap in group.taps:
            yield Gauge(tap.module, tap.activation, tap.axis), producers[tap.producer]
        return
    for member in group.of_role("consumer"):
        name, _, tensor = member.tensor.rpartition(".")
        if tensor == "weight" and isinstance(module.get_submodule(name), nn.Linear):
            yield Gauge(name, "", -1, at_input=True), member


def _read(context: Context, gauges: set[Gauge]) -> dict[Gauge, Reading]:
    """One pass over the data; gauges that no input passes have no reading."""
    watch = Watch(context.module, gauges)
    readings: dict[Gauge, Reading] = {}
    for images, _ in context.batches() if gauges else ():

        def work(size: int, images: Tensor = images) -> dict[Gauge, Reading]:
            with torch.no_grad(), watch.open():
                for (inputs,) in context.chunks(size, images):
                    context.module(inputs)
            return watch.readings

        for gauge, reading in context.batch.retry(work).items():
            readings.setdefault(gauge, Reading()).add(reading)
    return readings


def _scaled(reading: Reading, scale: str) -> np.ndarray:
    """The mean activation norm d_c of every channel, divided as `scale` says."""
    mean = host(reading.total) / reading.inputs
    if scale == "layer-mean":
        return mean / mean.mean() if mean.any() else mean
    return mean / {"none": 1, "chw": mean.size * reading.positions, "sqrt-hw": reading.positions**0.5}[scale]
