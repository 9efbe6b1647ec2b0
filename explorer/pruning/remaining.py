"""What a cut leaves: the structure of the cut model, and the way back from its units to the original ones."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from explorer.pruning.plan import Plan
from explorer.structure import Structure, leaving, without
from explorer.structure.types import Group, Lookup, Member, Norm


def remaining(structure: Structure, plan: Plan) -> Structure:
    """The structure of ``cut(module, structure, plan).module``, derived from the whole one.

    Groups keep their names and their order, also those of which one unit is left, which no trace could tell from an
    axis without channels. Unit k of a group is the k-th of its units that the plan leaves; costs are exact. What lies
    inside blocks that the plan takes out is removed; channels that only these tied together stay one group.

    Raises:
        ExplorerError: the plan does not fit the structure.
    """
    plan.check(structure)
    structure = without(structure, plan.blocks)
    removed = leaving(structure, {name: units for name, units in plan.remove.items() if name in structure.groups})
    numbers = {name: _numbers(group, plan.remove.get(name, ())) for name, group in structure.groups.items()}
    norms = _leaving_places(
        [(norm.place, name, norm) for name, g in structure.groups.items() for norm in g.norms], numbers
    )
    lookups = _leaving_places(
        [(lk.tensor, name, lk) for name, g in structure.groups.items() for lk in g.lookups], numbers
    )

    def narrowed(name: str, group: Group) -> Group:
        number = numbers[name]
        members = _narrowed(group.members, removed, number)
        read = next((place for place, member in enumerate(group.members) if member.role == "consumer"), 0)
        before, after = (int((each[read].units >= 0).sum()) for each in (group.members, members))
        size = group.size * after // before
        return replace(
            group,
            size=size,
            unit=size // (group.units - len(plan.remove.get(name, ()))),
            members=members,
            unsaved=_narrowed(group.unsaved, removed, number),
            norms=tuple(replace(norm, units=number[norm.units[~norms[norm.place]]]) for norm in group.norms),
            lookups=tuple(replace(lk, units=number[lk.units[~lookups[lk.tensor]]]) for lk in group.lookups),
            given=tuple(replace(each, units=number[each.units]) for each in group.given),
        )

    return replace(structure, groups={name: narrowed(name, group) for name, group in structure.groups.items()})


def in_original(structure: Structure, done: Plan, further: Plan) -> Plan:
    """One plan for two cuts: `done` of the whole model, then `further` in the units of what remained.

    Raises:
        ExplorerError: the plans are for different models.
    """
    remove = {}
    for name, units in further.remove.items():
        left = np.setdiff1d(np.arange(structure.groups[name].units), done.remove.get(name, ()))
        remove[name] = tuple(left[list(units)].tolist())
    return done.merge(Plan(further.base, remove, further.blocks))


def _numbers(group: Group, removed: tuple[int, ...]) -> np.ndarray:
    """The new number of every unit, −1 for those that leave, with one entry more that answers for −1."""
    stays = np.ones(group.units, dtype=bool)
    stays[list(removed)] = False
    return np.append(np.where(stays, np.cumsum(stays) - 1, -1), -1).astype(np.int32)


def _narrowed(
    members: Sequence[Member], removed: Mapping[str, Mapping[int, np.ndarray]], number: np.ndarray
) -> tuple[Member, ...]:
    """What is left of members, by the new numbers of their units."""
    narrowed = []
    for member in members:
        out = removed.get(member.tensor, {}).get(member.axis)
        units = member.units if out is None else member.units[~out]
        narrowed.append(replace(member, units=number[units]))
    return tuple(narrowed)


def _leaving_places(
    entries: list[tuple[str, str, Norm | Lookup]], numbers: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Which places along an axis leave, for every key; several groups can share an axis."""
    out: dict[str, np.ndarray] = {}
    for key, name, entry in entries:
        lost = (entry.units >= 0) & (numbers[name][entry.units] < 0)
        out[key] = out.get(key, False) | lost
    return out
