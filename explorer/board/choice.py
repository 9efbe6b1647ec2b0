"""How much of every group goes, and the way back."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

Budget = dict[str, float]
Item = TypeVar("Item")

HISTORY = 200
ENTRIES = 20_000  # groups named in all choices of a history: about two megabytes


@dataclass(frozen=True)
class Choice:
    """How much of every group goes.

    `budget`: the fraction of its units; groups that stay whole are absent. `locked`: the groups that presets leave
    as they are.
    """

    budget: Budget = field(default_factory=dict)
    locked: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "budget", {name: part for name, part in self.budget.items() if part > 0})

    @property
    def empty(self) -> bool:
        """Whether everything stays."""
        return not self.budget


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
            return False
        self.past = newest([*self.past[-HISTORY + 1 :], self.now], lambda choice: len(choice.budget))
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
