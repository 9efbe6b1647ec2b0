"""What a network gives when some channels of one layer are masked, over and over, without repeating what is the same.

A pass is written down as a tape. Each pass that follows begins behind the layer that it masks: up to the first layer
that mixes channels it computes the masked channels alone, and of that layer only what they change. Behind it, several
masks go through the rest of the network as one longer batch.
"""

import copy
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.criteria.tools.narrow import CONVOLUTIONS, LAYERS, NORMS
from explorer.criteria.tools.segments import Place, Run, Segment, makes, reads, still
from explorer.criteria.tools.stacking import Stacks, held
from explorer.errors import ExplorerError
from explorer.evaluation.live.recording import UnrepeatableError, record
from explorer.evaluation.live.tape import DivergedError, Step, Tape, Values
from explorer.modules import watching
from explorer.structure.types import inside

MOST = 32
"""Masks in one pass."""
_AGREEMENT = 1e-4  # of the largest output, between the network and its tape
_ROOM = 1 << 20, 1 << 30  # bytes alive in a pass of several masks: on the CPU, elsewhere
_SHARING = 0.25  # of the masks: fewer that can go together don't save the passes which that takes to find out


class Task(NamedTuple):
    """A place, and the sets of its channels that are masked one after the other."""

    place: Place
    sets: Sequence[Tensor]


def straightforward(module: nn.Module, inputs: Tensor, place: Place, channels: Tensor) -> Tensor:
    """The outputs with the channels masked, by a whole pass."""
    before, after = {}, {}
    if place.at_input:
        before[place.module] = lambda _, given: (place.masked(given[0], channels), *given[1:])
    else:
        after[place.module] = lambda _, __, output: place.masked(output, channels)
    with watching(module, after, before=before):
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
        run = Run(way.tape, way.network, inputs)
        stacks = self._stacks(run) if masks > 1 and self._sharing(way, inputs) >= _SHARING else None
        at, known = 0, None
        for start, number in way.order:
            known, at = run.between(at, start, known), start
            sets = self._tasks[number].sets
            rest = _Rest(Segment.behind(run, self._places[number], start, known, sets[0]), stacks)
            for which in _runs(len(sets), min(masks, rest.most)):
                try:
                    yield number, which, rest.outputs([sets[each] for each in which])
                except DivergedError:  # under one of these masks the network's code takes another way
                    yield number, which, self._whole(inputs, number, which)

    def _sharing(self, way: "_Way", inputs: Tensor) -> float:
        """The share of the masks for which there is room in one pass with another."""
        alive, room = held(way.tape), _room(inputs)
        counts = {number: len(self._tasks[number].sets) for _, number in way.order}
        shared = sum(counts[number] for start, number in way.order if 2 * alive[start] <= room)
        return shared / max(1, sum(counts.values()))

    def _stacks(self, run: Run) -> Stacks | None:
        """What passes of several masks need; None where samples of one batch don't keep apart."""
        inputs = run.inputs
        if inputs.shape not in self._stacked:
            other = inputs[:1].expand_as(inputs)
            try:
                tape, outputs = self._record(run.network, torch.cat([inputs, other]))
                alone = [self._module(part.clone()) for part in (inputs, inputs[:1])]
                expected = torch.cat([alone[0], alone[1].expand_as(alone[0])])
                self._stacked[inputs.shape] = Stacks(run.tape, tape, len(inputs)) if _agree(outputs, expected) else None
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
        network = self._network
        if network is None:
            tape, _ = record(self._module, inputs.clone(), whole=_steps(self._module, self._places), tick=still)
            network, self._places = _folded(self._module, tape, self._places)
            self._network = network
        tape, _ = self._record(network, inputs)
        if not _agree(Run(tape, network, inputs).outputs(0, None), self._module(inputs.clone())):
            raise UnrepeatableError("it gives something else each time")
        return _Way.along(tape, network, self._places)

    def _record(self, network: nn.Module, inputs: Tensor) -> tuple[Tape, Tensor]:
        return record(network, inputs, whole=_steps(network, self._places), tick=still)


class _Way(NamedTuple):
    """A network's tape.

    Args:
        tape: of the network.
        network: whose tape it is.
        order: (the step before which its mask begins, number) of every task, in the order of the steps.
        rest: the tasks that can't begin so.
    """

    tape: Tape
    network: nn.Module
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
        return cls(tape, network, sorted(order), [number for number in range(len(places)) if number not in known])


