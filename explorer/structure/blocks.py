"""Residual blocks: found while a model is traced, and taken out of its structure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import OfTensors
from explorer.structure.ledger import Span
from explorer.structure.operators import ADD, NORMS, Operator
from explorer.structure.types import Group, Structure, inside, outermost

# What a value is to a module that is running: computed from its first input; that input itself; the input plus
# branches that blocks inside the module added; the input plus a branch of the module's own.
DERIVED, CARRIED, ADDED, OWN = range(4)


@dataclass(frozen=True)
class _Call:
    path: str
    number: int
    x: Tensor | None
    before: dict[int, int]
    start: int


class Shortcuts:
    """Follows the first input of every running module through additions to its output.

    A module is a residual block if it was called once, the output has the input's shape and is the input plus
    branches computed from it, at least one of them added outside the blocks within; a chain of blocks is none.
    """

    def __init__(self) -> None:
        self._open: list[_Call] = []
        self._states: OfTensors[dict[int, int]] = OfTensors()  # by number of a call: what a tensor is to that call
        self._running: set[int] = set()  # numbers of calls
        self._calls: Counter[str] = Counter()
        self._numbers = 0
        self._spans: dict[str, Span] = {}

    @property
    def blocks(self) -> dict[str, Span]:
        """The blocks so far, by module path."""
        return {path: span for path, span in self._spans.items() if self._calls[path] == 1}

    def enter(self, path: str, args: tuple, contractions: int) -> None:
        """A module starts; `contractions` were made so far."""
        x = args[0] if args and isinstance(args[0], Tensor) else None
        before = {} if x is None else self._states.get(x, {})
        self._calls[path] += 1
        self._numbers += 1
        self._running.add(self._numbers)
        self._open.append(_Call(path, self._numbers, x, before, contractions))
        if x is not None:
            self._states[x] = {**before, self._numbers: CARRIED}

    def operator(self, known: Operator, args: tuple, kwargs: dict, tensors: Sequence[Tensor], out: Any) -> None:
        """An operator has run on these tensors, which are among its arguments."""
        states = [state for tensor in tensors if (state := self._states.get(tensor))]
        met = {number for state in states for number in state if number in self._running}
        outputs = [out] if isinstance(out, Tensor) else [leaf for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
        if not outputs or not met:
            return
        state = {number: self._state(known, number, args, kwargs, outputs[0]) for number in met}
        for output in outputs:
            self._states[output] = state

    def leave(self, path: str, out: Any, contractions: int) -> None:
        """The module that started last is done."""
        call = self._open.pop()
        self._running.discard(call.number)
        first, *rest = out if isinstance(out, tuple) and out else (out,)
        if not path or call.x is None or not isinstance(first, Tensor) or first.shape != call.x.shape:
            return
        states = self._states.get(first, {})
        if states.get(call.number) != OWN or any(isinstance(leaf, Tensor) for leaf in tree_leaves(rest)):
            return
        self._spans[path] = Span(len(rest) + 1 if isinstance(out, tuple) else 0, call.start, contractions)
        through = {number: max(state, ADDED) for number, state in call.before.items() if state >= CARRIED}
        self._states[first] = {**states, **through}

    def _state(self, operator: Operator, number: int, args: tuple, kwargs: dict, out: Tensor) -> int:
        """What an operator's output is to one call."""
        of = [self._states.get(arg, {}).get(number, -1) if isinstance(arg, Tensor) else -1 for arg in args[:2]]
        if operator is ADD and kwargs.get("alpha", 1) == 1:
            carrier, other = (0, 1) if of[0] >= of[1] else (1, 0)
            if of[carrier] >= CARRIED > of[other] and args[carrier].shape == out.shape:
                return OWN if of[other] == DERIVED else of[carrier]
        if operator.keeps_values and of[0] >= CARRIED and args[0].shape == out.shape:
            return of[0]
        if (operator.activation or operator.kind in NORMS) and of[0] >= ADDED:
            return of[0]  # post-activation and post-norm blocks end with these
        return DERIVED


def shared_tensors(module: nn.Module) -> list[list[str]]:
    """The names of every tensor that has several."""
    names: dict[int, list[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        names.setdefault(id(tensor), []).append(name)
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
