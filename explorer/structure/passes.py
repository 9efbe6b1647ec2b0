"""One pass of a model, watched: what its parts returned and multiplied, and where it broke."""

import copy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_map

from explorer.errors import one_line
from explorer.modules import watching
from explorer.structure.adapt import Fitting
from explorer.structure.labels import OfTensors
from explorer.structure.operators import operator_of
from explorer.structure.running import tensors_in
from explorer.structure.types import FittedShape
from explorer.structure.watching import OperatorMode

KEPT = 2**28  # bytes of outputs that are kept of one pass


@dataclass(frozen=True)
class Call:
    """What a module is called with."""

    args: tuple
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def copied(self) -> "Call":
        """The same values, which a module may write into."""
        args, kwargs = tree_map(_copied, (tuple(self.args), dict(self.kwargs)))
        return Call(args, kwargs)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return value if isinstance(value, nn.Module | Callable) else copy.deepcopy(value)


@dataclass
class Pass:
    """What a pass showed.

    Args:
        outputs: tensors that the model returned.
        shown: by module, the tensors that its first call returned; as many as fit in `KEPT`.
        returning: the modules that returned tensors.
        calls: how often every module was called.
        macs: multiply-accumulates by the innermost module that was running.
        macs_inside: those made inside every module, by whichever part of it or of others.
        operators: how many ran inside every module, those of its parts included.
        error: what ended it early, in one line; empty: it ran to its end.
        where: the innermost module that was running then.
        fitted: shapes that did not fit, and were made to, in the innermost module that was running.
    """

    outputs: list[Tensor] = field(default_factory=list)
    shown: dict[str, list[Tensor]] = field(default_factory=dict)
    returning: set[str] = field(default_factory=set)
    calls: Counter[str] = field(default_factory=Counter)
    macs: Counter[str] = field(default_factory=Counter)
    macs_inside: Counter[str] = field(default_factory=Counter)
    operators: Counter[str] = field(default_factory=Counter)
    error: str = ""
    where: str = ""
    fitted: set[FittedShape] = field(default_factory=set)


class _Noise:
    """Random noise as rounding makes it, drawn once for all tensors, and of its own: a model may draw numbers, too."""

    def __init__(self) -> None:
        self._signs = torch.zeros(0)
        self._generator = torch.Generator().manual_seed(0)

    def on(self, value: Any) -> Any:
        """A tensor of fractions with noise in its last places; anything else as it is."""
        if not isinstance(value, Tensor) or not value.is_floating_point() or not value.numel():
            return value
        if value.numel() > len(self._signs):
            self._signs = torch.randint(-1, 2, (2 * value.numel(),), generator=self._generator, dtype=torch.int8)
        start = int(torch.randint(len(self._signs) - value.numel() + 1, (), generator=self._generator))
        signs = self._signs[start : start + value.numel()].view(value.shape)
        return torch.addcmul(value, value, signs.to(value), value=4 * torch.finfo(value.dtype).eps)


class _Calls:
    """Follows the calls of modules, and keeps what they return."""

    def __init__(self, seen: Pass, *, noisy: bool) -> None:
        self.seen, self.noise = seen, _Noise() if noisy else None
        self.path: list[str] = [""]
        self.room = KEPT
        self._copies: OfTensors[tuple[int | None, Tensor]] = OfTensors()

    def enter(self, path: str, leaf: bool, layer: nn.Module, args: tuple) -> tuple | None:
        self.path.append(path)
        self.seen.calls[path] += 1
        return tuple(map(self.noise.on, args)) if self.noise and leaf else None

    def leave(self, path: str, leaf: bool, layer: nn.Module, args: tuple, out: Any) -> Any:
        self.path.pop()
        if self.noise and leaf:
            out = self.noise.on(out)
        if path not in self.seen.returning and (tensors := tensors_in(out)):
            self.seen.returning.add(path)
            if self.room > 0:
                self.seen.shown[path] = [self._copy(tensor) for tensor in tensors]
        return out if self.noise else None

    def _copy(self, tensor: Tensor) -> Tensor:
        """A copy, since later parts may write into the tensor; the one made before if none has."""
        version = None if tensor.is_inference() else tensor._version
        known = self._copies.get(tensor)
        if known is not None and version is not None and known[0] == version:
            return known[1]
        with _disable_current_modes():
            copied = tensor.detach().clone()
        self.room -= tensor.numel() * tensor.element_size()
        self._copies[tensor] = version, copied
        return copied

    def fitted(self, axes: int, axis: int) -> None:
        """A shape was made to fit."""
        self.seen.fitted.add(FittedShape(self.path[-1], axes, axis))


class _Operators(OperatorMode):
    """Counts what a model multiplies."""

    def __init__(self, module: nn.Module, seen: Pass, path: Sequence[str]) -> None:
        super().__init__(module)
        self.seen, self.path = seen, path

    def hear(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        if (multiplied := operator_of(func).multiplied) is not None:
            macs = multiplied(out, *args).macs
            self.seen.macs[self.path[-1]] += macs
            for path in self.path[1:]:
                self.seen.macs_inside[path] += macs
        for path in self.path[1:]:
            self.seen.operators[path] += 1
        self.seen.operators[""] += 1


def run(module: nn.Module, call: Call, *, counting: bool = True, noisy: bool = False, fit: bool = False) -> Pass:
    """Run a module, which is as `undisturbed` leaves it; errors of its own code are told, not raised.

    Args:
        counting: whether operators are counted, and what they multiply.
        noisy: whether what its innermost parts get and return is changed by about as much as rounding does.
        fit: whether shapes that do not fit are made to, see `explorer.structure.adapt.Fitting`.
    """
    seen = Pass()
    calls = _Calls(seen, noisy=noisy)
    operators = _Operators(module, seen, calls.path) if counting else nullcontext()
    call = call.copied()
    torch.manual_seed(0)
    leaves = {path: next(layer.children(), None) is None for path, layer in module.named_modules()}
    before = {path: partial(calls.enter, path, leaf) for path, leaf in leaves.items()}
    after = {path: partial(calls.leave, path, leaf) for path, leaf in leaves.items()}
    with watching(module, after, before=before), Fitting(note=calls.fitted) if fit else nullcontext():
        try:
            with operators:
                out = module(*call.args, **call.kwargs)
        except Exception as error:  # any error of the model's own code
            seen.error, seen.where = one_line(error), calls.path[-1]
            return seen
    seen.outputs = tensors_in(out)
    return seen


def calls_of(module: nn.Module, call: Call, paths: Sequence[str]) -> dict[str, Call]:
    """What the modules at these paths are called with in one pass, the first time."""
    seen: dict[str, Call] = {}

    def note(path: str, layer: nn.Module, args: tuple, kwargs: dict) -> None:
        if path not in seen:
            seen[path] = Call(args, kwargs).copied()

    torch.manual_seed(0)
    call = call.copied()
    with watching(module, before={path: partial(note, path) for path in paths}, named=True):
        module(*call.args, **call.kwargs)
    return seen
