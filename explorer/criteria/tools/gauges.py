"""Looking at channels' activations while a model runs, at little more than the run's own cost."""

import weakref
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.members import combine, unit_means
from explorer.modules import Hook, watching
from explorer.structure.types import Group, Member


@dataclass(frozen=True)
class Gauge:
    """A place where channels pass.

    Args:
        module: whose output is looked at.
        activation: through which it is seen, a name in `torch.nn.functional`; empty: none.
        axis: of the channels.
        at_input: whether the module's input is looked at instead.
    """

    module: str
    activation: str
    axis: int
    at_input: bool = False


@dataclass
class Watch:
    """Hands on the activation at every gauge of a module, during the forward passes inside ``with watch.open(see):``.

    `see(gauge, activation)` gets them with the channels moved to axis 1: (batch, channels), or (batch, channels, …)
    with one axis or more of positions. What it does not keep is freed as the pass goes on.

    The first pass computes every gauge's activation and learns where the network hands a gauge's tensor straight to
    a module that computes the same activation; later passes show that module's result instead.
    """

    module: nn.Module
    gauges: Collection[Gauge]
    followed: set[Gauge] = field(default_factory=set)
    learnt: bool = False
    _show: Callable[[Gauge, Tensor], None] | None = None
    _seen: dict[int, tuple[weakref.ref[Tensor], int, list[Gauge]]] = field(default_factory=dict)

    @contextmanager
    def open(self, see: Callable[[Gauge, Tensor], None]) -> Iterator[None]:
        self._show = see
        self._seen.clear()
        names = {gauge.activation for gauge in self.gauges}
        at: dict[tuple[str, bool], list[Gauge]] = defaultdict(list)
        for gauge in self.gauges:
            at[gauge.module, gauge.at_input].append(gauge)
        entered: list[tuple[str, Hook]]
        left: list[tuple[str, Hook]]
        entered = [(name, partial(self._enter, gauges)) for (name, at_input), gauges in at.items() if at_input]
        left = [(name, partial(self._leave, gauges)) for (name, at_input), gauges in at.items() if not at_input]
        activations = [path for path, part in self.module.named_modules() if _activation(part) in names]
        entered += [(path, self._before) for path in activations]
        left += [(path, self._after) for path in activations]
        with watching(self.module, [*left, ("", self._finish)], before=entered):
            yield

    def _enter(self, gauges: list[Gauge], _: nn.Module, inputs: tuple) -> None:
        self._see(inputs[0], gauges)

    def _leave(self, gauges: list[Gauge], _: nn.Module, __: tuple, output: Any) -> None:
        self._see(output, gauges)

    def _see(self, seen: Tensor | tuple[Tensor, ...], gauges: list[Gauge]) -> None:
        seen = seen[0] if isinstance(seen, tuple) else seen  # attention gives its weights too
        self._seen[id(seen)] = weakref.ref(seen), seen._version, gauges
        for gauge in gauges:
            if not self.learnt or gauge not in self.followed:
                self._read(gauge, getattr(F, gauge.activation)(seen) if gauge.activation else seen)

    def _before(self, part: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """In the first pass: an activation is about to be computed, of a tensor that gauges saw and as they saw it."""
        reference, version, gauges = self._seen.get(id(inputs[0]), (None, 0, []))
        if not self.learnt and reference and reference() is inputs[0] and inputs[0]._version == version:
            self.followed |= {gauge for gauge in gauges if gauge.activation == _activation(part)}

    def _after(self, part: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        reference, _, gauges = self._seen.get(id(inputs[0]), (None, 0, []))
        if self.learnt and reference and reference() is inputs[0]:
            for gauge in self.followed.intersection(gauges):
                if gauge.activation == _activation(part):
                    self._read(gauge, output)

    def _finish(self, *_: object) -> None:
        self.learnt = True
        self._seen.clear()

    def _read(self, gauge: Gauge, activation: Tensor) -> None:
        if self._show is not None:
            self._show(gauge, activation.movedim(gauge.axis, 1))


def _activation(part: nn.Module) -> str:
    """The name in `torch.nn.functional` of what a module computes, if it is an activation."""
    return type(part).__name__.lower()


class Inputs(NamedTuple):
    """The inputs behind an activation: how many of the calibration set came before them, and their labels."""

    first: int
    labels: Any


Key = TypeVar("Key", bound=Hashable)
Sums = dict[Key, Tensor]
"""What adds up, by name; counts are whole numbers of no axis."""


def observe(
    context: Context, gauges: Collection[Gauge], measure: Callable[[Gauge, Tensor, Inputs], Sums[Key]]
) -> dict[Gauge, Sums[Key]]:
    """The sums over the calibration set of what `measure` finds at every gauge, key by key, in one pass.

    Only the sums are kept from one slice of inputs to the next. `measure` sees activations as `Watch` shows them, of
    slices as large as the device has room for: what it gives must add up. A gauge that no input passes, or of which
    nothing was measured, is missing.
    """
    watch, first = Watch(context.module, gauges), 0
    totals: dict[Gauge, Sums[Key]] = {}
    slice_sums: dict[Gauge, Sums[Key]] = {}
    behind = Inputs(0, None)

    def see(gauge: Gauge, activation: Tensor) -> None:
        add(slice_sums.setdefault(gauge, {}), measure(gauge, activation, behind))

    def work(size: int, images: Tensor, labels: Any) -> None:
        nonlocal behind
        slice_sums.clear()
        for start in range(0, len(images), size):
            behind = Inputs(first + start, labels[start : start + size])
            context.module(images[start : start + size].to(context.device))

    with torch.no_grad(), watch.open(see):
        for images, labels in context.batches() if gauges else ():
            context.batch.retry(partial(work, images=images, labels=labels))
            for place, sums in slice_sums.items():
                add(totals.setdefault(place, {}), sums)
            first += len(images)
    return {place: sums for place, sums in totals.items() if sums}


def add(total: Sums[Key], more: Mapping[Key, Tensor]) -> None:
    """Adds to the sums, key by key."""
    for key, value in more.items():
        total[key] = total[key] + value if key in total else value


def places(group: Group, module: nn.Module) -> Iterator[tuple[Gauge, Member]]:
    """Where a group's channels show, and the member that says which unit a channel belongs to.

    After the normalisation and non-linearity of each of its producers. Queries, keys and values say little by
    themselves: heads are seen where their concatenated results enter a linear layer.
    """
    if group.kind not in ("heads", "head-dims"):
        producers = {member.tensor: member for member in group.of_role("producer")}
        for tap in group.taps:
            yield Gauge(tap.module, tap.activation, tap.axis), producers[tap.producer]
        return
    for member in group.of_role("consumer"):
        name, _, tensor = member.tensor.rpartition(".")
        if tensor == "weight" and isinstance(module.get_submodule(name), nn.Linear):
            yield Gauge(name, "", -1, at_input=True), member


UNSEEN = "no layer shows its activations when the model runs"


def joined(
    context: Context, values: Mapping[Gauge, np.ndarray], members: str, reason: str = UNSEEN
) -> dict[str, np.ndarray | str]:
    """Scores of all groups from a value per channel at gauges: means over a unit's channels, joined by `members`.

    Groups of which no gauge has values get the reason.
    """
    scores: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        at = [(gauge, member) for gauge, member in places(group, context.module) if gauge in values]
        parts = [unit_means(values[gauge], member, group.units) for gauge, member in at]
        scores[name] = combine(parts, members) if parts else reason
    return scores


def all_gauges(context: Context) -> set[Gauge]:
    """Every place where channels of a group show."""
    return {gauge for group in context.structure.groups.values() for gauge, _ in places(group, context.module)}


def over_all(activation: Tensor) -> list[int]:
    """The axes of an activation, as a watch shows it, but the channels'."""
    return [0, *range(2, activation.ndim)]
