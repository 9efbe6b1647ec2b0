"""Sharing targets out among the groups so that the true cost meets them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, inf

import numpy as np

from explorer.budget.allocating import ALLOCATORS, Allocator, Case, departures, needed
from explorer.budget.curves import Curves
from explorer.budget.limits import Limits, Meter
from explorer.budget.normalising import NORMALISERS, Normaliser
from explorer.budget.rounding import uneven, unit_steps
from explorer.budget.search import levels, refine, rounded
from explorer.budget.target import Budget, Target, amount
from explorer.criteria.tools.scoring import Scores
from explorer.errors import ExplorerError, unknown
from explorer.structure.types import Structure

MINIMUM = 0.1
TOLERANCE = 0.01


@dataclass(frozen=True)
class Reach:
    """How far one target can be met, in the unit of its quantity.

    Args:
        target: what is asked for.
        lowest: the least that can be left.
        whole: what the whole model has.
        goal: what may be left.
    """

    target: Target
    lowest: float
    whole: float
    goal: float

    @property
    def feasible(self) -> bool:
        return self.lowest <= self.goal * (1 + TOLERANCE)

    def __str__(self) -> str:
        kind = self.target.kind
        lowest, whole = (f"{amount(kind, value)} ({value / self.whole:.1%})" for value in (self.lowest, self.whole))
        answer = "can be met" if self.feasible else "can't be met"
        return f"{self.target} {answer}: from {lowest} to {whole} is in reach"


@dataclass(frozen=True)
class Step:
    """What to remove next: some more units of one group.

    Args:
        group: that loses them.
        units: how many.
        saves: what that saves of every target's quantity.
        score: the normalised score that they have.
        drop: how far the group's curve falls for them; None where it was not measured.
    """

    group: str
    units: int
    saves: dict[str, float]
    score: float
    drop: float | None


@dataclass(frozen=True)
class Allocation:
    """Which units of the original model to remove, and what that comes to.

    Args:
        remove: the units that leave, by group; only of groups that lose any.
        budget: the true fraction of every group, 0 for those that stay whole.
        achieved: the fraction kept of what the target is about; of several targets, of the one that binds.
        warnings: sentences for a person.
        costs: what is left of every target's quantity.
        reach: of every target, what was in reach.
        binding: the kinds of the targets that nothing more could be kept under.
        next_step: tells what to remove next; None where nothing is left.
    """

    remove: dict[str, tuple[int, ...]]
    budget: Budget
    achieved: float
    warnings: tuple[str, ...]
    costs: dict[str, float] = field(default_factory=dict)
    reach: tuple[Reach, ...] = ()
    binding: tuple[str, ...] = ()
    next_step: Callable[[], Step | None] = field(default=lambda: None, repr=False, compare=False)


def allocate(
    name: str,
    structure: Structure,
    scores: Scores,
    target: Target | Sequence[Target],
    *,
    normalise: str = "mean",
    minimum: float | Mapping[str, float] = MINIMUM,
    locked: Collection[str] | Mapping[str, int] = (),
    meter: Meter | None = None,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    curves: Curves | None = None,
    round_to: int = 1,
) -> Allocation:
    """Removes the lowest scored units, shared among the groups by the allocator `name`, until every target is met.

    The cost comes within 1 % of a fraction (relative), or as near as whole units allow, which `warnings` then says.
    Amounts, and each of several targets, are limits: the one that binds is met from below. Groups without scores stay
    whole.

    Args:
        name: of the allocator.
        structure: of the model.
        scores: of its units, higher = keep.
        target: what is to be kept, or several of these.
        normalise: the normaliser that scores of different groups are compared by.
        minimum: what every group keeps: below 1 a fraction of its units and at least one, else a number of units; of a
            mapping, what each does, and one unit where it is not named.
        locked: the groups that stay whole; of a mapping, those that lose so many units.
        meter: knows size and latency, where a target or the allocator is about them.
        shapes: of the model's tensors, where the allocator needs them.
        curves: measured sensitivity, where the allocator needs it.
        round_to: every width that changes becomes a multiple of this, products of heads and places in heads too; where
            that can't be, `warnings` says of which layer, and why.

    Raises:
        ExplorerError: an unknown allocator, normaliser or group, an impossible minimum, scores of another model, or
            something is missing that the allocator or a target needs.
    """
    allocator, normaliser = ALLOCATORS.get(name), NORMALISERS.get(normalise)
    if round_to < 1:
        raise ExplorerError(f"widths can't be rounded to multiples of {round_to}: give 8, 16 or 32, or 1 for none")
    targets = (target,) if isinstance(target, Target) else tuple(target)
    held = dict(locked) if isinstance(locked, Mapping) else dict.fromkeys(locked, 0)
    _check(structure, scores, held)
    _check_targets(targets)
    strict = len(targets) > 1 or targets[0].amount is not None
    near = TOLERANCE / 2 if strict else TOLERANCE
    free = [group for group in structure.groups if group in scores.groups and group not in held]
    limits = Limits(meter or Meter(structure), targets, free, held, margin=near if strict else 0.0)
    steps = unit_steps(structure, free, round_to, held)
    most = _furthest(limits, structure, free, minimum, steps)
    ranked = {group: np.sort(normaliser(scores.groups[group])) for group in free}
    case = Case(structure, ranked, most, shapes, curves, limits)
    allocator.check(case)
    removed, lowest = _met(allocator, case, limits, near, steps), limits.costs(most)
    counts = {**held, **dict(zip(free, removed.tolist(), strict=True))}
    costs = limits.costs(removed)
    reach = _reach(targets, lowest, limits)
    tightest = int(np.argmax(costs / limits.goals))
    remove = {group: lowest_scored(scores.groups[group], n) for group, n in counts.items() if n}
    return Allocation(
        remove,
        {group: counts.get(group, 0) / units for group, units in structure.full.items()},
        float(costs[tightest] / limits.whole[tightest]),
        (
            *_shortfall(reach, costs, counts, round_to),
            *_left_alone(structure, scores, held),
            *uneven(structure, remove, round_to),
        ),
        dict(zip(limits.kinds, costs.tolist(), strict=True)),
        reach,
        tuple(
            kind
            for kind, cost, goal in zip(limits.kinds, costs, limits.goals, strict=True)
            if abs(cost / goal - 1) <= 2 * TOLERANCE
        ),
        lambda: _next_step(case, limits, removed, steps),
    )


def feasible(
    structure: Structure,
    targets: Sequence[Target],
    minimum: float | Mapping[str, float] = MINIMUM,
    locked: Collection[str] | Mapping[str, int] = (),
    *,
    meter: Meter | None = None,
    round_to: int = 1,
) -> tuple[Reach, ...]:
    """What of each target is in reach, before anything is scored: all of them together, or none, can be met.

    Together, since less of a group never costs more params, MACs or bytes; latency is taken at the widths at which
    each group is fastest.

    Args:
        structure: of the model.
        targets: what is to be kept.
        minimum: what every group keeps, as in `allocate`.
        locked: the groups that stay whole; of a mapping, those that lose so many units.
        meter: knows size and latency, where a target is about them.
        round_to: widths that change become multiples of this, see `allocate`.

    Raises:
        ExplorerError: an unknown group, an impossible minimum, or a meter that does not know a target's quantity.
    """
    _check_names(locked, structure)
    _check_targets(targets)
    free = [group for group in structure.groups if group not in locked]
    held = dict(locked) if isinstance(locked, Mapping) else {}
    limits = Limits(meter or Meter(structure), targets, free, held)
    steps = unit_steps(structure, free, round_to, held)
    lowest = limits.costs(_furthest(limits, structure, free, minimum, steps))
    return _reach(targets, lowest, limits)


def most_removable(structure: Structure, group: str, minimum: float) -> int:
    """How many units a group can lose and still keep `minimum`.

    Raises:
        ExplorerError: the minimum is negative, or a number of units that isn't whole.
    """
    if not 0 <= minimum < inf or (minimum >= 1 and minimum % 1):
        raise ExplorerError(
            f"a minimum of {minimum:g} can't be kept: give a fraction below 1, such as 0.1, or a whole number of units"
        )
    units = structure.full[group]
    floor = ceil(minimum * units - 1e-9) if minimum < 1 else int(minimum)
    return max(0, units - max(structure.groups[group].least, floor))


def lowest_scored(scores: np.ndarray, count: int) -> tuple[int, ...]:
    """The indices of the `count` lowest scores, ascending; of equal scores the first go."""
    return tuple(sorted(np.argsort(scores, kind="stable")[:count].tolist()))


def removal_order(
    allocator: Allocator,
    normaliser: Normaliser,
    structure: Structure,
    scores: dict[str, np.ndarray],
    most: np.ndarray,
) -> np.ndarray:
    """The index of the group that loses a unit, for every removal from the first to the last possible one.

    Args:
        allocator: that has an order of its own.
        normaliser: by which scores of different groups are compared.
        structure: of the model.
        scores: of the units of every group that may lose some, (units,).
        most: how many units each of these groups may lose, (groups,).

    Raises:
        ExplorerError: the allocator has no order of its own, since it needs a target, or needs shapes.
    """
    case = Case(structure, {name: np.sort(normaliser(values)) for name, values in scores.items()}, most)
    if allocator.order is None:
        orders = [name for name, each in ALLOCATORS.items() if each.order is not None]
        raise ExplorerError(f"allocation {allocator.name!r} can't go in steps: use {', '.join(orders)}")
    allocator.check(case)
    return departures(allocator.order(case), case)


def _met(allocator: Allocator, case: Case, limits: Limits, near: float, steps: Mapping[str, int]) -> np.ndarray:
    """Units that each free group loses, (groups,): the allocator's, moved a little where that comes nearer."""
    most = case.most
    if limits.load(most) >= 1:
        return most
    if limits.load(np.zeros_like(most)) <= 1:
        return np.zeros_like(most)
    removed = allocator.removed(case)
    step = np.array([steps[name] for name in case.ranked])
    if (step == 1).all():
        return refine(removed, most, limits.load, 1.0, near)
    full = np.array([case.structure.full[name] for name in case.ranked])
    return refine(rounded(removed, most, step, full), most, limits.load, 1.0, near, step=step, full=full)


