"""A forward pass as a list of operator calls, which can be repeated with other weights from any place in it.

The network's Python code runs once, under a dispatch mode that writes every call down. A mask changes weights, and
how normalising modules work, but neither shapes nor the order of calls, so the list holds for every mask.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any

from torch import Tensor, nn

Tick = Callable[[float], None]  # hears between operators which fraction is done, and may raise to stop
Values = dict[int, Tensor]  # by slot

INPUTS = 0  # the slot of the inputs


class DivergedError(Exception):
    """With these weights the network's code may take another way than the one that was recorded."""


@dataclass(frozen=True)
class Slot:
    """Stands for a tensor among the arguments of a step."""

    number: int


@dataclass
class Step:
    """One call: of an operator, or of the module at a path.

    `outs` are slots, with shapes, for the tensors that it returns, in order, and for the rest the values themselves,
    on which the code that follows may depend. `frees` are the slots that nobody reads afterwards.
    """

    call: Callable | str
    args: tuple
    kwargs: dict[str, Any]
    outs: tuple
    cost: int
    frees: tuple[int, ...] = ()


@dataclass
class Tape:
    """The steps of one forward pass on inputs of one shape.

    `names` are the slots of parameters and buffers, `constants` tensors that were there before the pass. Of every
    other slot, `life` has the first step after its birth and the last that reads it, `storage` which memory it
    lies in, `whole` whether it fills that; of every storage, `sizes` has its bytes and `written` the last step
    that writes into it. `first` is the first step that reads a parameter, a buffer, or the insides of a module.
    """

    steps: list[Step]
    names: dict[int, str]
    constants: Values
    output: int
    slots: int
    life: dict[int, list[int]]
    storage: dict[int, int]
    whole: set[int]
    sizes: list[int]
    written: dict[int, int]
    first: dict[str, int]
    before: list[int] = field(init=False)  # operations before each step, and of all

    def __post_init__(self) -> None:
        self.life[self.output][1] = len(self.steps)
        dying: dict[int, list[int]] = {}
        for slot, (_, last) in self.life.items():
            dying.setdefault(last, []).append(slot)
        for index, step in enumerate(self.steps):
            step.frees = tuple(dying.get(index, ()))
        self.before = [0, *accumulate(step.cost for step in self.steps)]

    @cached_property
    def live(self) -> list[list[int]]:
        """The slots that a replay needs to begin at each step."""
        live: list[list[int]] = [[] for _ in range(len(self.steps) + 1)]
        for slot, (born, last) in self.life.items():
            for index in range(born, last + 1):
                live[index].append(slot)
        return live

    def rewritten(self, slot: int, index: int) -> bool:
        """Whether something writes into the slot's memory from this step on."""
        return self.written.get(self.storage[slot], -1) >= index

    def can_begin(self, index: int) -> bool:
        """Whether what is alive there can be kept: memory that is written later must be one tensor's own."""
        owners = [self.storage[slot] for slot in self.live[index]]
        return all(
            slot in self.whole and owners.count(self.storage[slot]) == 1
            for slot in self.live[index]
            if self.rewritten(slot, index)
        )

    def copied(self, values: Mapping[int, Tensor] | Sequence[Tensor], index: int) -> Values:
        """What is alive at a step, cloned where a later step would write into it."""
        return {
            slot: values[slot].clone() if self.rewritten(slot, index) else values[slot] for slot in self.live[index]
        }

    def done(self, index: int) -> float:
        """The fraction of all operations that comes before a step."""
        return self.before[index] / max(self.before[-1], 1)


def replay(
    tape: Tape,
    module: nn.Module,
    inputs: Tensor,
    *,
    start: int = 0,
    stop: int | None = None,
    known: Values | None = None,
    keep: Collection[int] = (),
    tick: Tick,
) -> tuple[Tensor, dict[int, Values]]:
    """The outputs for the weights of `module`, and what is alive at each step of `keep`.

    Args:
        stop: the step to end before, so that there are no outputs; None for all.
        known: what is alive at `start`; nothing in it is written to.

    Raises:
        DivergedError: an operator gave Python another value, or a tensor of another shape, than in the recording.
    """
    values: list[Any] = [None] * tape.slots
    values[INPUTS] = inputs
    tensors = dict([*module.named_parameters(), *module.named_buffers()])
    for slot, name in tape.names.items():
        values[slot] = tensors[name]
    for slot, tensor in [*tape.constants.items(), *tape.copied(known or {}, start).items()]:
        values[slot] = tensor
    kept: dict[int, Values] = {}
    stop = len(tape.steps) if stop is None else stop
    for index in range(start, stop):
        if index in keep:
            kept[index] = tape.copied(values, index)
        step = tape.steps[index]
        call = module.get_submodule(step.call) if isinstance(step.call, str) else step.call
        kwargs = {key: _filled(value, values) for key, value in step.kwargs.items()}
        _put(step, call(*[_filled(value, values) for value in step.args], **kwargs), values)
        for slot in step.frees:
            values[slot] = None
        tick(tape.done(index + 1))
    if stop in keep:
        kept[stop] = tape.copied(values, stop)
    return values[tape.output], kept


def _filled(value: Any, values: list[Any]) -> Any:
    if type(value) is Slot:
        return values[value.number]
    if type(value) is list:
        return [_filled(entry, values) for entry in value]
    return value


def _put(step: Step, out: Any, values: list[Any]) -> None:
    for value, expected in zip(several(out), step.outs, strict=True):
        if type(expected) is not tuple:
            if value != expected:
                raise DivergedError
        elif value.shape != expected[1]:
            raise DivergedError
        else:
            values[expected[0]] = value


def several(out: Any) -> Iterable[Any]:
    """What an operator returns, as a sequence."""
    return out if isinstance(out, list | tuple) else (out,)
