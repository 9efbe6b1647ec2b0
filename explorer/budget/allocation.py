"""Sharing a target out among the groups so that the true cost meets it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, inf

import numpy as np

from explorer.budget.allocators import ALLOCATORS, Allocator
from explorer.budget.normalisers import NORMALISERS, Normaliser
from explorer.budget.search import nearest_prefix, refine
from explorer.budget.target import Budget, Target
from explorer.criteria.scoring import Scores
from explorer.errors import ExplorerError, unknown
from explorer.structure.types import Structure

MINIMUM = 0.1
TOLERANCE = 0.01


@dataclass(frozen=True)
class Allocation:
    """Which units of the original model to remove, and what that comes to.

    `remove` names only the groups that lose units; `budget` has the true fraction of every group, 0 for those that
    stay whole. `achieved` is the fraction kept of what the target is about. `warnings` are sentences for a person.
    """

    remove: dict[str, tuple[int, ...]]
    budget: Budget
    achieved: float
    warnings: tuple[str, ...]


def allocate(
    name: str,
    structure: Structure,
    scores: Scores,
    target: Target,
    *,
    normalise: str = "mean",
    minimum: float = MINIMUM,
    locked: Collection[str] | Mapping[str, int] = (),
) -> Allocation:
    """Removes the lowest scored units, shared among the groups by the allocator `name`, until `target` is met.

    The cost comes within 1 % of the target (relative), or as near as whole units allow, which `warnings` then says.
    Every group keeps `minimum`: below 1 a fraction of its units and at least one, else a number of units. Groups
    without scores stay whole, and so do those that are `locked`, unless that is a mapping to the units they lose.

    Raises:
        ExplorerError: an unknown allocator, normaliser or group, an impossible minimum, scores of another model.
    """
    if name not in ALLOCATORS:
        raise unknown("allocation", name, ALLOCATORS)
    if normalise not in NORMALISERS:
        raise unknown("normaliser", normalise, NORMALISERS)
    held = dict(locked) if isinstance(locked, Mapping) else dict.fromkeys(locked, 0)
    _check(structure, scores, held)
    free = [group for group in structure.groups if group in scores.groups and group not in held]
    most = np.array([most_removable(structure, group, minimum) for group in free], dtype=int)
    owners = removal_order(
        ALLOCATORS[name], NORMALISERS[normalise], structure, {g: scores.groups[g] for g in free}, most
    )
    whole, goal = target.of(structure.cost()), target.keep * target.of(structure.cost())

    def cost(removed: np.ndarray) -> int:
        leaving = {**held, **dict(zip(free, removed.tolist(), strict=True))}
        return target.of(structure.cost({group: structure.full[group] - n for group, n in leaving.items()}))

    lowest = cost(most)
    removed = most if lowest >= goal else nearest_prefix(owners, len(free), cost, goal)
    if lowest < goal < whole:
        removed = refine(removed, most, cost, goal, TOLERANCE)
    counts = {**held, **dict(zip(free, removed.tolist(), strict=True))}
    achieved = cost(removed) / whole
    return Allocation(
        {group: lowest_scored(scores.groups[group], n) for group, n in counts.items() if n},
        {group: counts.get(group, 0) / units for group, units in structure.full.items()},
        achieved,
        (
            *_shortfall(target, achieved, lowest / whole, counts),
            *_left_alone(structure, scores, held),
        ),
    )


def reachable(
    structure: Structure, kind: str, minimum: float = MINIMUM, locked: Collection[str] = ()
) -> tuple[float, float]:
    """The smallest and the largest fraction of `kind` ("params" or "macs") that a target can ask for.

    Raises:
        ExplorerError: an unknown kind or group, an impossible minimum.
    """
    target = Target(kind, 1.0)
    _check_names(locked, structure)
    kept = {
        group: units - most_removable(structure, group, minimum)
        for group, units in structure.full.items()
        if group not in locked
    }
    return target.of(structure.cost(kept)) / target.of(structure.cost()), 1.0


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
    return max(0, units - max(1, floor))


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
    """The index of the group that loses a unit, for every removal from the first to the last possible one."""
    ranked = {name: np.sort(normaliser(values)) for name, values in scores.items()}
    times = allocator.function(structure, ranked)
    leaving = [np.stack([times[name][:n], ranked[name][:n]]) for name, n in zip(scores, most, strict=True)]
    time, worth = np.concatenate(leaving, axis=1) if leaving else np.empty((2, 0))
    return np.repeat(np.arange(len(most)), most)[np.lexsort((worth, time))]


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


def _shortfall(target: Target, achieved: float, lowest: float, counts: dict[str, int]) -> list[str]:
    """What the allocation falls short of."""
    if target.keep == 1:
        return ["nothing is removed: the target keeps everything"]
    sentences = []
    if not any(counts.values()):
        sentences.append("nothing is removed: no group can lose a unit without passing the target or its minimum")
    if abs(achieved - target.keep) > TOLERANCE * target.keep:
        if achieved <= lowest:
            reason = f"{target.kind}={lowest:.3g} is the least while every group keeps its minimum"
        else:
            reason = "single units are too large to come nearer"
        sentences.append(f"{target} is not met, the nearest feasible is {target.kind}={achieved:.3g}: {reason}")
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
