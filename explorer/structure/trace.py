"""Runs a model once and carries along, beside its values, which channels they belong to.

For every activation that is an integer tensor of the same shape, see `explorer.structure.labels`; for every view of a
parameter, one such tensor per axis of the parameter. `explorer.structure.rules` says what each operator does to them.
"""

import contextlib
import copy
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes

from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.structure import arguments, rules, rules_arguments
from explorer.structure.blocks import Shortcuts
from explorer.structure.experts import settle_experts
from explorer.structure.labels import Ids, along, ids_in, varying
from explorer.structure.ledger import Contraction, Ledger, Passage
from explorer.structure.operators import Operator, operator_of
from explorer.structure.running import Inputs, as_tuple, forget, tensors_in, undisturbed
from explorer.structure.tracing import POSITIONS, Tracing
from explorer.structure.watching import OperatorMode

# By class: square weights whose module reshapes the output to the width of the input.
EQUAL_WIDTHS = {"SegformerSequenceReduction": ("sequence_reduction.weight",)}
MOST_OPERATORS = 100_000  # in one traced pass


class Tracer(OperatorMode):
    """Watches every operator of a forward pass, applies its rule, and follows residual blocks.

    Args:
        module: what runs.
        ledger: is written into.
        costs: whether contractions are written down, too.
    """

    def __init__(self, module: nn.Module, ledger: Ledger, *, costs: bool) -> None:
        super().__init__(module)
        self.tracing = Tracing(module, ledger, costs=costs)
        self.shortcuts = Shortcuts()
        self._operators = 0

    def hear(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        tracing = self.tracing
        self._operators += 1
        if self._operators > MOST_OPERATORS:
            raise ExplorerError(
                f"one pass has more than {MOST_OPERATORS:,} operators, at {tracing.here}: try a smaller --input for "
                "this model"
            )
        operator = operator_of(func)
        tensors = tensors_among(args, kwargs)
        names = tracing.names
        tracing.read(tensors)
        for name in (names[id(tensor)] for tensor in tensors if id(tensor) in names):
            tracing.ledger.used.add(name)
            if len(tensors) == 1 and out is tensors[0]:
                self.shortcuts.write(name)
            else:
                self.shortcuts.touch(name)
        if operator.name == "bernoulli":  # which channels a dropout of whole maps keeps
            tracing.noise[out] = True
        booked = len(tracing.ledger.contractions)
        if any(tensor in tracing.labels or tensor in tracing.views for tensor in tensors):
            rules.apply(tracing, operator, args, kwargs, out)
        if any(tensor in tracing.given for tensor in tensors):
            with contextlib.suppress(Exception):  # what can't be followed is a constant like any other
                rules_arguments.follow(tracing, operator, args, kwargs, out)
        if tracing.costs:
            self._book(operator, args, out, booked)
        self.shortcuts.operator(func, args, kwargs, tensors, out)

    def _book(self, operator: Operator, args: tuple, out: Any, booked: int) -> None:
        """See that what an operator multiplies is in the books: a constant, where no rule wrote it down."""
        ledger, contractions = self.tracing.ledger, self.tracing.ledger.contractions
        if operator.multiplied is not None and len(contractions) == booked:
            contractions.append(Contraction(operator.multiplied(out, *args).macs, ()))
            views = [self.tracing.views[arg] for arg in args if isinstance(arg, Tensor) and arg in self.tracing.views]
            for view in views:
                ledger.lost.setdefault(view.name, f"{self.tracing.here} multiplies it in a way that is not followed")
        for contraction in contractions[booked:]:
            contraction.module = self.tracing.path[-1]


def tensors_among(args: Iterable[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """The tensors that an operator is given; they lie at most one list deep."""
    found: list[Tensor] = []
    for value in (*args, *kwargs.values()):
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += [entry for entry in value if isinstance(entry, Tensor)]
    return found


class _Calls:
    """Follows the calls of modules: whose turn it is, what they show, and what passes the innermost ones."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracing, self._shortcuts = tracer.tracing, tracer.shortcuts
        self._given: dict[str, Tensor | None] = {}  # labels of what innermost modules are given
        self._chosen: list[int] = []  # how many choices there were when each of the running modules began

    def watching(self, module: nn.Module) -> AbstractContextManager:
        layers = dict(module.named_modules())
        before = {name: partial(self._enter, name, leaf=_is_innermost(layer)) for name, layer in layers.items()}
        return watching(module, {name: partial(self._leave, name) for name in layers}, before=before, named=True)

    def _enter(self, name: str, layer: nn.Module, args: tuple, named: dict, *, leaf: bool) -> None:
        tracing = self._tracing
        tracing.path.append(name)
        self._chosen.append(len(tracing.ledger.chosen))
        self._shortcuts.enter(name, args, named, len(tracing.ledger.contractions))
        if name:
            arguments.enter(tracing, name, args, named)
        self._given[name] = None
        if leaf and args and isinstance(args[0], Tensor) and (label := tracing.label(args[0])) is not None:
            self._given[name] = label

    def _leave(self, name: str, layer: nn.Module, args: tuple, named: dict, out: Any) -> None:
        tracing = self._tracing
        tracing.path.pop()
        chosen = tracing.ledger.chosen[self._chosen.pop() :]
        if chosen and tracing.costs:
            self._note_around(name, chosen, args, named, out)
        self._shortcuts.leave(name, layer, out, len(tracing.ledger.contractions))
        returned = [out] if isinstance(out, Tensor) else tensors_in(out)
        label = tracing.labels.get(returned[0]) if returned else None  # attention gives its weights too
        if label is not None and len(varying(label)) == 1:
            tracing.ledger.shown[name] = label
        if not isinstance(out, Tensor):
            tracing.note_statistics(name, returned)
        given = self._given.pop(name, None)
        if isinstance(out, Tensor) and tracing.ledger.blurs(name):
            with _disable_current_modes():
                passage = self._passage(name, layer, args, given, out)
            if passage is not None:
                tracing.ledger.pass_through(name, passage)

    def _note_around(self, name: str, chosen: list[bytes], args: tuple, named: dict, out: Any) -> None:
        """Write down the channels of a module in which choices were made, if it was called once, with one tensor."""
        first = out[0] if isinstance(out, tuple) and out else out
        passage = None
        if len(args) == 1 and not named and isinstance(args[0], Tensor) and isinstance(first, Tensor):
            with _disable_current_modes():
                passage = _between(*(self._tracing.labels.get(tensor) for tensor in (args[0], first)))
        for choice in (self._tracing.ledger.choices[key] for key in dict.fromkeys(chosen)):
            choice.around[name] = None if name in choice.around else passage

    def _passage(self, name: str, layer: nn.Module, args: tuple, given: Tensor | None, out: Tensor) -> Passage | None:
        """The channels of an innermost module's first input and output, if they lie along the same axis of both."""
        read = None if given is None else _along_one(given)
        if name not in self._tracing.ledger.computing:
            return Passage(*read, read[1]) if given is not None and read and _as_long(given, out, read[0]) else None
        unread = _is_innermost(layer) and args and self._tracing.label(args[0]) is None  # the model's input
        label = self._tracing.label(out)
        made = None if label is None else _along_one(label)
        if made is None or not (unread or (read and read[0] == made[0])):
            return None
        return Passage(made[0], read[1] if read else np.zeros(0, dtype=np.int64), made[1])


def _between(given: Tensor | None, out: Tensor | None) -> Passage | None:
    """The channels of an input and an output, either of which may have none, unless they lie along different axes."""
    ends = [None if label is None or not varying(label) else _along_one(label) for label in (given, out)]
    if any(end is None and varying(label) for end, label in zip(ends, (given, out), strict=True)):
        return None
    read, made = ((-1, np.zeros(0, dtype=np.int64)) if end is None else end for end in ends)
    return Passage(max(read[0], made[0]), read[1], made[1]) if -1 in (read[0], made[0]) or read[0] == made[0] else None


def _along_one(label: Tensor) -> tuple[int, Ids] | None:
    """The axis along which the channel varies, and the channels, if it is one."""
    axes = varying(label)
    return (axes[0], along(label, axes[0])) if len(axes) == 1 else None


def _as_long(given: Tensor, out: Tensor, axis: int) -> bool:
    """Whether an output has as many axes as what was given, and as many entries along this one."""
    return out.dim() == given.dim() and out.shape[axis] == given.shape[axis]


def _is_innermost(layer: nn.Module) -> bool:
    """Whether it has no parts, but for those that compute its weights."""
    return all(name == "parametrizations" for name, _ in layer.named_children())


def trace(module: nn.Module, example: Inputs, *, keep_outputs: bool = True) -> Ledger:
    """The ledger of one evaluation pass, and of a training pass where that reaches more (auxiliary heads).

    Args:
        keep_outputs: whether all channels of what the model returns stay.

    Raises:
        ExplorerError: no tensor is found in what the model returns, or tracing takes too long.
    """
    forget(module)
    ledger = _passes(module, as_tuple(example), keep_outputs)
    ledger.attach_followers()
    forget(module)
    settle_experts(ledger, module)
    ledger.settle()
    return ledger


def _passes(module: nn.Module, inputs: tuple[Tensor, ...], keep_outputs: bool) -> Ledger:
    ledger = Ledger(keep_outputs=keep_outputs)
    _run(module, inputs, ledger, training=False)
    _equal_widths(module, ledger)
    if all(name in ledger.used for name, _ in module.named_parameters()):
        return ledger
    for scale in (1, 2, 4):  # auxiliary heads may need a larger input than inference
        more = copy.deepcopy(ledger)
        with contextlib.suppress(RuntimeError, AssertionError):
            _run(module, tuple(_enlarged(tensor, scale) for tensor in inputs), more, training=True)
            return more
    return ledger


def _enlarged(tensor: Tensor, scale: int) -> Tensor:
    """A batch of two, of images (or rows) `scale` times as large."""
    larger = torch.cat([tensor, tensor]).repeat_interleave(scale, -1)
    return larger.repeat_interleave(scale, -2) if tensor.dim() == 4 else larger


def _equal_widths(module: nn.Module, ledger: Ledger) -> None:
    """Unite the axes of tensors that a module's code takes to be of one width."""
    for name, layer in module.named_modules():
        for tensor in EQUAL_WIDTHS.get(type(layer).__name__, ()):
            path = f"{name}.{tensor}"
            made, read = ledger.axes.get((path, 0)), ledger.axes.get((path, 1))
            if made is not None and read is not None:
                ledger.unite(made, read, "equal widths", name)


def _run(module: nn.Module, inputs: tuple[Tensor, ...], ledger: Ledger, *, training: bool) -> None:
    tracer = Tracer(module, ledger, costs=not training)
    with undisturbed(module, training=training), _Calls(tracer).watching(module), tracer:
        out = module(*inputs)
    if not training:
        ledger.blocks = tracer.shortcuts.blocks
    outputs = tensors_in(out)
    if not outputs:
        raise ExplorerError(
            f"no tensor is found in what the model returns ({type(out).__name__}), so its outputs can't be told from "
            "channels: let it return tensors, in tuples, dicts or data classes"
        )
    tracer.tracing.read(outputs)
    labels = [tracer.tracing.label(tensor) for tensor in outputs]
    if not training:
        ledger.outputs = labels
    for label in labels:
        if label is not None and ledger.keep_outputs:
            ledger.freeze(ids_in(label), "these are the model's outputs")
    for tensor in outputs:
        tracer.tracing.freeze(tracer.tracing.mixed.get(tensor), POSITIONS)
