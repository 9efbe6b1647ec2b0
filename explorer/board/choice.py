"""How much of every group goes, and the way back."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import TypeVar

Budget = dict[str, float]
Item = TypeVar("Item")

HISTORY = 200
SAME = 1e-9  # fractions that differ by less are the same number of units
ENTRIES = 20_000  # groups named in all choices of a history: about two megabytes


@dataclass(frozen=True)
class Choice:
    """How much of every group goes, and which residual blocks.

    Two choices that remove the same are equal, however they came about.

    Args:
        budget: the fraction of a group's units; groups that stay whole are absent.
        locked: the groups that presets leave as they are.
        blocks: residual blocks that are taken out whole.
        shared: what the last preset, such as a target shared out, has left of the rows: what differs from it was set
            by hand. By default the budget itself.
    """

    budget: Budget = field(default_factory=dict)
    locked: frozenset[str] = frozenset()
    blocks: frozenset[str] = frozenset()
    shared: Budget | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        budget = {name: part for name, part in self.budget.items() if part > 0}
        object.__setattr__(self, "budget", budget)
        object.__setattr__(self, "shared", budget if self.shared is None else dict(self.shared))

    @property
    def by_hand(self) -> frozenset[str]:
        """The groups that a person has set since the last preset, or has kept from it."""
        shared = self.shared or {}
        names = {*self.budget, *shared}
        return frozenset(name for name in names if abs(self.budget.get(name, 0.0) - shared.get(name, 0.0)) > SAME)

    def moved(self, budget: Budget, locked: frozenset[str], blocks: frozenset[str]) -> "Choice":
        """What a hand makes of this one."""
        return replace(self, budget=budget, locked=locked, blocks=blocks)

    def allotted(self, budget: Budget, held: Collection[str] = ()) -> "Choice":
        """What a preset makes of this one; groups that it `held` stay set by hand, where they were."""
        shared = {name: part for name, part in budget.items() if name not in held}
        before = {name: part for name, part in (self.shared or {}).items() if name in held}
        return replace(self, budget=budget, shared=shared | before)

    @property
    def size(self) -> int:
        """How many groups and blocks it names."""
        return len(self.budget) + len(self.blocks)

    @property
    def empty(self) -> bool:
        """Whether everything stays."""
        return not self.budget and not self.blocks


@dataclass
class History:
    """The present choice with those before and after it; `version` counts all changes."""

    now: Choice = field(default_factory=Choice)
    version: int = 0
    past: list[Choice] = field(default_factory=list)
    future: list[Choice] = field(default_factory=list)

    def commit(self, choice: Choice) -> bool:
        """Takes `choice` as the present one; False where nothing changes."""
        if choice == self.now:
            self.now = choice  # which may have come about in another way
            return False
        self.past = newest([*self.past[-HISTORY + 1 :], self.now], lambda choice: choice.size)
        self.future = []
        self.now = choice
        self.version += 1
        return True

    def step(self, *, back: bool) -> bool:
        """Undo, or redo; False where there is nothing to go to."""
        source, sink = (self.past, self.future) if back else (self.future, self.past)
        if not source:
            return False
        sink.append(self.now)
        self.now = source.pop()
        self.version += 1
        return True


def newest(items: list[Item], size: Callable[[Item], int]) -> list[Item]:
    """The last items that are `ENTRIES` together at most, the very last one in any case."""
    room = ENTRIES
    for place in range(len(items) - 1, -1, -1):
        room -= size(items[place]) + 1
        if room < 0:
            return items[min(place + 1, len(items) - 1) :]
    return items
