"""Several variants of a batch in one pass: the tape of a batch that is several times as long.

It pays where a pass is too small to keep the device busy, or reads more weights than activations. On one CPU thread
ResNet-18 at 64 pixels is ranked 1.9 times as fast with 8 samples at a time. With 25 or more its passes, and those of
ResNet-20 at 32 pixels, gain nothing that can be told from noise (0.94 to 1.09): there, masks are taken one by one.
"""

from dataclasses import replace
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.evaluation.live.recording import UnrepeatableError
from explorer.evaluation.live.tape import INPUTS, Slot, Step, Tape


class Stacks:
    """Tapes of one network for copies of a batch that lie one behind the other, and values to begin them with.

    Args:
        tape: of a pass on one batch.
        twice: of a pass on two batches, one behind the other.
        samples: in one batch.

    Raises:
        UnrepeatableError: the two passes differ in something else than sizes.
    """

    def __init__(self, tape: Tape, twice: Tape, samples: int) -> None:
        if len(tape.steps) != len(twice.steps):
            raise UnrepeatableError("it takes another way with a longer batch")
        self._one, self._two = tape, twice
        self._tapes: dict[int, Tape] = {}
        self.tape(2)
        sizes, doubled = _sizes(tape), _sizes(twice)
        self._shared = {slot for slot, size in sizes.items() if doubled[slot] == size}
        self._own = {
            slot
            for slot, size in sizes.items()
            if size and size[0] == samples and doubled[slot] == (2 * samples, *size[1:])
        }
        self._held = held(tape)
        given = (i for i, step in enumerate(tape.steps) if Slot(INPUTS) in tree_leaves((step.args, step.kwargs)))
        self._first = max(given, default=-1) + 1  # the step from which on the inputs are no longer read

    def most(self, index: int, memory: int) -> int:
        """How many copies can begin at a step and keep no more than `memory` bytes alive; at least one.

        One where the inputs are still read, or something alive there has its samples elsewhere than one after the
        other on the first axis.
        """
        whole = index >= self._first and self._own.union(self._shared).issuperset(self._one.live[index])
        return max(1, memory // max(1, self._held[index])) if whole else 1

    def tape(self, copies: int) -> Tape:
        """The tape for so many copies: numbers that differ for two grow by as much with every further one."""
        if copies not in self._tapes:
            steps = [_longer(*pair, copies) for pair in zip(self._one.steps, self._two.steps, strict=True)]
            self._tapes[copies] = replace(self._one, steps=steps)
        return self._tapes[copies]

    def repeated(self, slot: int, value: Tensor, copies: int) -> Tensor:
        """A value of one batch as the tape for several has it, where it is the same in all."""
        return value.repeat(copies, *[1] * (value.ndim - 1)) if slot in self._own else value


def held(tape: Tape) -> list[int]:
    """The most bytes that are alive at once, from each step on."""
    alive = [sum(tape.sizes[memory] for memory in {tape.storage[slot] for slot in live}) for live in tape.live]
    return [*accumulate(reversed(alive), max)][::-1]


def _sizes(tape: Tape) -> dict[int, torch.Size]:
    """The shapes of the tensors that a pass makes."""
    return {out[0]: out[1] for step in tape.steps for out in step.outs if type(out) is tuple}


def _longer(one: Step, two: Step, copies: int) -> Step:
    if one.call != two.call or one.kwargs.keys() != two.kwargs.keys():
        raise UnrepeatableError("it takes another way with a longer batch")
    kwargs = {key: _grown(value, two.kwargs[key], copies) for key, value in one.kwargs.items()}
    return replace(one, args=_grown(one.args, two.args, copies), kwargs=kwargs, outs=_grown(one.outs, two.outs, copies))


def _grown(one: Any, two: Any, copies: int) -> Any:
    if type(one) is type(two) is int:
        return one + (two - one) * (copies - 1)
    if isinstance(one, list | tuple) and type(one) is type(two) and len(one) == len(two):
        return type(one)([_grown(*pair, copies) for pair in zip(one, two, strict=True)])
    if one != two:
        raise UnrepeatableError("it takes another way with a longer batch")
    return one
