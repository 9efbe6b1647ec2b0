"""The segment of a pass right behind a mask, in which a few channels change and all others stay as they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.criteria.tools.narrow import LAYERS, Delta, Narrow, through_layer, through_operator
from explorer.evaluation.live.tape import INPUTS, Slot, Step, Tape, Values, replay
from explorer.structure.operators import operator_name

Changes = dict[int, Narrow | Delta]  # by slot


@dataclass(frozen=True, eq=False)
class Place:
    """Where channels are masked.

    Args:
        module: whose output it is.
        axis: of the channels.
        fill: what takes the place of masked ones: a number, or one for every channel.
        at_input: whether the module's input is masked instead.
    """

    module: str
    axis: int
    fill: float | Tensor = 0.0
    at_input: bool = False

    def masked(self, seen: Tensor, channels: Tensor) -> Tensor:
        """A copy of an activation with the channels masked."""
        return self.change(seen, channels).applied(seen)

    def change(self, seen: Tensor, channels: Tensor) -> Narrow:
        """What masking the channels changes about an activation."""
        axis = self.axis % seen.ndim
        old = seen.index_select(axis, channels)
        if not isinstance(self.fill, Tensor):
            return Narrow(axis, seen.shape[axis], channels, old, torch.full_like(old, self.fill))
        shape = [len(channels) if dim == axis else 1 for dim in range(seen.ndim)]
        new = self.fill.to(old)[channels].view(shape).expand_as(old).clone()
        return Narrow(axis, seen.shape[axis], channels, old, new)


class Run(NamedTuple):
    """A tape and what it is repeated on."""

    tape: Tape
    network: nn.Module
    inputs: Tensor

    def between(self, start: int, stop: int, known: Values | None) -> Values:
        """What is alive at `stop`, from what is at `start`."""
        return replay(*self, start=start, stop=stop, known=known, keep={stop}, tick=still)[1][stop]

    def outputs(self, start: int, known: Values | None) -> Tensor:
        """The network's outputs, from what is alive at `start`."""
        return replay(*self, start=start, known=known, tick=still)[0]

    def operands(self, step: Step, index: int, values: Values) -> Values:
        """The tensors that a step reads, as they are then."""
        tape = self.tape
        known = {INPUTS: self.inputs, **tape.constants, **tape.copied(values, index)}
        owned = dict([*self.network.named_parameters(), *self.network.named_buffers()])
        return {slot: owned[tape.names[slot]] if slot in tape.names else known[slot] for slot in reads(step)}


@dataclass(frozen=True, eq=False)
class Segment:
    """The steps behind a place that a mask's changes can be followed through.

    Args:
        run: the pass that is masked.
        place: where it is.
        slot: of the activation that is masked.
        path: the steps that pass changes on, each with the values that it reads in a pass without a mask.
        before: what is alive where the segment starts.
        stop: the step before which it ends.
        after: what is alive there in a pass without a mask.
    """

    run: Run
    place: Place
    slot: int
    path: list[tuple[Step, Values]]
    before: Values
    stop: int
    after: Values

    @classmethod
    def behind(cls, run: Run, place: Place, start: int, known: Values, channels: Tensor) -> "Segment":
        """The segment behind a place, found with a first mask, of `channels`, from what is alive at `start`."""
        tape = run.tape
        masked = tape.steps[start if place.at_input else start - 1]
        slot = reads(masked)[0] if place.at_input else makes(masked)[0]
        changes: Changes = {slot: place.change(known[slot], channels)}
        path, stop, alive = [], start, known
        while stop < len(tape.steps) and tape.can_begin(stop + 1):
            step = tape.steps[stop]
            if not changes.keys().isdisjoint(reads(step)):
                if _writes_into_shared(tape, step, stop):
                    break
                operands = run.operands(step, stop, alive)
                made = _followed(run, step, operands, changes)
                if not made:
                    break
                path.append((step, operands))
                changes = _left(place, slot, changes | made)
            alive = run.between(stop, stop + 1, alive)
            stop += 1
        return cls(run, place, slot, path, known, stop, alive)

    def changed(self, channels: Tensor) -> Values:
        """What is another value at the stop with the channels masked."""
        changes: Changes = {self.slot: self.place.change(self.before[self.slot], channels)}
        for step, operands in self.path:
            changes = _left(self.place, self.slot, changes | _followed(self.run, step, operands, changes))
        return {slot: change.applied(self.after[slot]) for slot, change in changes.items() if slot in self.after}


def reads(step: Step) -> list[int]:
    """The slots of a step's arguments, in order."""
    return [leaf.number for leaf in tree_leaves((step.args, step.kwargs)) if isinstance(leaf, Slot)]


def makes(step: Step) -> list[int]:
    """The slots of the tensors that a step gives."""
    return [out[0] for out in step.outs if type(out) is tuple]


def still(fraction: float) -> None:
    """Hears how far a pass is."""


def _left(place: Place, slot: int, changes: Changes) -> Changes:
    """The changes that are left behind a step: a mask at a layer's input is for that layer alone."""
    return {at: change for at, change in changes.items() if at != slot} if place.at_input else changes


def _writes_into_shared(tape: Tape, step: Step, index: int) -> bool:
    """Whether a step touches memory that is written into and that several tensors share: it would show in others."""
    memories = list(tape.storage.values())
    touched = {slot for slot in (*reads(step), *makes(step)) if slot in tape.storage and tape.rewritten(slot, index)}
    return any(memories.count(tape.storage[slot]) > 1 for slot in touched)


def _followed(run: Run, step: Step, operands: Values, changes: Changes) -> Changes:
    """What a step makes of the changes; empty where it can't be followed."""
    if any(isinstance(changes.get(slot), Delta) for slot in reads(step)):
        return {}
    tensors = operands | changes
    args = _filled(step.args, tensors)
    kwargs = {key: _filled(value, tensors) for key, value in step.kwargs.items()}
    made = _through(run.network, step, args, kwargs)
    slot, *others = makes(step)
    return {} if made is None or any(_is_read(run.tape, other) for other in others) else {slot: made}


def _through(network: nn.Module, step: Step, args: list, kwargs: dict) -> Narrow | Delta | None:
    """The change behind a layer or an operator; None where there is none that can be had for less than the whole."""
    if not isinstance(step.call, str):
        return through_operator(operator_name(step.call), step.call, args, kwargs)
    layer = network.get_submodule(step.call)
    plain = type(layer) in LAYERS and len(args) == 1 and not kwargs
    return through_layer(layer, args[0]) if plain else None


def _is_read(tape: Tape, slot: int) -> bool:
    first, last = tape.life[slot]
    return last >= first


def _filled(value: Any, tensors: Mapping[int, Any]) -> Any:
    """The arguments of a step with tensors, or changes to them, in place of their slots."""
    if isinstance(value, Slot):
        return tensors[value.number]
    if isinstance(value, list | tuple):
        return [_filled(entry, tensors) for entry in value]
    return value
