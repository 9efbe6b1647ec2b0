"""United channels as numbered units, and units that touch the same tensors as numbered groups."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from explorer.structure.heads import OUTSIDE
from explorer.structure.labels import Ids
from explorer.structure.ledger import Ledger


@dataclass
class Units:
    """What leaves together.

    Args:
        of: the unit of every channel id.
        group: the group of every unit, −1 where it can't leave.
        rank: the place of every unit in its group.
        sizes: how many units every group has.
    """

    of: Ids
    group: np.ndarray
    rank: np.ndarray
    sizes: list[int]

    def groups_of(self, ids: list[Ids]) -> set[int]:
        """The groups that channels belong to."""
        met = {int(group) for each in ids for group in np.unique(self.group[self.of[each]])}
        return met - {OUTSIDE}

    def parts(self, owners: Ids) -> list[tuple[int, np.ndarray]]:
        """For every group on an axis: which of its units each place belongs to, −1 where to none."""
        unit = np.where(owners >= 0, self.of[owners], 0)
        group = np.where(owners >= 0, self.group[unit], OUTSIDE)
        rank = self.rank[unit].astype(np.int32)
        return [(int(g), np.where(group == g, rank, OUTSIDE)) for g in np.unique(group) if g != OUTSIDE]


def frozen_units(ledger: Ledger, unit_of: Ids, refused: Mapping[str, str]) -> dict[int, str]:
    """Units that can't leave, with the reason met first; of refused tensors those that no other tensor makes, too."""
    made, spared = (np.zeros(unit_of.max(initial=-1) + 1, dtype=bool) for _ in range(2))
    for producer in ledger.makers():
        made[unit_of[producer.run]] = True
        spared[unit_of[producer.run]] |= producer.tensor not in refused
    frozen: dict[int, str] = dict.fromkeys(np.flatnonzero(~made).tolist(), "no layer produces these channels")
    for ids, reason in ledger.frozen[::-1]:  # of several, the one met first stays
        frozen.update(dict.fromkeys(np.unique(unit_of[ids]).tolist(), reason))
    for (tensor, _), ids in ledger.rows.items():
        if tensor in refused:
            units = np.unique(unit_of[ids])
            frozen.update(dict.fromkeys(units[~spared[units]].tolist(), refused[tensor]))
    return frozen


def grouped(ledger: Ledger, unit_of: Ids, frozen: Collection[int]) -> Units:
    """Units that touch the same axes of the same tensors equally often form a group."""
    total = unit_of.max(initial=-1) + 1
    signature = _signatures(list(ledger.axes.values()), unit_of, total)
    first = np.full(total, np.iinfo(np.int64).max)
    np.minimum.at(first, unit_of, np.arange(len(unit_of)))
    free = np.setdiff1d(np.arange(total), np.fromiter(frozen, dtype=np.int64, count=len(frozen)))
    free = free[np.argsort(first[free])]
    group, rank = np.full(total, OUTSIDE), np.full(total, OUTSIDE)
    _, inverse = np.unique(signature[free], return_inverse=True)
    sizes: list[int] = []
    for key in dict.fromkeys(inverse.tolist()):
        members = free[inverse == key]
        group[members], rank[members] = len(sizes), np.arange(len(members))
        sizes.append(len(members))
    return Units(unit_of, group, rank, sizes)


def _signatures(axes: list[Ids], unit_of: Ids, total: int) -> np.ndarray:
    """For every unit the sum of a hash for each axis that it touches and how often: all axes are counted at once."""
    numbers: dict[bytes, int] = {}  # norms have many axes of the same channels
    which = [numbers.setdefault(owners.tobytes(), len(numbers)) for owners in axes]
    different = list(dict(zip(which, axes, strict=True)).values())
    owners = np.concatenate([np.zeros(0, dtype=np.int64), *different])
    row = np.repeat(np.arange(len(different)), [len(each) for each in different])
    met, counts = np.unique((row * total + unit_of[owners])[owners >= 0], return_counts=True)
    bounds = np.searchsorted(met, np.arange(len(different) + 1) * total)
    places = [np.arange(bounds[number], bounds[number + 1]) for number in which]
    position = np.repeat(np.arange(1, len(axes) + 1), [len(each) for each in places]).astype(np.uint64)
    place = np.concatenate([np.zeros(0, dtype=np.int64), *places])
    signature = np.zeros(total, dtype=np.uint64)
    hashes = _mix(position * np.uint64(1 << 32) + counts[place].astype(np.uint64))
    np.add.at(signature, met[place] % max(total, 1), hashes)
    return signature


def _mix(values: np.ndarray) -> np.ndarray:
    """splitmix64, so that sums of hashes tell sets of (axis, count) apart."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))
