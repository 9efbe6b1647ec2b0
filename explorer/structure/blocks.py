"""Residual blocks: found while a model is traced, and taken out of its structure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import OfTensors
from explorer.structure.ledger import Span
from explorer.structure.operators import ADD, NORMS, SCALES, Kind, operator_of
from explorer.structure.products import names_by_identity
from explorer.structure.running import tensors_in
from explorer.structure.types import Group, Structure, inside, outermost

# What a value is to a module that is running: computed from its first input; that input itself; the input plus
# branches that blocks inside the module added; the input plus a branch of the module's own.
DERIVED, CARRIED, ADDED, OWN = range(4)

_MOVES = (Kind.SAME, Kind.RESHAPE, Kind.TURN, Kind.SPLIT, Kind.CHOOSE, Kind.MOVE, Kind.CAT)


class _State(NamedTuple):
    """What a tensor is to a call, and the places in the call's first input that its entries have, if not their own."""

    what: int
    places: Tensor | None = None


_DERIVED = _State(DERIVED)
_KEEPING = (*_MOVES, *NORMS)  # kinds of operators after which the input may still be told


@dataclass(frozen=True)
class _Call:
    path: str
    number: int
    x: Tensor | None
    args: tuple
    named: dict[str, Any]
    before: dict[int, int]
    start: int

    @property
    def given(self) -> dict[Any, Any]:
        """All arguments, by place or name."""
        return {**dict(enumerate(self.args)), **self.named}


