"""Writes down the operators that a network calls."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.evaluation.live.tape import Slot, Step, Tape, Tick, Values, several
from explorer.modules import watching
from explorer.structure.operators import LIFT_FRESH, Kind, operator_of


class UnrepeatableError(Exception):
    """The network does something that can't be repeated from a list; the message says what."""


def record(module: nn.Module, inputs: Tensor, *, whole: Collection[str], tick: Tick) -> tuple[Tape, Tensor]:
    """The tape of one forward pass, and its output.

    Args:
        whole: paths of modules of which only the call is written down, not what they do inside.

    Raises:
        UnrepeatableError: the pass writes into weights or inputs, reads values unseen, or gives no single tensor.
    """
    recorder = _Recorder(module, inputs, tick)
    leave, enter = ({path: partial(hook, path) for path in whole} for hook in (recorder.leave, recorder.enter))
    with watching(module, leave, before=enter, named=True), recorder:
        out = module(inputs)
    return recorder.tape(out), out


class _Recorder(TorchDispatchMode):
    """Writes down the calls of a pass; memory is told apart by weak references, so that nothing is kept alive."""

    def __init__(self, module: nn.Module, inputs: Tensor, tick: Tick) -> None:
        from torch.utils.flop_counter import FlopCounterMode

        super().__init__()
        self._flops = FlopCounterMode
        self._steps: list[Step] = []
        self._slots = WeakTensorKeyDictionary()
        self._count = 0
        self._constants: Values = {}
        self._life: dict[int, list[int]] = {}
        self._storages: dict[int, tuple[int, StorageWeakRef]] = {}
        self._storage: dict[int, int] = {}
        self._weights: set[int] = set()  # memory of parameters and buffers, and of the inputs
        self._given: set[int] = set()  # memory of constants
        self._whole: set[int] = set()
        self._sizes: list[int] = []
        self._written: dict[int, int] = {}
        self._first: dict[str, int] = {}
        self._inside = 0
        self._tick = tick
        self._owned = [*module.named_parameters(), *module.named_buffers()]
        for tensor in (inputs, *(tensor for _, tensor in self._owned)):
            self._weights.add(self._memory(tensor))
            self._new(tensor)
        self._names = {self._slots[tensor]: name for name, tensor in self._owned}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if self._inside:
            return func(*args, **kwargs)
        if operator_of(func).kind is Kind.LOOK:
            raise UnrepeatableError("its code reads values of tensors while it runs")
        if operator_of(func) is LIFT_FRESH:  # a constant, which the pass may write into
            func = torch.ops.aten.clone.default
        self._write(func, args, kwargs)
        self._step(func, args, kwargs)
        known = len(self._sizes)
        with self._flops(display=False) as counter:
            out = func(*args, **kwargs)
        self._finish(out, counter.get_total_flops() // 2 or self._entries(out, known))
        self._tick(0.0)
        return out

    def enter(self, path: str, layer: nn.Module, args: tuple, kwargs: dict) -> None:
        """The module at a path, of which only the call is written down, begins."""
        self._inside += 1

    def leave(self, path: str, layer: nn.Module, args: tuple, kwargs: dict, out: Any) -> None:
        """It is done."""
        self._inside -= 1
        if not self._inside:
            self._step(path, args, kwargs)
            self._finish(out, sum(x.numel() for x in several(out) if isinstance(x, Tensor)))
            names = (self._names[self._slots[tensor]] for tensor in [*layer.parameters(), *layer.buffers()])
            for name in (path, *names):
                self._first.setdefault(name, len(self._steps) - 1)

    def tape(self, out: Any) -> Tape:
        if not isinstance(out, Tensor) or self._slots.get(out) not in self._life:
            raise UnrepeatableError("it gives something else than one new tensor")
        return Tape(
            self._steps,
            self._names,
            self._constants,
            self._slots[out],
            self._count,
            self._life,
            self._storage,
            self._whole,
            self._sizes,
            self._written,
            self._first,
        )

    def _memory(self, tensor: Tensor) -> int:
        """The number of the storage that a tensor lies in."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._storages:  # the weak reference keeps the address from being used again
            self._storages[storage._cdata] = len(self._sizes), StorageWeakRef(storage)
            self._sizes.append(storage.nbytes())
        return self._storages[storage._cdata][0]

    def _new(self, tensor: Tensor) -> int:
        self._slots[tensor] = slot = self._count
        self._count += 1
        return slot

    def _step(self, call: Callable | str, args: tuple, kwargs: dict) -> None:
        given = [self._template(value) for value in args], {k: self._template(v) for k, v in kwargs.items()}
        self._steps.append(Step(call, tuple(given[0]), given[1], (), 0))

    def _template(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return Slot(self._read(value))
        if isinstance(value, list | tuple) and any(isinstance(leaf, Tensor) for leaf in tree_leaves(value)):
            return [self._template(entry) for entry in value]
        return value

    def _read(self, tensor: Tensor) -> int:
        index = len(self._steps)
        if tensor not in self._slots:
            known = self._storages.get(tensor.untyped_storage()._cdata)
            if known is not None and known[0] not in self._given:
                raise UnrepeatableError("its code makes tensors behind the back of the dispatcher")
            self._given.add(self._memory(tensor))
            self._constants[self._new(tensor)] = tensor
        slot = self._slots[tensor]
        if slot in self._names:
            self._first.setdefault(self._names[slot], index)
        if slot in self._life:
            self._life[slot][1] = index
        return slot

    def _write(self, func: Any, args: tuple, kwargs: dict) -> None:
        """Note which memory the operator is going to write into."""
        for place, argument in enumerate(func._schema.arguments):
            if argument.alias_info is not None and argument.alias_info.is_write:
                value = args[place] if place < len(args) else kwargs.get(argument.name)
                for tensor in (leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)):
                    self._read(tensor)
                    memory = self._memory(tensor)
                    if memory in self._weights or memory in self._given:
                        raise UnrepeatableError("it writes into its inputs or weights while it runs")
                    self._written[memory] = len(self._steps)

    def _entries(self, out: Any, known: int) -> int:
        """One operation for each entry of a new or rewritten tensor; a view costs nothing."""
        made = (tensor for tensor in several(out) if isinstance(tensor, Tensor))
        now = len(self._steps) - 1
        return sum(t.numel() for t in made if (m := self._memory(t)) >= known or self._written.get(m) == now)

    def _finish(self, out: Any, cost: int) -> None:
        step, index = self._steps[-1], len(self._steps) - 1
        outs: list[Any] = []
        for value in several(out):
            if isinstance(value, Tensor):
                outs.append((self._made(value, index), value.shape))
            elif isinstance(value, list | tuple):
                raise UnrepeatableError("an operator gives lists of lists")
            else:
                outs.append(value)
        step.outs, step.cost = tuple(outs), cost

    def _made(self, tensor: Tensor, index: int) -> int:
        if tensor not in self._slots:
            slot = self._new(tensor)
            memory = self._memory(tensor)
            self._storage[slot], self._life[slot] = memory, [index + 1, index]
            if tensor.nbytes == self._sizes[memory] and 0 not in tensor.stride():
                self._whole.add(slot)
        return self._slots[tensor]