class _Rest:
    """Passes from the end of a segment on, for one mask or for several as one longer batch.

    Args:
        segment: behind which they begin.
        stacks: what passes of several masks need; None where each takes its own.
    """

    def __init__(self, segment: Segment, stacks: Stacks | None) -> None:
        self._segment, self._stacks = segment, stacks
        self._copies: dict[int, Values] = {}  # of what no mask changes, by the number of masks

    @property
    def most(self) -> int:
        """How many masks can go through one pass."""
        room = _room(self._segment.run.inputs)
        return 1 if self._stacks is None else self._stacks.most(self._segment.stop, room)

    def outputs(self, sets: Sequence[Tensor]) -> Tensor:
        """The network's outputs with each of the sets of channels masked, one batch behind the other."""
        run, stop = self._segment.run, self._segment.stop
        changed = [self._segment.changed(channels) for channels in sets]
        if len(sets) == 1:
            return run.outputs(stop, self._segment.after | changed[0])
        if self._stacks is None:
            raise ValueError("without stacks every mask takes a pass of its own")
        joined = {slot: torch.cat([each[slot] for each in changed]) for slot in changed[0]}
        longer = run._replace(tape=self._stacks.tape(len(sets)))
        return longer.outputs(stop, self._unchanged(self._stacks, joined, len(sets)) | joined)

    def _unchanged(self, stacks: Stacks, changed: Collection[int], count: int) -> Values:
        """What is alive behind the segment but for what masks change there, for so many masks."""
        if count not in self._copies:
            same = {slot: value for slot, value in self._segment.after.items() if slot not in changed}
            self._copies[count] = {slot: stacks.repeated(slot, value, count) for slot, value in same.items()}
        return self._copies[count]


def _room(inputs: Tensor) -> int:
    return _ROOM[inputs.device.type != "cpu"]


def _runs(total: int, most: int) -> list[range]:
    """The numbers up to a total, in runs of at most so many."""
    return [range(start, min(start + most, total)) for start in range(0, total, most)]


def _agree(outputs: Tensor, expected: Tensor) -> bool:
    return torch.allclose(expected, outputs, rtol=0.0, atol=_AGREEMENT * float(expected.abs().max()))


def _steps(network: nn.Module, places: Sequence[Place]) -> set[str]:
    """The modules that are one step each: layers that changes can be followed through, and what places name."""
    names = {place.module for place in places}
    names |= {name for name, layer in network.named_modules() if type(layer) in LAYERS}
    return {name for name in names if not any(inside(other, [name]) for other in names - {name}) and name}


def _folded(network: nn.Module, tape: Tape, places: Sequence[Place]) -> tuple[nn.Module, list[Place]]:
    """A copy in which convolutions do the work of the batch norms behind them, and the places in it."""
    masked = {place.module for place in places}
    moved = {
        norm: conv
        for conv, norm in _pairs(network, tape)
        if conv not in masked and network.get_submodule(norm).running_mean is not None
    }
    if not moved:
        return network, list(places)
    folded = copy.deepcopy(network)
    for norm, conv in moved.items():
        first, second = network.get_submodule(conv), network.get_submodule(norm)
        if isinstance(first, CONVOLUTIONS) and isinstance(second, NORMS):
            folded.set_submodule(conv, fuse_conv_bn_eval(first, second))
            folded.set_submodule(norm, nn.Identity())
    return folded, [replace(place, module=moved.get(place.module, place.module)) for place in places]


def _pairs(network: nn.Module, tape: Tape) -> Iterator[tuple[str, str]]:
    """The convolutions, each with the batch norm that alone reads what it gives; both are called once."""
    readers: dict[int, list[Step]] = {}
    for step in tape.steps:
        for slot in reads(step):
            readers.setdefault(slot, []).append(step)
    calls = Counter(step.call for step in tape.steps)

    def called_once(step: Step, kinds: tuple[type[nn.Module], ...]) -> str | None:
        path = step.call
        alone = isinstance(path, str) and calls[path] == 1
        return path if isinstance(path, str) and alone and type(network.get_submodule(path)) in kinds else None

    for step in tape.steps:
        conv = called_once(step, CONVOLUTIONS)
        behind = [] if conv is None else readers.get(makes(step)[0], [])
        norm = called_once(behind[0], NORMS) if len(behind) == 1 else None
        if conv is not None and norm is not None:
            yield conv, norm
