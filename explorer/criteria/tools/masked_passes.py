"""What a network gives when some channels of one layer are masked, over and over, without repeating what is the same.

A pass is written down as a tape. Each pass that follows begins behind the layer that it masks: up to the first layer
that mixes channels it computes the masked channels alone, and of that layer only what they change. Behind it, several
masks go through the rest of the network as one longer batch.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._pytree import tree_leaves

from explorer.criteria.tools.narrow import CONVOLUTIONS, LAYERS, NORMS, Delta, Narrow, through_layer, through_operator
from explorer.criteria.tools.stacking import Stacks, held
from explorer.errors import ExplorerError
from explorer.evaluation.live.recording import UnrepeatableError, record
from explorer.evaluation.live.tape import INPUTS, DivergedError, Slot, Step, Tape, Values, replay
from explorer.structure.operators import operator_name
from explorer.structure.types import inside

MOST = 32
"""Masks in one pass."""
_AGREEMENT = 1e-4  # of the largest output, between the network and its tape
_ROOM = 1 << 20, 1 << 30  # bytes alive in a pass of several masks: on the CPU, elsewhere
_SHARING = 0.25  # of the masks: fewer that can go together don't save the passes which that takes to find out
Change = Narrow | Delta


@dataclass(frozen=True, eq=False)
class Place:
    """Where channels are masked: on `axis` of what `module` gives, or of its input; `fill` takes their place."""

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


class Task(NamedTuple):
    """A place, and the sets of its channels that are masked one after the other."""

    place: Place
    sets: Sequence[Tensor]


def straightforward(module: nn.Module, inputs: Tensor, place: Place, channels: Tensor) -> Tensor:
    """The outputs with the channels masked, by a whole pass."""
    layer = module.get_submodule(place.module)
    if place.at_input:
        handle = layer.register_forward_pre_hook(lambda _, given: (place.masked(given[0], channels), *given[1:]))
    else:
        handle = layer.register_forward_hook(lambda _, __, out: place.masked(out, channels))
    with handle:
        return module(inputs.clone())  # it may write into its inputs


class MaskedPasses:
    """Passes of one network with channels masked, of any number of batches, within `torch.inference_mode`.

    `refused` says in a sentence why every mask takes a whole pass; empty while it does not.
    """

    def __init__(self, module: nn.Module, tasks: Sequence[Task]) -> None:
        self._module, self._tasks = module, tasks
        self._network: nn.Module | None = None
        self._places = [task.place for task in tasks]
        self._ways: dict[torch.Size, _Way] = {}
        self._stacked: dict[torch.Size, Stacks | None] = {}
        self.refused = ""

    def __call__(self, inputs: Tensor, masks: int = MOST) -> Iterator[tuple[int, range, Tensor]]:
        """(number of a task, numbers of some of its sets, masked outputs) of one batch, in the network's order.

        Args:
            masks: the most sets that go through one pass.

        Returns:
            outputs of (sets · batch, …), the batches of the sets one behind the other.
        """
        way = None if self.refused else self._way(inputs)
        yield from self._resumed(way, inputs, masks) if way else ()
        for number in way.rest if way else range(len(self._tasks)):
            for which in _runs(len(self._tasks[number].sets), 1):
                yield number, which, self._whole(inputs, number, which)

    def _whole(self, inputs: Tensor, number: int, which: range) -> Tensor:
        place, sets = self._tasks[number]
        return torch.cat([straightforward(self._module, inputs, place, sets[each]) for each in which])

    def _resumed(self, way: "_Way", inputs: Tensor, masks: int) -> Iterator[tuple[int, range, Tensor]]:
        run = _Run(way.tape, self._network, inputs)
        stacks = self._stacks(run) if masks > 1 and self._sharing(way, inputs) >= _SHARING else None
        at, known = 0, None
        for start, number in way.order:
            known, at = run.between(at, start, known), start
            sets = self._tasks[number].sets
            stretch = _Stretch(run, known, start, self._places[number], sets[0], stacks)
            for which in _runs(len(sets), min(masks, stretch.most)):
                try:
                    yield number, which, stretch.outputs([sets[each] for each in which])
                except DivergedError:  # under one of these masks the network's code takes another way
                    yield number, which, self._whole(inputs, number, which)

    def _sharing(self, way: "_Way", inputs: Tensor) -> float:
        """The share of the masks for which there is room in one pass with another."""
        alive, room = held(way.tape), _room(inputs)
        counts = {number: len(self._tasks[number].sets) for _, number in way.order}
        shared = sum(counts[number] for start, number in way.order if 2 * alive[start] <= room)
        return shared / max(1, sum(counts.values()))

    def _stacks(self, run: "_Run") -> Stacks | None:
        """What passes of several masks need; None where samples of one batch don't keep apart."""
        inputs = run.inputs
        if inputs.shape not in self._stacked:
            other = inputs[:1].expand_as(inputs)
            try:
                tape, found = self._record(torch.cat([inputs, other]))
                alone = [self._module(part.clone()) for part in (inputs, inputs[:1])]
                expected = torch.cat([alone[0], alone[1].expand_as(alone[0])])
                self._stacked[inputs.shape] = Stacks(run.tape, tape, len(inputs)) if _agree(found, expected) else None
            except (UnrepeatableError, DivergedError):
                self._stacked[inputs.shape] = None
        return self._stacked[inputs.shape]

    def _way(self, inputs: Tensor) -> "_Way | None":
        """The tape for inputs of this shape, once it has given what the network gives; None if it does not."""
        if inputs.shape not in self._ways:
            try:
                self._ways[inputs.shape] = self._recorded(inputs)
            except (ExplorerError, torch.OutOfMemoryError):
                raise
            except DivergedError:
                self.refused = "it computes something else each time"
            except UnrepeatableError as error:
                self.refused = str(error)
            except Exception as error:  # the plain pass shows whether the model itself is at fault
                self.refused = f"recording it fails: {error}"
        return self._ways.get(inputs.shape)

    def _recorded(self, inputs: Tensor) -> "_Way":
        if self._network is None:
            tape, _ = record(self._module, inputs.clone(), whole=_steps(self._module, self._places), tick=_still)
            self._network, self._places = _folded(self._module, tape, self._places)
        tape, _ = self._record(inputs)
        if not _agree(_Run(tape, self._network, inputs).outputs(0, None), self._module(inputs.clone())):
            raise UnrepeatableError("it gives something else each time")
        return _Way.along(tape, self._network, self._places)

    def _record(self, inputs: Tensor) -> tuple[Tape, Tensor]:
        return record(self._network, inputs, whole=_steps(self._network, self._places), tick=_still)


