"""Measuring the size of channels' activations while a model runs, at little more than the run's own cost."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Gauge:
    """A place where channels pass, on `axis`: `module`'s output after `activation`, or its input."""

    module: str
    activation: str
    axis: int
    at_input: bool = False


@dataclass
class Reading:
    """Per channel, the sum over inputs of the activation's L2 norm over its `positions` entries."""

    total: Tensor | float = 0.0
    inputs: int = 0
    positions: int = 1

    def add(self, other: "Reading") -> None:
        self.total, self.inputs, self.positions = self.total + other.total, self.inputs + other.inputs, other.positions


@dataclass
class Watch:
    """Reads all gauges of a module; `readings` grows with every forward pass inside ``with watch.open():``.

    The first pass computes every gauge's activation and learns where the network hands a gauge's tensor straight to
    a module that computes the same activation; later passes read that module's result instead.
    """

    module: nn.Module
    gauges: Collection[Gauge]
    readings: dict[Gauge, Reading] = field(default_factory=dict)
    followed: set[Gauge] = field(default_factory=set)
    _learnt: bool = False
    _seen: dict[int, tuple[weakref.ref[Tensor], int, list[Gauge]]] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[None]:
        self.readings = {}
        self._seen.clear()
        names = {gauge.activation for gauge in self.gauges}
        at = defaultdict(list)
        for gauge in self.gauges:
            at[gauge.module, gauge.at_input].append(gauge)
        with ExitStack() as hooks:
            for (name, at_input), gauges in at.items():
                hooks.callback(self._attach(self.module.get_submodule(name), at_input, gauges))
            for part in self.module.modules():
                if _activation(part) in names:
                    hooks.callback(part.register_forward_pre_hook(self._before).remove)
                    hooks.callback(part.register_forward_hook(self._after).remove)
            hooks.callback(self.module.register_forward_hook(self._finish).remove)
            yield

    def _attach(self, part: nn.Module, at_input: bool, gauges: list[Gauge]) -> Callable[[], None]:
        if at_input:
            return part.register_forward_pre_hook(lambda _, inputs: self._see(inputs[0], gauges)).remove
        return part.register_forward_hook(lambda _, inputs, output: self._see(output, gauges)).remove

    def _see(self, seen: Tensor | tuple[Tensor, ...], gauges: list[Gauge]) -> None:
        seen = seen[0] if isinstance(seen, tuple) else seen  # attention gives its weights too
        self._seen[id(seen)] = weakref.ref(seen), seen._version, gauges
        for gauge in gauges:
            if gauge not in self.followed:
                self._read(gauge, getattr(F, gauge.activation)(seen) if gauge.activation else seen)

    def _before(self, part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """In the first pass: an activation is about to be computed, of a tensor that gauges saw and as they saw it."""
        reference, version, gauges = self._seen.get(id(inputs[0]), (None, 0, []))
        if not self._learnt and reference and reference() is inputs[0] and inputs[0]._version == version:
            self.followed |= {gauge for gauge in gauges if gauge.activation == _activation(part)}

    def _after(self, part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        reference, _, gauges = self._seen.get(id(inputs[0]), (None, 0, []))
        if self._learnt and reference and reference() is inputs[0]:
            for gauge in self.followed.intersection(gauges):
                if gauge.activation == _activation(part):
                    self._read(gauge, output)

    def _finish(self, *_: object) -> None:
        self._learnt = True
        self._seen.clear()

    def _read(self, gauge: Gauge, activation: Tensor) -> None:
        self.readings.setdefault(gauge, Reading()).add(measure(activation, gauge.axis))


def measure(activation: Tensor, axis: int) -> Reading:
    """The reading of one tensor: axis 0 is the batch, everything but it and the channels a position."""
    channels = axis % activation.ndim
    positions = tuple(dim for dim in range(1, activation.ndim) if dim != channels)
    if not positions:
        norm = activation.abs()
    elif channels == 1:
        norm = torch.linalg.vector_norm(activation, dim=positions)
    else:  # ten times as fast as vector_norm where the channels are the last axis
        norm = activation.square().sum(positions).sqrt()
    wide = torch.float32 if activation.device.type == "mps" else torch.float64
    return Reading(norm.sum(0, dtype=wide), activation.shape[0], prod(activation.shape[dim] for dim in positions))


def _activation(part: nn.Module) -> str:
    """The name in `torch.nn.functional` of what a module computes, if it is an activation."""
    return type(part).__name__.lower()
