"""The criterion of Iterative Flow-Aware Pruning: how much activation flows through a channel's weights."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.criteria.context import Context
from explorer.criteria.members import MEMBERS, combine, host, norms, unit_means
from explorer.criteria.registry import Option, criterion
from explorer.structure.types import Group, Member

SCALE = Option(
    "none",
    ("none", "chw", "sqrt-hw", "layer-mean"),
    "what a layer's activation norms are divided by: nothing (IFAP), channels·height·width (IDAP), "
    "the root of height·width, or their mean over the layer's channels",
)


@dataclass(frozen=True)
class Gauge:
    """A place where a group's channels pass: `module`'s output after `activation`, or its input."""

    module: str
    activation: str
    axis: int
    at_input: bool


@dataclass
class Reading:
    """Sums over inputs of every channel's activation norm; `positions` counts one channel's entries per input."""

    total: Tensor | float = 0.0
    inputs: int = 0
    positions: int = 1

    def add(self, other: "Reading") -> None:
        self.total, self.inputs, self.positions = self.total + other.total, self.inputs + other.inputs, other.positions

    def scaled(self, scale: str) -> np.ndarray:
        """The mean norm d_c of every channel, divided as `scale` says."""
        mean = host(self.total) / self.inputs
        if scale == "layer-mean":
            return mean / mean.mean() if mean.any() else mean
        return mean / {"none": 1, "chw": mean.size * self.positions, "sqrt-hw": self.positions**0.5}[scale]


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
            unit_means(readings[gauge].scaled(scale) * host(norms(tensors[m.tensor], m.axis)), m, group.units)
            for gauge, m in gauges[name]
            if gauge in readings
        ]
        found[name] = combine(parts, members) if parts else "no layer shows its activations when the model runs"
    return found


def _gauges(group: Group, module: nn.Module) -> Iterator[tuple[Gauge, Member]]:
    """Where to look, and the member whose weights count there: producers, for heads the consumers."""
    if group.kind != "heads":
        producers = {member.tensor: member for member in group.of_role("producer")}
        for tap in group.taps:
            yield Gauge(tap.module, tap.activation, tap.axis, at_input=False), producers[tap.producer]
        return
    for member in group.of_role("consumer"):
        name, _, tensor = member.tensor.rpartition(".")
        if tensor == "weight" and isinstance(module.get_submodule(name), nn.Linear):
            yield Gauge(name, "", -1, at_input=True), member


def _read(context: Context, gauges: set[Gauge]) -> dict[Gauge, Reading]:
    """One pass over the data; gauges that no input passes have no reading."""
    readings: dict[Gauge, Reading] = {}
    for images, _ in context.batches() if gauges else ():

        def work(size: int, images: Tensor = images) -> dict[Gauge, Reading]:
            fresh: dict[Gauge, Reading] = {}
            with torch.no_grad(), _watching(context.module, gauges, fresh):
                for (inputs,) in context.chunks(size, images):
                    context.module(inputs)
            return fresh

        for gauge, reading in context.batch.retry(work).items():
            readings.setdefault(gauge, Reading()).add(reading)
    return readings


@contextmanager
def _watching(module: nn.Module, gauges: set[Gauge], readings: dict[Gauge, Reading]) -> Iterator[None]:
    """While open, every call of a gauged module is added to `readings`."""
    with ExitStack() as hooks:
        for gauge in gauges:
            part = module.get_submodule(gauge.module)
            register = part.register_forward_pre_hook if gauge.at_input else part.register_forward_hook
            hooks.callback(register(_hook(gauge, readings)).remove)
        yield


def _hook(gauge: Gauge, readings: dict[Gauge, Reading]) -> Callable[..., None]:
    def hook(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor | None = None) -> None:
        seen = inputs[0] if gauge.at_input else output
        seen = seen[0] if isinstance(seen, tuple) else seen  # attention gives its weights too
        activation = getattr(F, gauge.activation)(seen) if gauge.activation else seen
        readings.setdefault(gauge, Reading()).add(_measure(activation, gauge.axis))

    return hook


def _measure(activation: Tensor, axis: int) -> Reading:
    """The reading of one call; axis 0 is the batch, everything but it and the channels is a position."""
    channels = axis % activation.ndim
    positions = [dim for dim in range(1, activation.ndim) if dim != channels]
    norm = torch.linalg.vector_norm(activation, dim=positions) if positions else activation.abs()
    wide = torch.float32 if activation.device.type == "mps" else torch.float64
    return Reading(norm.sum(0, dtype=wide), activation.shape[0], prod(activation.shape[dim] for dim in positions))