def _reach(targets: Sequence[Target], lowest: np.ndarray, limits: Limits) -> tuple[Reach, ...]:
    bounds = zip(targets, lowest.tolist(), limits.whole.tolist(), strict=True)
    return tuple(Reach(target, low, whole, target.goal(whole)) for target, low, whole in bounds)


def _furthest(
    limits: Limits,
    structure: Structure,
    free: Sequence[str],
    minimum: float | Mapping[str, float],
    steps: Mapping[str, int],
) -> np.ndarray:
    """The most units that each free group can lose, (groups,); for latency no more than makes it faster."""
    most, fastest = [], []
    for name in free:
        units, step = structure.full[name], steps[name]
        least = minimum.get(name, 1) if isinstance(minimum, Mapping) else minimum
        widths = units - levels(most_removable(structure, name, least), step, units)[::-1]
        most.append(units - widths[0])
        if "latency" in limits.kinds:
            fastest.append(units - needed(limits.meter.latency, "measured times").fastest(name, widths.tolist()))
    furthest = np.array(most, dtype=int)
    if not fastest or (limits.load(furthest) <= 1 and len(limits.kinds) > 1):
        return furthest
    return np.array(fastest, dtype=int)


def _next_step(case: Case, limits: Limits, removed: np.ndarray, steps: Mapping[str, int]) -> Step | None:
    """The single step that saves the most of the limits for the score that it gives up; None where none is left."""
    best = None
    now, weight = limits.costs(removed), limits.weight(removed)
    for index, (name, worth) in enumerate(case.ranked.items()):
        here, units = int(removed[index]), case.structure.full[name]
        there = next((n for n in levels(case.most[index], steps[name], units).tolist() if n > here), None)
        if there is None:
            continue
        further = removed.copy()
        further[index] = there
        score, gain = float(worth[here:there].sum()), weight - limits.weight(further)
        value = gain / score if score > 0 else inf if gain > 0 else 0.0
        if best is None or value > best[0]:
            saves = dict(zip(limits.kinds, (now - limits.costs(further)).tolist(), strict=True))
            curves = case.curves
            drop = None if curves is None else curves.drop(name, there) - curves.drop(name, here)
            best = value, Step(name, there - here, saves, score, drop)
    return None if best is None else best[1]