class Shortcuts:
    """Follows the first input of every running module through moves and additions to its output.

    A module is a residual block if it was called once, the output has the input's shape and is the input plus
    branches computed from it, at least one of them added outside the blocks within, and nothing outside reads its parts
    or what it returns besides, unless that was given to it; a chain of blocks is none.
    """

    def __init__(self) -> None:
        self._open: list[_Call] = []
        self._states: OfTensors[dict[int, int]] = OfTensors()  # by number of a call: what a tensor is to that call
        self._places: OfTensors[dict[int, Tensor]] = OfTensors()  # see `_State`
        self._running: set[int] = set()  # numbers of calls
        self._calls: Counter[str] = Counter()
        self._numbers = 0
        self._spans: dict[str, Span] = {}
        self._besides: OfTensors[list[str]] = OfTensors()  # the modules that returned a tensor beside their output
        self._needed: set[str] = set()  # modules of which others read that, or parts
        self._written: dict[tuple[str, str], None] = {}  # tensors that are only written into, and the module that does

    @property
    def blocks(self) -> dict[str, Span]:
        """The blocks so far, by module path."""
        alone = {path for path in self._spans if self._calls[path] == 1} - self._needed
        spans = {path: span for path, span in self._spans.items() if path in alone}
        return {path: replace(span, written=self._written_in(path)) for path, span in spans.items()}

    def enter(self, path: str, args: tuple, named: dict[str, Any], contractions: int) -> None:
        """A module starts; `contractions` were made so far."""
        first = args[0] if args else next((value for value in named.values() if isinstance(value, Tensor)), None)
        x = first if path and isinstance(first, Tensor) else None
        before = {} if x is None else self._states.get(x, {})
        self.touch(path)
        self._calls[path] += 1
        self._numbers += 1
        self._running.add(self._numbers)
        self._open.append(_Call(path, self._numbers, x, args, named, before, contractions))
        if x is not None:
            self._states[x] = {**before, self._numbers: CARRIED}

    def _written_in(self, path: str) -> tuple[str, ...]:
        """The tensors in a module that code around it writes into, named from it."""
        outside = (name for name, writer in self._written if inside(name, [path]) and not inside(writer, [path]))
        return tuple(name[len(path) + 1 :] for name in outside)

    def write(self, name: str) -> None:
        """A tensor is changed without a look at others, as by code that scales the weights of all layers."""
        self._written[name, self._open[-1].path if self._open else ""] = None

    def touch(self, name: str) -> None:
        """A module runs or a tensor is read: modules around it that are not running can't leave without it."""
        if self._open and name.rpartition(".")[0] == self._open[-1].path:  # which was touched when it started
            return
        running = {call.path for call in self._open}
        self._needed.update(path for path in _around(name) if path not in running)

    def operator(self, func: Any, args: tuple, kwargs: dict, tensors: Sequence[Tensor], out: Any) -> None:
        """An operator has run on these tensors, which are among its arguments."""
        for tensor in tensors:
            if tensor in self._besides:
                self._needed.update(self._besides[tensor])
        states = [state for tensor in tensors if (state := self._states.get(tensor))]
        met = {number for state in states for number in state if number in self._running}
        outputs = [out] if isinstance(out, Tensor) else [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if not outputs or not met:
            return
        operator = operator_of(func)
        if operator not in (ADD, *SCALES) and operator.kind not in _KEEPING and not operator.activation:
            for output in outputs:
                self._states[output] = dict.fromkeys(met, DERIVED)
            return
        found = {number: self._after(func, number, args, kwargs, outputs) for number in met}
        for i, output in enumerate(outputs):
            self._states[output] = {number: states[i].what for number, states in found.items()}
            moved = ((number, states[i].places) for number, states in found.items())
            if places := {number: place for number, place in moved if place is not None}:
                self._places[output] = places

    def leave(self, path: str, layer: nn.Module, out: Any, contractions: int) -> None:
        """The module that started last is done."""
        call = self._open.pop()
        self._running.discard(call.number)
        first, *rest = out if isinstance(out, tuple | list) and out else (out,)
        if not path:
            for tensor in tensors_in(out):
                self._needed.update(self._besides.get(tensor, ()))
        if call.x is None or not isinstance(first, Tensor) or first.shape != call.x.shape:
            return
        states = self._states.get(first, {})
        if _is_norm(layer) and contractions == call.start:
            self._states[first] = states | {n: state for n, state in call.before.items() if state >= ADDED}
        if states.get(call.number) != OWN or call.number in self._places.get(first, {}):
            return
        passed = _threaded(tuple(_argument(value, call) for value in rest), rest, call)
        for value, key in zip(rest, passed, strict=True):
            for tensor in tensors_in(value) if key is None else ():
                self._besides[tensor] = [*self._besides.get(tensor, ()), path]
        returns = len(rest) + 1 if isinstance(out, tuple | list) else 0
        self._spans[path] = Span(returns, call.start, contractions, passed)
        through = {number: max(state, ADDED) for number, state in call.before.items() if state >= CARRIED}
        self._states[first] = {**states, **through}
        if call.x in self._places:
            self._places[first] = self._places[call.x]

    def _after(self, func: Any, number: int, args: tuple, kwargs: dict, outputs: Sequence[Tensor]) -> list[_State]:
        """What an operator's outputs are to one call."""
        operator, out = operator_of(func), outputs[0]
        of = [self._state(arg, number) for arg in args[:2]]
        if operator is ADD and kwargs.get("alpha", 1) == 1:
            carrier, other = (0, 1) if of[0].what >= of[1].what else (1, 0)
            if of[carrier].what >= CARRIED > of[other].what and args[carrier].shape == out.shape:
                added = of[other].what == DERIVED
                return [_State(OWN, of[carrier].places) if added else of[carrier]]
        if operator.kind in _MOVES and (moved := self._moved(func, number, args, kwargs, outputs)):
            return moved
        ends = operator.activation or operator.kind in NORMS  # post-activation and post-norm blocks end with these
        unscaled = operator in SCALES and isinstance(args[1], int | float) and args[1] == 1
        if (ends and of[0].what >= ADDED) or (unscaled and of[0].what >= CARRIED):
            return [of[0], *[_DERIVED] * (len(outputs) - 1)]
        return [_DERIVED] * len(outputs)

    def _state(self, value: Any, number: int) -> _State:
        if not isinstance(value, Tensor) or (what := self._states.get(value, {}).get(number)) is None:
            return _UNRELATED
        return _State(what, self._places.get(value, {}).get(number))

    def _moved(
        self, func: Any, number: int, args: tuple, kwargs: dict, outputs: Sequence[Tensor]
    ) -> list[_State] | None:
        """What outputs are whose entries are those of the inputs at other places; None if one is not followed."""
        entries = args[0] if isinstance(args[0], list | tuple) else args[:1]
        states = [self._state(entry, number) for entry in entries]
        if not states or any(state.what < CARRIED for state in states):
            return None
        what = max(state.what for state in states)
        if operator_of(func).kind in (Kind.SAME, Kind.RESHAPE):
            places = states[0].places
            return [_State(what, None if places is None else _unless_natural(places.reshape(outputs[0].shape)))]
        several = [_places(state, entry) for state, entry in zip(states, entries, strict=True)]
        try:
            moved = func(several if isinstance(args[0], list | tuple) else several[0], *args[1:], **kwargs)
        except Exception:  # of operators that take no numbers
            return None
        return [_State(what, _unless_natural(leaf)) for leaf in tree_leaves(moved) if isinstance(leaf, Tensor)]


_UNRELATED = _State(-1)


@cache
def _around(name: str) -> tuple[str, ...]:
    """The modules that enclose a module or tensor."""
    parts = name.split(".")
    return tuple(".".join(parts[:i]) for i in range(1, len(parts)))


def _is_norm(layer: nn.Module) -> bool:
    """Whether all that a layer has is at most a number a channel; norms are written by hand, too."""
    own = list(layer.parameters())
    return bool(own) and not layer._modules and all(parameter.dim() <= 1 for parameter in own)


def _places(state: _State, tensor: Tensor) -> Tensor:
    if state.places is not None:
        return state.places.view(tensor.shape)
    return torch.arange(tensor.numel()).view(tensor.shape)


def _unless_natural(places: Tensor) -> Tensor | None:
    flat = places.flatten()
    return None if torch.equal(flat, torch.arange(len(flat))) else places


def _argument(value: Any, call: _Call) -> int | str | None:
    """The place or name of the argument that a value is, if it is one: the same tensor, or an equal size or setting."""
    if value is None:
        return None
    for key, argument in call.given.items():
        if argument is value or (_plain(value) and _plain(argument) and tree_leaves(argument) == tree_leaves(value)):
            return key
    return None


def _threaded(passed: tuple[int | str | None, ...], rest: Sequence[Any], call: _Call) -> tuple[int | str | None, ...]:
    """What is passed on; a state that goes from block to block beside the stream is None if nobody asked for one."""
    missing = [key for key, value in call.given.items() if value is None]
    return (missing[0], *passed[1:]) if rest and rest[0] is None and len(missing) == 1 else passed


def _plain(value: Any) -> bool:
    return isinstance(value, int | float | str | list | tuple) and all(
        isinstance(leaf, int | float | str) for leaf in tree_leaves(value)
    )


def shared_tensors(module: nn.Module) -> list[list[str]]:
    """The names of every tensor that has several."""
    names = names_by_identity(module.state_dict(keep_vars=True).items())
    return [known for known in names.values() if len(known) > 1]


def separable(shared: Sequence[Sequence[str]], path: str) -> bool:
    """Whether no tensor inside a submodule is also known by a name outside it; see `shared_tensors`."""
    return all(len({inside(name, [path]) for name in names}) == 1 for names in shared)


def without(structure: Structure, blocks: Sequence[str]) -> Structure:
    """The structure of the model whose `blocks` pass their first input on.

    Groups that live wholly inside them are removed; groups that reach beyond lose the tensors inside.
    """
    if not blocks:
        return structure
    removed = outermost(blocks)

    def stays(name: str) -> bool:
        return not inside(name, removed)

    def standing(group: Group) -> Group:
        return replace(
            group,
            members=tuple(member for member in group.members if stays(member.tensor)),
            taps=tuple(tap for tap in group.taps if stays(tap.producer) and stays(tap.module)),
            norms=tuple(norm for norm in group.norms if stays(norm.module)),
            unsaved=tuple(member for member in group.unsaved if stays(member.tensor)),
            lookups=tuple(lookup for lookup in group.lookups if stays(lookup.tensor)),
            counters=tuple(counter for counter in group.counters if stays(counter[0])),
            stored=tuple(stored for stored in group.stored if stays(stored.module) and stays(stored.tensor)),
            fitted=tuple(shape for shape in group.fitted if stays(shape.module)),
            given=tuple(each for each in group.given if stays(each.axis.module)),
        )

    left = {name: standing(group) for name, group in structure.groups.items()}
    costs = {name: structure.blocks[name].cost_model for name in removed}
    cost_model, blocks_left = structure.cost_model, {}
    for cost in costs.values():
        cost_model -= cost
    for name, block in structure.blocks.items():
        if stays(name):
            own = block.cost_model
            for lost in (cost for other, cost in costs.items() if inside(other, [name])):
                own -= lost
            blocks_left[name] = replace(block, cost_model=own)
    return replace(
        structure,
        groups={name: group for name, group in left.items() if group.members},
        blocked=tuple(blocked for blocked in structure.blocked if stays(blocked.name)),
        blocks=blocks_left,
        cost_model=cost_model,
    )