class _Way(NamedTuple):
    """A tape, (the step before which its mask begins, number) of every task in order, and tasks that can't begin so."""

    tape: Tape
    order: list[tuple[int, int]]
    rest: list[int]

    @classmethod
    def along(cls, tape: Tape, network: nn.Module, places: Sequence[Place]) -> "_Way":
        calls: dict[str, list[int]] = {}
        for index, step in enumerate(tape.steps):
            if isinstance(step.call, str):
                calls.setdefault(step.call, []).append(index)
        order = []
        for number, place in enumerate(places):
            first, *more = calls.get(place.module, [-1])
            start = first if place.at_input else first + 1
            narrow = type(network.get_submodule(place.module)) is nn.Linear and tape.can_begin(start + 1)
            if first >= 0 and not more and tape.can_begin(start) and (narrow or not place.at_input):
                order.append((start, number))
        known = {number for _, number in order}
        return cls(tape, sorted(order), [number for number in range(len(places)) if number not in known])


class _Run(NamedTuple):
    """A tape and what it is repeated on."""

    tape: Tape
    network: nn.Module
    inputs: Tensor

    def between(self, start: int, stop: int, known: Values | None) -> Values:
        """What is alive at `stop`, from what is at `start`."""
        return replay(*self, start=start, stop=stop, known=known, keep={stop}, tick=_still)[1][stop]

    def outputs(self, start: int, known: Values | None) -> Tensor:
        """The network's outputs, from what is alive at `start`."""
        return replay(*self, start=start, known=known, tick=_still)[0]

    def operands(self, step: Step, index: int, values: Values) -> Values:
        """The tensors that a step reads, as they are then."""
        tape = self.tape
        known = {INPUTS: self.inputs, **tape.constants, **tape.copied(values, index)}
        owned = dict([*self.network.named_parameters(), *self.network.named_buffers()])
        return {slot: owned[tape.names[slot]] if slot in tape.names else known[slot] for slot in _reads(step)}


