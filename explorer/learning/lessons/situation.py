"""What a lesson asks the workspace about, and who answers: the same for pages and without any."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from explorer.board.choice import Choice
from explorer.criteria import Scores
from explorer.pruning import Plan
from explorer.structure import Structure


class NotYetError(Exception):
    """An answer is still being found.

    Args:
        fraction: how much of the work is done, 0 to 1.
        message: what is being done, a short phrase.
        offer: the recovery that somebody has to start first, because it takes long; empty where nothing is to be done.
    """

    def __init__(self, fraction: float = 0.0, message: str = "", offer: str = "") -> None:
        super().__init__(message)
        self.fraction, self.message, self.offer = fraction, message, offer


@dataclass(frozen=True)
class Judged:
    """What a network answers on the samples that plans are judged by.

    Args:
        metric: the name of the task's metric.
        value: of the metric.
        low, high: its 95 % interval; None where it has none.
        samples: how many.
        answers: the class that is answered for each sample, int of shape (samples,); None where the task has none.
        labels: the true ones, alike.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    samples: int
    answers: np.ndarray | None = field(default=None, repr=False, compare=False)
    labels: np.ndarray | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Timed:
    """How long a cut network takes against the whole one, both timed in turns.

    Args:
        ms, whole_ms: milliseconds of one pass of each.
        ratio: of the two, below 1 where the cut is faster.
        low, high: the 95 % interval of the ratio.
        batch: inputs at a time.
        rounds: how often both were timed.
    """

    ms: float
    whole_ms: float
    ratio: float
    low: float
    high: float
    batch: int
    rounds: int


class Bench(Protocol):
    """Who opens networks and measures.

    Every method may raise `NotYetError` while the work goes on elsewhere, and `ExplorerError` where it can't be done.
    """

    def structure(self, model: str) -> Structure: ...

    def scores(self, model: str, data: str, criterion: str, options: Mapping[str, str]) -> Scores: ...

    def shared_out(
        self, model: str, scores: Scores, macs: float, allocate: str, locked: Mapping[str, int]
    ) -> dict[str, float]:
        """The budget that leaves this share of the MACs."""
        ...

    def classes(self, model: str, data: str) -> tuple[str, ...]: ...

    def judge(self, model: str, data: str, plan: Plan, recovery: str) -> Judged: ...

    def time(self, model: str, plan: Plan, batch: int) -> Timed: ...


@dataclass(frozen=True)
class Tried:
    """A choice that was measured.

    Args:
        choice: what goes.
        criterion: by whose scores.
        recovery: after which recovery, "none" right after the cut.
        macs: the share of the whole network's that is left.
        value: of the task's metric.
    """

    choice: Choice
    criterion: str
    recovery: str
    macs: float
    value: float


@dataclass(frozen=True)
class Done:
    """A job that has ended well.

    Args:
        kind: of the job, see `explorer.runs.queue.kinds`.
        spec: what it was told.
    """

    kind: str
    spec: Mapping[str, Any]


@dataclass(frozen=True)
class Situation:
    """Where a person stands.

    Args:
        model, data: what is open.
        criterion, options: whose scores say which channels leave first.
        choice: how much of every group goes.
        page: the name of the page in sight; empty where there is none.
        bench: who measures.
        tried: what was measured, oldest first; asked for only by checks that need it.
        jobs: what has ended well, alike.
    """

    model: str
    data: str
    criterion: str
    options: Mapping[str, str]
    choice: Choice
    page: str
    bench: Bench = field(repr=False, compare=False)
    tried: Callable[[], tuple[Tried, ...]] = tuple
    jobs: Callable[[], tuple[Done, ...]] = tuple

    @property
    def structure(self) -> Structure:
        return self.bench.structure(self.model)

    def lost(self) -> dict[str, int]:
        """How many units every group loses; groups that leave with a block lose all of theirs."""
        groups = self.structure.groups
        counts = {name: group.leaving(self.choice.budget.get(name, 0.0)) for name, group in groups.items()}
        kept = self._counted(counts).kept(self.structure)
        return {name: group.units - kept[name] for name, group in groups.items()}

    def macs(self) -> float:
        """The share of the whole network's multiply-accumulates that is left."""
        groups = self.structure.groups
        counts = {name: group.leaving(self.choice.budget.get(name, 0.0)) for name, group in groups.items()}
        return self._counted(counts).cost(self.structure).macs / max(self.structure.cost().macs, 1)

    def _counted(self, counts: Mapping[str, int]) -> Plan:
        """A plan of these counts: what it costs does not depend on which units go."""
        remove = {name: tuple(range(count)) for name, count in counts.items()}
        return Plan(self.model, remove).without(self.structure, self.choice.blocks)