def _check(structure: Structure, scores: Scores, held: Mapping[str, int]) -> None:
    _check_names(held, structure)
    _check_names(scores.groups, structure)
    for name, lost in held.items():
        if lost and not (name in scores.groups and 0 < lost < structure.full[name]):
            raise ExplorerError(
                f"group {name} can't be held at {lost} units lost: it has {structure.full[name]} units"
                f"{'' if name in scores.groups else f' and no {scores.criterion} scores'}"
            )
    for name, values in scores.groups.items():
        if values.shape != (structure.full[name],):
            raise ExplorerError(
                f"group {name} has {structure.full[name]} units but scores of shape {values.shape}: "
                "score this model again"
            )


def _check_names(names: Collection[str], structure: Structure) -> None:
    for name in names:
        if name not in structure.groups:
            raise unknown("group", name, structure.groups)


def _check_targets(targets: Sequence[Target]) -> None:
    kinds = [target.kind for target in targets]
    for kind in kinds:
        if kinds.count(kind) > 1:
            raise ExplorerError(f"{kind} has two targets: give one")
    if not targets:
        raise ExplorerError("there is no target: say what to keep, such as macs=0.5")


def _shortfall(reach: Sequence[Reach], costs: np.ndarray, counts: Mapping[str, int], round_to: int) -> list[str]:
    """What the allocation falls short of."""
    if not any(counts.values()) and all(each.goal >= each.whole for each in reach):
        return [f"nothing is removed: the {'target keeps' if len(reach) == 1 else 'targets keep'} everything"]
    sentences = []
    if not any(counts.values()):
        sentences.append("nothing is removed: no group can lose a unit without passing the target or its minimum")
    alone = len(reach) == 1 and reach[0].target.amount is None
    for each, cost in zip(reach, costs, strict=True):
        achieved, goal, kind = cost / each.whole, each.goal / each.whole, each.target.kind
        missed = achieved - goal if each.target.amount is None else max(achieved - goal, 0.0)
        if (abs(missed) if alone else missed) <= TOLERANCE * goal:
            continue
        if cost <= each.lowest:
            reason = f"{kind}={each.lowest / each.whole:.3g} is the least while every group keeps its minimum"
        elif round_to > 1:
            reason = f"multiples of {round_to} channels are too large to come nearer"
        else:
            reason = "single units are too large to come nearer"
        sentences.append(f"{each.target} is not met, the nearest feasible is {kind}={achieved:.3g}: {reason}")
    return sentences


def _left_alone(structure: Structure, scores: Scores, held: Mapping[str, int]) -> list[str]:
    unscored = [name for name in structure.groups if name not in scores.groups and name not in held]
    whole = [name for name in structure.groups if held.get(name) == 0]
    kept = [name for name in structure.groups if held.get(name)]
    sentences = [f"{_listed(whole)}: locked, left whole"] if whole else []
    sentences += [f"{_listed(kept)}: locked, left as cut before"] if kept else []
    if unscored:
        reason = scores.skipped.get(unscored[0], "it was not scored")
        sentences.append(f"{_listed(unscored)}: no {scores.criterion} score, left whole ({reason})")
    return sentences


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{'group' if len(names) == 1 else 'groups'} {', '.join(names[:4])}{more}"