class _Stretch:
    """The steps behind a place in which a mask changes little: they are found with a first mask, of `channels`."""

    def __init__(
        self, run: _Run, known: Values, start: int, place: Place, channels: Tensor, stacks: Stacks | None
    ) -> None:
        self._run, self._place, self._stop, self._stacks = run, place, start, stacks
        step = run.tape.steps[start if place.at_input else start - 1]
        self._slot = _reads(step)[0] if place.at_input else step.outs[0][0]
        self._before = self._after = known  # what is alive at the start, and at the stop
        self._path = self._learnt(place.change(known[self._slot], channels))
        self._copies: dict[int, Values] = {}  # of what no mask changes, by the number of masks

    @property
    def most(self) -> int:
        """How many masks can go through one pass."""
        return 1 if self._stacks is None else self._stacks.most(self._stop, _room(self._run.inputs))

    def outputs(self, sets: Sequence[Tensor]) -> Tensor:
        """The network's outputs with each of the sets of channels masked, one batch behind the other."""
        changed, count = [self._changed(channels) for channels in sets], len(sets)
        if count == 1:
            return self._run.outputs(self._stop, {**self._after, **changed[0]})
        if count not in self._copies:
            same = ((slot, value) for slot, value in self._after.items() if slot not in changed[0])
            self._copies[count] = {slot: self._stacks.repeated(slot, value, count) for slot, value in same}
        joined = {slot: torch.cat([each[slot] for each in changed]) for slot in changed[0]}
        run = self._run._replace(tape=self._stacks.tape(count))
        return run.outputs(self._stop, {**self._copies[count], **joined})

    def _changed(self, channels: Tensor) -> Values:
        """What is another value at the stop with the channels masked."""
        changes: dict[int, Change] = {self._slot: self._place.change(self._before[self._slot], channels)}
        for step, operands in self._path:
            changes.update(self._followed(step, changes, operands))
            self._leave(changes)
        return {slot: change.applied(self._after[slot]) for slot, change in changes.items() if slot in self._after}

    def _learnt(self, first: Narrow) -> list[tuple[Step, Values]]:
        """The steps that pass changes on, each with the values that it reads."""
        tape, changes, path = self._run.tape, {self._slot: first}, []
        owners = Counter(tape.storage.values())
        while self._stop < len(tape.steps) and tape.can_begin(self._stop + 1):
            step = tape.steps[self._stop]
            met = [changes[slot] for slot in _reads(step) if slot in changes]
            if met:
                touched = [slot for slot in (*_reads(step), *_made(step)) if slot in tape.storage]
                shared = any(
                    owners[tape.storage[slot]] > 1 for slot in touched if tape.rewritten(slot, self._stop)
                )  # then what is written into one tensor shows in another
                operands = self._run.operands(step, self._stop, self._after)
                made = {} if shared else self._followed(step, changes, operands)
                if not made:
                    break
                path.append((step, operands))
                changes.update(made)
                self._leave(changes)
            self._after = self._run.between(self._stop, self._stop + 1, self._after)
            self._stop += 1
        return path

    def _leave(self, changes: dict[int, Change]) -> None:
        """A mask at a layer's input is for that layer alone."""
        if self._place.at_input:
            changes.pop(self._slot, None)

    def _followed(self, step: Step, changes: Mapping[int, Change], operands: Values) -> dict[int, Change]:
        """What a step makes of the changes; empty where it can't be followed."""
        if any(isinstance(changes.get(slot), Delta) for slot in _reads(step)):
            return {}
        args = _filled(step.args, {**operands, **changes})
        kwargs = {key: _filled(value, {**operands, **changes}) for key, value in step.kwargs.items()}
        if isinstance(step.call, str):
            layer = self._run.network.get_submodule(step.call)
            plain = type(layer) in LAYERS and len(args) == 1 and not kwargs
            made = through_layer(layer, args[0]) if plain else None
        else:
            made = through_operator(operator_name(step.call), step.call, args, kwargs)
        slot, *others = _made(step)
        unread = all(self._run.tape.life[other][1] < self._run.tape.life[other][0] for other in others)
        return {slot: made} if made is not None and unread else {}


