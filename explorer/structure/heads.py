"""The second axis of attention: the same place of every head as a group of its own.

A head's queries, keys and values are a rectangle, heads × places. Whole heads are the units of one group;
where the attention keeps the number of places in an attribute, the places are the units of another.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np
from torch import nn

from explorer.structure.labels import Ids
from explorer.structure.ledger import Ledger
from explorer.structure.types import Blocked, Group, Member

OUTSIDE = -1
COUNTERS = ("head_dim", "attention_head_size", "key_value_proj_dim")  # names under which modules keep a head's width


def counter(module: nn.Module, tensor: str, places: int) -> tuple[str, str] | None:
    """The module around a tensor, and the attribute, that keep the number of places in a head."""
    path = tensor
    while path:
        path = path.rpartition(".")[0]
        layer = module.get_submodule(path)
        for name in COUNTERS:
            if getattr(layer, name, None) == places:
                return path, name
    return None


def _first_reason(reasons: list[tuple[Ids, str]], grids: list[np.ndarray]) -> str:
    """The first reason that concerns a channel of these rectangles."""
    mine = np.concatenate([grid.ravel() for grid in grids])
    return next((reason for ids, reason in reasons if np.isin(ids, mine).any()), "")


class HeadDims:
    """The groups of places inside heads: `names`, and `widths` (how many places).

    Args:
        unit_of, group_of: the unit of every channel id, and the group of every unit (−1: it can't leave).
        group_names: names of these groups.
        refused: names of groups that turned out not to be cuttable, with the reason.
    """

    def __init__(
        self,
        ledger: Ledger,
        unit_of: Ids,
        group_of: np.ndarray,
        group_names: list[str],
        module: nn.Module,
        refused: Mapping[str, str],
    ) -> None:
        self._ledger, self._module = ledger, module
        self._dims = np.full(ledger.count, OUTSIDE)
        self._places = np.full(ledger.count, OUTSIDE)
        self.names: list[str] = []
        self.widths: list[int] = []
        self.blocked: list[Blocked] = []
        self._owners: list[tuple[str, str]] = []
        self._heads: list[str] = []
        self._blurred: list[str] = []
        for owner, grids in self._by_owner().items():
            name = ".".join(part for part in owner if part)
            groups = {int(g) for grid in grids for g in np.unique(group_of[unit_of[grid]])}
            if len(groups) != 1 or OUTSIDE in groups:
                continue
            if reason := refused.get(name) or _first_reason(ledger.fixed_places, grids):
                self.blocked.append(Blocked(name, grids[0].size, reason, places=True))
            elif self._number(grids):
                self.names.append(name)
                self.widths.append(grids[0].shape[1])
                self._owners.append(owner)
                self._heads.append(group_names[groups.pop()])
                self._blurred.append(_first_reason(ledger.blurred_places, grids))

    def _by_owner(self) -> dict[tuple[str, str], list[np.ndarray]]:
        """Rectangles (heads, places) of channels by the module and attribute that keep the number of places."""
        rectangles: dict[tuple[str, str], list[np.ndarray]] = defaultdict(list)
        for grid in self._ledger.heads:
            tensors = self._ledger.tensors_of(grid.ravel())
            owners = {counter(self._module, tensor, grid.shape[1]) for tensor in tensors}
            if len(owners) == 1 and (owner := owners.pop()) and grid.shape[1] > 1:
                rectangles[owner].append(grid)
        return rectangles

    def _number(self, grids: list[np.ndarray]) -> bool:
        """Write down the place of every channel; False, and nothing written, if one channel has two."""
        places = np.full(len(self._places), OUTSIDE)
        for grid in grids:
            columns = np.broadcast_to(np.arange(grid.shape[1]), grid.shape)
            known = places[grid]
            if ((known != OUTSIDE) & (known != columns)).any() or (self._dims[grid] != OUTSIDE).any():
                return False
            places[grid] = columns
        owned = places != OUTSIDE
        self._places[owned], self._dims[owned] = places[owned], len(self.names)
        return True

    def of(self, owners: Ids) -> np.ndarray:
        """For every entry of an axis the number of its group of places, −1 where the axis holds only whole heads."""
        inner = np.where(owners >= 0, self._dims[owners], OUTSIDE)
        for d in np.unique(inner[inner != OUTSIDE]).tolist():
            counts = np.bincount(self._places[owners[inner == d]], minlength=self.widths[d])
            if counts.min() != counts.max():  # one channel stands for its head
                inner[inner == d] = OUTSIDE
        return inner

    def groups_inside(self, heads: Group) -> list[Group]:
        """The groups of places of a group of heads."""
        return [self._group(d, heads) for d, name in enumerate(self._heads) if name == heads.name]

    def _members(self, d: int, whole: Iterable[Member]) -> tuple[Member, ...]:
        """The same axes of the same tensors, by places."""
        members = []
        for member in whole:
            owners = self._ledger.axes[member.tensor, member.axis]
            mine = self.of(owners) == d
            if mine.any():
                units = np.where(mine, self._places[owners], OUTSIDE).astype(np.int32)
                members.append(Member(member.tensor, member.axis, member.role, units))
        return tuple(members)

    def _group(self, d: int, heads: Group) -> Group:
        members, unsaved = self._members(d, heads.members), self._members(d, heads.unsaved)
        reading = [m for m in members if m.role == "consumer"] or members
        size = int((reading[0].units >= 0).sum())
        return Group(
            name=self.names[d],
            kind="head-dims",
            size=size,
            unit=size // self.widths[d],
            exact=heads.exact and not self._blurred[d],
            reason=heads.reason or self._blurred[d],
            why=f"Queries, keys and values in {self._owners[d][0] or 'the model'} give every head the same width, "
            "so the same place of every head leaves.",
            members=members,
            unsaved=unsaved,
            counters=(self._owners[d],),
            contracted=True,
        )
