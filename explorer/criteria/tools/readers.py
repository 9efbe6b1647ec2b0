"""The layers that read a group's channels, and what each unit contributes to a sample of their outputs."""

import zlib
from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge
from explorer.sources.networks.attention import SelfAttention
from explorer.structure.types import Group, Member

SAMPLES = 16  # places of a layer's output that are looked at for every input
UNREAD = "no convolution or linear layer that can be watched reads its channels"


class Reader(NamedTuple):
    """A layer that reads channels: `gauge` sees its input, `member` says which unit owns an entry of its weight."""

    gauge: Gauge
    member: Member


def readers(group: Group, module: nn.Module) -> Iterator[Reader]:
    """The convolutions (not transposed) and linear layers that read a group's channels."""
    for member in group.of_role("consumer") if not group.contracted or group.kind == "head-dims" else ():
        name, _, tensor = member.tensor.rpartition(".")
        layer = module.get_submodule(name)
        if tensor == "weight" and isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            yield Reader(Gauge(name, "", 1, at_input=True), member)
        elif isinstance(layer, nn.Linear | SelfAttention) and tensor in ("weight", "in_proj_weight"):
            yield Reader(Gauge(name, "", -1, at_input=True), member)


class Read(NamedTuple):
    """A group, by name, and one of its readers."""

    group: str
    reader: Reader


def by_gauge(context: Context) -> dict[Gauge, dict[str, list[Read]]]:
    """All readers of all groups, by the gauge that sees their inputs and the tensor that reads them."""
    readings: dict[Gauge, dict[str, list[Read]]] = {}
    for name, group in context.structure.groups.items():
        for reader in readers(group, context.module):
            readings.setdefault(reader.gauge, {}).setdefault(reader.member.tensor, []).append(Read(name, reader))
    return readings


class Sample(NamedTuple):
    """What a layer reads at some places of its outputs, and its weights; entries are kernel positions.

    inputs: (inputs, places, conv groups, channels of a group, entries).
    weights: (conv groups, outputs of a group, channels of a group, entries).
    """

    inputs: Tensor
    weights: Tensor


def sample(context: Context, reader: Reader, activation: Tensor, first: int) -> Sample:
    """A sample of a layer's work on an activation (inputs, channels, …) that enters it.

    Every input has places of its own, from one seeded permutation: input after input they run through all of them.

    Args:
        context: with module and seed.
        reader: the layer.
        activation: what enters it.
        first: the number of the first input, on which it depends what is drawn, however many are looked at together.
    """
    layer = context.module.get_submodule(reader.gauge.module)
    windows = _windows(layer, activation) if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d) else activation
    weights = oriented(context, reader)
    sizes = windows.shape[2 : activation.ndim]
    rows = draw(context, reader, "places", prod(sizes), first, len(windows), min(SAMPLES, prod(sizes)))
    batch = torch.arange(len(windows), device=activation.device)[:, None].expand(rows.shape)
    where = np.unravel_index(rows, sizes) if sizes else ()
    index = [torch.as_tensor(axis, device=activation.device) for axis in where]
    # Indices on both sides of the channels' slice: the sampled axes come first.
    chosen: tuple[Tensor | slice, ...] = (batch, slice(None), *index)
    seen = windows[chosen] if index else windows[:, None]
    return Sample(seen.reshape(*rows.shape, len(weights), *weights.shape[2:]), weights)


def oriented(context: Context, reader: Reader) -> Tensor:
    """The weights of a layer: see `Sample`."""
    weight = context.module.get_parameter(reader.member.tensor).detach()
    groups = getattr(context.module.get_submodule(reader.gauge.module), "groups", 1)
    return weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)


def draw(context: Context, reader: Reader, what: str, total: int, first: int, inputs: int, size: int) -> np.ndarray:
    """Places that are drawn for some inputs, int64 (inputs, size).

    Args:
        context: with the seed.
        reader: the layer, of which each has its own draw.
        what: is drawn, of which each has its own draw, too.
        total: how many places there are.
        first: the number of the first input.
        inputs: how many there are.
        size: how many places each of them gets.
    """
    stream = np.random.default_rng([context.seed, zlib.crc32(f"{reader.gauge.module} {what}".encode())])
    numbers = (first + np.arange(inputs))[:, None] * size + np.arange(size)
    return stream.permutation(total)[numbers % total]


def _windows(layer: nn.Conv1d | nn.Conv2d | nn.Conv3d, activation: Tensor) -> Tensor:
    """The kernel's view at every place of the output: (inputs, channels, *output size, *kernel size); a view."""
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    windows = F.pad(activation, layer._reversed_padding_repeated_twice, mode=mode)
    for axis, (size, stride, dilation) in enumerate(
        zip(layer.kernel_size, layer.stride, layer.dilation, strict=True), start=2
    ):
        windows = windows.unfold(axis, dilation * (size - 1) + 1, stride)[..., ::dilation]
    return windows