def _filled(value: Any, tensors: Mapping[int, Tensor | Change]) -> Any:
    if isinstance(value, Slot):
        return tensors[value.number]
    if isinstance(value, list | tuple):
        return [_filled(entry, tensors) for entry in value]
    return value


def _room(inputs: Tensor) -> int:
    return _ROOM[inputs.device.type != "cpu"]


def _runs(total: int, most: int) -> list[range]:
    """The numbers up to a total, in runs of at most so many."""
    return [range(start, min(start + most, total)) for start in range(0, total, most)]


def _agree(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(expected, found, rtol=0.0, atol=_AGREEMENT * float(expected.abs().max()))


def _reads(step: Step) -> list[int]:
    """The slots of a step's arguments, in order."""
    return [leaf.number for leaf in tree_leaves((step.args, step.kwargs)) if isinstance(leaf, Slot)]


def _made(step: Step) -> list[int]:
    """The slots of the tensors that a step gives."""
    return [out[0] for out in step.outs if type(out) is tuple]


def _still(fraction: float) -> None:
    """Hears how far a pass is."""


def _steps(network: nn.Module, places: Sequence[Place]) -> set[str]:
    """The modules that are one step each: layers that changes can be followed through, and what places name."""
    names = {place.module for place in places}
    names |= {name for name, layer in network.named_modules() if type(layer) in LAYERS}
    return {name for name in names if not any(inside(other, [name]) for other in names - {name}) and name}


def _folded(network: nn.Module, tape: Tape, places: Sequence[Place]) -> tuple[nn.Module, list[Place]]:
    """A twin in which convolutions do the work of the batch norms behind them, and the places in it."""
    readers: dict[int, list[Step]] = {}
    for step in tape.steps:
        for slot in _reads(step):
            readers.setdefault(slot, []).append(step)
    calls = Counter(step.call for step in tape.steps if isinstance(step.call, str))
    at = {place.module for place in places}
    moved: dict[str, str] = {}  # batch norm → convolution
    for step in tape.steps:
        read_by = readers.get(_made(step)[0], []) if isinstance(step.call, str) and step.call not in at else []
        if len(read_by) == 1 and isinstance(read_by[0].call, str) and calls[step.call] + calls[read_by[0].call] == 2:
            conv, norm = network.get_submodule(step.call), network.get_submodule(read_by[0].call)
            if type(conv) in CONVOLUTIONS and type(norm) in NORMS and norm.running_mean is not None:
                moved[read_by[0].call] = step.call
    if not moved:
        return network, list(places)
    twin = copy.deepcopy(network)
    for norm, conv in moved.items():
        twin.set_submodule(conv, fuse_conv_bn_eval(network.get_submodule(conv), network.get_submodule(norm)))
        twin.set_submodule(norm, nn.Identity())
    return twin, [replace(place, module=moved.get(place.module, place.module)) for place in places]
