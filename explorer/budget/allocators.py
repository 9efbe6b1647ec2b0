"""Ways to share a target out among the groups: each says in which order units leave, or how many of every group."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from explorer.budget.curves import Curves
from explorer.budget.limits import Limits
from explorer.budget.search import cheapest_choices, nearest_prefix
from explorer.criteria.lamp import lamp_scores
from explorer.errors import ExplorerError
from explorer.structure.types import Group, Structure

Ranked = Mapping[str, np.ndarray]

NEEDS = frozenset({"shapes", "curves", "latency", "target"})
NEAR = 0.01  # of a limit, that a knapsack may miss it by
ROUNDS = 4  # in which prices are taken anew at the widths that the last ones led to


@dataclass(frozen=True)
class Case:
    """What is to be shared out.

    `ranked` has every free group's normalised scores, ascending, (units,), and `most` how many units each may lose.
    `shapes` are those of the model's tensors. What an allocator does not need may be missing.
    """

    structure: Structure
    ranked: Ranked
    most: np.ndarray
    shapes: Mapping[str, tuple[int, ...]] | None = None
    curves: Curves | None = None
    limits: Limits | None = None


Times = dict[str, np.ndarray]
Order = Callable[[Case], Times]
Counts = Callable[[Case], np.ndarray]


@dataclass(frozen=True)
class Allocator:
    """Either `order` or `counts` is there.

    `order` gives every free group a non-decreasing array (units,): units leave in the order of these numbers over all
    groups, until the target is met. `counts` gives the units that each free group loses, (groups,), for a case with
    limits. `needs` is a subset of `NEEDS`; an allocator that needs a target can't serve steps towards one.
    """

    name: str
    title: str
    explanation: str
    paper: str
    needs: frozenset[str]
    order: Order | None = None
    counts: Counts | None = None

    def removed(self, case: Case) -> np.ndarray:
        """Units that each free group loses, (groups,), for a case with limits.

        Raises:
            ExplorerError: something that the allocator needs is missing.
        """
        self.check(case)
        if self.counts is not None:
            return self.counts(case)
        return nearest_prefix(departures(self.order(case), case), len(case.most), case.limits.load, 1.0)

    def check(self, case: Case) -> None:
        """Raises where something is missing that the allocator needs."""
        for need, advice in (("shapes", "give the model's"), ("curves", "measure them first, with sensitivity")):
            if need in self.needs and getattr(case, need) is None:
                raise ExplorerError(f"allocation {self.name!r} needs {need} and there are none: {advice}")
        if "latency" in self.needs and (case.limits is None or case.limits.meter.latency is None):
            raise ExplorerError(f"allocation {self.name!r} needs a latency table: measure latency first")


ALLOCATORS: dict[str, Allocator] = {}


def allocator(
    name: str, title: str, explanation: str, *, paper: str = "", needs: tuple[str, ...] = ()
) -> Callable[[Callable], Callable]:
    """Enters the decorated function into `ALLOCATORS` as `name`: one that needs a target as `counts`, else `order`."""

    def register(function: Callable) -> Callable:
        kind = "counts" if "target" in needs else "order"
        ALLOCATORS[name] = Allocator(name, title, explanation, paper, frozenset(needs), **{kind: function})
        return function

    return register


def departures(times: Times, case: Case) -> np.ndarray:
    """The index of the group that loses a unit, for every removal from the first to the last possible one."""
    pairs = zip(case.ranked.items(), case.most, strict=True)
    leaving = [np.stack([times[name][:n], worth[:n]]) for (name, worth), n in pairs]
    time, worth = np.concatenate(leaving, axis=1) if leaving else np.empty((2, 0))
    return np.repeat(np.arange(len(case.most)), case.most)[np.lexsort((worth, time))]


@allocator(
    "uniform",
    "Same ratio everywhere",
    "Every group loses the same fraction of its units, the lowest scored first. Only the order within a group "
    "matters, so the normaliser hardly does.",
)
def uniform(case: Case) -> Times:
    """A group of n units loses its k-th one when the common ratio, rounded to whole units, reaches it: (k − ½)/n."""
    return {name: _middles(len(scores)) for name, scores in case.ranked.items()}


@allocator(
    "global",
    "Global ranking",
    "All units of all groups stand in one list and the lowest scored leave, wherever they are. The scores must be "
    "comparable between groups: that is the normaliser's work.",
)
def ranking(case: Case) -> Times:
    return dict(case.ranked)


@allocator(
    "erk",
    "Erdős–Rényi kernel",
    "Wide layers lose more than narrow ones, by their shapes alone: what is kept of a group is proportional to the sum "
    "of its layers' dimensions over their product, at most all.",
    paper="Evci et al., ICML 2020",
    needs=("shapes",),
)
def erk(case: Case) -> Times:
    """Density ``ε·Σ(c_out + c_in + k_h + k_w) / Σ c_out·c_in·k_h·k_w`` over the layers that make the group's channels.

    A group at density 1 is whole and ε grows for the others, so units leave in the order in which a falling ε
    reaches them.
    """
    times = {}
    for name, scores in case.ranked.items():
        group = case.structure.groups[name]
        made = [case.shapes[member.tensor] for member in group.of_role("producer")]
        made = [shape for shape in made if len(shape) > 1] or [(group.size, 1)]
        density = sum(map(sum, made)) / sum(float(np.prod(shape)) for shape in made)
        times[name] = (_middles(len(scores)) - 1) / density
    return times


@allocator(
    "lamp",
    "LAMP",
    "A unit counts by its share of what is left of its group once all lower ones are gone, so that all groups stand on "
    "one scale without a normaliser, and each one's best unit comes last.",
    paper="Lee et al., ICLR 2021",
)
def lamp(case: Case) -> Times:
    """``s_k² / Σ_{j ≥ k} s_j²`` of scores in ascending order; scores below zero count as zero."""
    times = {}
    for name, scores in case.ranked.items():
        largest = scores.max(initial=0.0)
        squares = np.square(np.maximum(scores, 0.0) / largest) if largest > 0 else np.ones(len(scores))
        times[name] = lamp_scores(squares)
    return times


@allocator(
    "isomorphic",
    "Isomorphic groups",
    "Units are ranked only against those of groups that are built alike, and every such class loses the same fraction: "
    "heads are not weighed against channels, nor blocks against the stream between them.",
    paper="Fang et al., ECCV 2024",
)
def isomorphic(case: Case) -> Times:
    """The rank of each unit within its class, from 0 to 1."""
    classes: dict[object, list[str]] = defaultdict(list)
    for name in case.ranked:
        classes[_topology(case.structure.groups[name])].append(name)
    times = {}
    for names in classes.values():
        scores = np.concatenate([case.ranked[name] for name in names])
        places = np.empty(len(scores))
        places[np.argsort(scores, kind="stable")] = _middles(len(scores))
        bounds = np.cumsum([len(case.ranked[name]) for name in names])[:-1]
        times.update(zip(names, np.split(places, bounds), strict=True))
    return times


@allocator(
    "sensitivity",
    "Measured sensitivity",
    "Units leave where the measured loss of accuracy is least for what they save: each group's curve, made convex, "
    "against its true cost, which is priced anew as its neighbours become narrower.",
    needs=("curves", "target"),
)
def sensitivity(case: Case) -> np.ndarray:
    """``argmin_n Δ_g(n) + λ·cost_g(n)`` for every group, with the λ that meets the target.

    For convex Δ and a price per unit that is the order of slope over price, which is bisected on the true cost.
    """
    slopes = {name: case.curves.slopes(name, case.structure.full[name]) for name in case.ranked}
    return _settled(case, lambda prices: {n: slopes[n] / price for n, price in zip(case.ranked, prices, strict=True)})


@allocator(
    "knapsack",
    "Knapsack",
    "Of all ways to meet the target, the one that gives up the least score: a dynamic programme over how many units "
    "each group loses and what that saves, priced anew as neighbours become narrower. For a latency target the savings "
    "are the measured ones.",
    paper="Aflalo et al., 2020; Shen et al. (HALP), NeurIPS 2022",
    needs=("target",),
)
def knapsack(case: Case) -> np.ndarray:
    return _packed(case, case.limits.weight)


@allocator(
    "halp",
    "Latency per score",
    "The knapsack with the measured latency as weight, whatever the target: units leave where they save the most time "
    "on this device for the score they have, so widths settle on the stairs of its latency.",
    paper="Shen et al. (HALP), NeurIPS 2022",
    needs=("latency", "target"),
)
def halp(case: Case) -> np.ndarray:
    return _packed(case, case.limits.latency)


def _middles(count: int) -> np.ndarray:
    return (np.arange(count) + 0.5) / count


def _topology(group: Group) -> object:
    """What two groups have in common that are built alike: the kind, and how often each sort of tensor takes part."""
    sorts: dict[tuple[str, str, int], int] = defaultdict(int)
    for member in group.members:
        sorts[member.role, member.tensor.rpartition(".")[2], member.axis] += 1
    return group.kind, tuple(sorted(sorts.items()))


def _settled(case: Case, times: Callable[[np.ndarray], Times]) -> np.ndarray:
    """The units that leave at prices which belong to the widths that they lead to, as near as a few rounds come."""
    removed, prices = np.zeros_like(case.most), None
    for _ in range(ROUNDS):
        found = case.limits.prices(removed, case.most)
        prices = found if prices is None else (prices + found) / 2  # else two groups take turns in being cheap
        removed = nearest_prefix(departures(times(prices), case), len(case.most), case.limits.load, 1.0)
    return removed


def _packed(case: Case, weight: Callable[[np.ndarray], float]) -> np.ndarray:
    """The knapsack's counts: of a few rounds those that meet the limits and lose the least."""
    losses = [np.concatenate([[0.0], np.cumsum(s - min(s.min(initial=0.0), 0.0))]) for s in case.ranked.values()]
    losses = [loss[: n + 1] for loss, n in zip(losses, case.most, strict=True)]

    def lost(removed: np.ndarray) -> float:
        return sum(loss[n] for loss, n in zip(losses, removed, strict=True))

    removed, best = np.zeros_like(case.most), case.most
    for _ in range(ROUNDS):
        savings = [case.limits.savings(removed, index, n, weight) for index, n in enumerate(case.most)]
        before, removed = removed, cheapest_choices(losses, savings, case.limits.load)
        best = min(best, removed, key=lambda counts: (case.limits.load(counts) > 1 + NEAR, lost(counts)))
        if (removed == before).all():
            break
    return best
