"""What ways to share a target out among the groups have in common: their registry, their case, an order of leaving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from explorer.budget.search import nearest_prefix
from explorer.errors import ExplorerError
from explorer.registry import Entry, Registry

if TYPE_CHECKING:  # the names of allocators are read without torch
    from explorer.budget.curves import Curves
    from explorer.budget.limits import Limits
    from explorer.structure.types import Structure

Ranked = Mapping[str, np.ndarray]
T = TypeVar("T")

NEEDS = frozenset({"shapes", "curves", "latency", "target"})


@dataclass(frozen=True)
class Case:
    """What is to be shared out; what an allocator does not need may be missing.

    Args:
        structure: of the model.
        ranked: every free group's normalised scores, ascending, (units,).
        most: how many units each of them may lose, (groups,).
        shapes: of the model's tensors.
        curves: measured sensitivity.
        limits: that are to be met.
    """

    structure: "Structure"
    ranked: Ranked
    most: np.ndarray
    shapes: Mapping[str, tuple[int, ...]] | None = None
    curves: "Curves | None" = None
    limits: "Limits | None" = None


def needed(given: T | None, what: str) -> T:
    """A part of a case that may be missing, where it must be there.

    Raises:
        ExplorerError: it is missing.
    """
    if given is None:
        raise ExplorerError(f"this allocation needs {what} and there are none: give them, or use another one")
    return given


Times = dict[str, np.ndarray]
Order = Callable[[Case], Times]
Counts = Callable[[Case], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Allocator(Entry):
    """A way to share a target out: it says in which order units leave, or, if it needs a target, how many do.

    `function(case)` is one of two. As `order` it gives every free group a non-decreasing array (units,): units leave
    in the order of these numbers over all groups, until the target is met. As `counts` it gives the units that each
    free group loses, (groups,), for a case with limits. `needs` is a subset of `NEEDS`; an allocator that needs a
    target can't serve steps towards one.
    """

    def __post_init__(self) -> None:
        if not self.needs <= NEEDS:
            raise ValueError(f"allocation {self.name!r} needs something that is not in {set(NEEDS)}")

    @property
    def order(self) -> Order | None:
        """The order in which units leave; None where there is none without a target."""
        return None if "target" in self.needs else self.function

    @property
    def counts(self) -> Counts | None:
        """How many units of each group leave; None where that follows from the order."""
        return self.function if "target" in self.needs else None

    def removed(self, case: Case) -> np.ndarray:
        """Units that each free group loses, (groups,), for a case with limits.

        Raises:
            ExplorerError: something that the allocator needs is missing.
        """
        self.check(case)
        if self.counts is not None:
            return self.counts(case)
        limits = needed(case.limits, "limits")
        return nearest_prefix(departures(self.function(case), case), len(case.most), limits.load, 1.0)

    def check(self, case: Case) -> None:
        """Raises where something is missing that the allocator needs."""
        for need, advice in (("shapes", "give the model's"), ("curves", "measure them first, with sensitivity")):
            if need in self.needs and getattr(case, need) is None:
                raise ExplorerError(f"allocation {self.name!r} needs {need} and there are none: {advice}")
        if "latency" in self.needs and (case.limits is None or case.limits.meter.latency is None):
            raise ExplorerError(f"allocation {self.name!r} needs a latency table: measure latency first")


ALLOCATORS: Registry[Allocator] = Registry(
    "allocation", Allocator, decorator="allocator", package="explorer.budget.allocators"
)
allocator = ALLOCATORS.register


def departures(times: Times, case: Case) -> np.ndarray:
    """The index of the group that loses a unit, for every removal from the first to the last possible one."""
    pairs = zip(case.ranked.items(), case.most, strict=True)
    leaving = [np.stack([times[name][:n], worth[:n]]) for (name, worth), n in pairs]
    time, worth = np.concatenate(leaving, axis=1) if leaving else np.empty((2, 0))
    return np.repeat(np.arange(len(case.most)), case.most)[np.lexsort((worth, time))]


def middles(count: int) -> np.ndarray:
    """Where in a group of `count` units its k-th one lies, from 0 to 1: (k − ½)/count, (count,)."""
    return (np.arange(count) + 0.5) / count
