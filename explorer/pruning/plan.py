"""A plan: which units leave which group, and which residual blocks leave, in the coordinates of the original model."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explorer.errors import ExplorerError
from explorer.reading import parse_json
from explorer.structure import Cost, Structure, without
from explorer.structure.types import outermost


@dataclass(frozen=True)
class Plan:
    """Units to remove from every group of the model that `base` names, and residual blocks to take out of it.

    Indices count units (channels where a group's unit is 1), always of the original model, so two plans for one
    model can be merged in any order. A block that is taken out passes its first input on; one inside another that
    leaves need not be named. *Base weights + plan = pruned model.*
    """

    base: str
    remove: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    blocks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        tidy = {name: tuple(sorted({int(u) for u in units})) for name, units in self.remove.items()}
        object.__setattr__(self, "remove", {name: units for name, units in tidy.items() if units})
        object.__setattr__(self, "blocks", outermost(self.blocks))

    @property
    def empty(self) -> bool:
        return not self.remove and not self.blocks

    def check(self, structure: Structure) -> "Plan":
        """This plan, if it fits the structure.

        Raises:
            ExplorerError: an unknown group or block, a unit that the group does not have, or a group left with nothing.
        """
        for name in self.blocks:
            if name not in structure.blocks:
                raise ExplorerError(unknown_block(name, structure))
        for name, units in self.remove.items():
            group = structure.groups.get(name)
            if group is None:
                raise ExplorerError(unknown_group(name, structure))
            if units[0] < 0 or units[-1] >= group.units:
                raise ExplorerError(
                    f"the plan removes unit {units[-1]} of {name}, which has units 0 to {group.units - 1}: "
                    "is it a plan for another model?"
                )
            if len(units) == group.units:
                raise ExplorerError(
                    f"the plan removes all {group.units} units of {name}, which would cut the network in two: leave one"
                )
            if group.units - len(units) < group.least:
                raise ExplorerError(
                    f"the plan leaves {group.units - len(units)} of {group.units} experts of {name}, and every token "
                    f"is sent to {group.least} of them: leave at least so many"
                )
        return self

    def kept(self, structure: Structure) -> dict[str, int]:
        """How many units of every group remain; of a group that lives wholly inside blocks that leave, none."""
        left = without(structure, self.blocks).groups
        return {
            name: group.units - len(self.remove.get(name, ())) if name in left else 0
            for name, group in structure.groups.items()
        }

    def cost(self, structure: Structure) -> Cost:
        """What the pruned model costs, to the unit."""
        return structure.cost(self.kept(structure), self.blocks)

    def budget(self, structure: Structure) -> dict[str, float]:
        """The fraction of every group's units that the plan removes."""
        return {name: len(self.remove.get(name, ())) / group.units for name, group in structure.groups.items()}

    def merge(self, other: "Plan") -> "Plan":
        """The plan that removes what either removes.

        Raises:
            ExplorerError: the plans are for different models.
        """
        if self.base != other.base:
            raise ExplorerError(f"a plan for {self.base} and one for {other.base} can't be merged")
        names = dict.fromkeys([*self.remove, *other.remove])
        remove = {n: (*self.remove.get(n, ()), *other.remove.get(n, ())) for n in names}
        return Plan(self.base, remove, (*self.blocks, *other.blocks))

    def without(self, structure: Structure, blocks: Iterable[str]) -> "Plan":
        """This plan with these residual blocks taken out as well; units of groups that leave with them are not named.

        Raises:
            ExplorerError: the structure has no such block.
        """
        blocks = (*self.blocks, *blocks)
        for name in blocks:
            if name not in structure.blocks:
                raise ExplorerError(unknown_block(name, structure))
        left = without(structure, blocks).groups
        return Plan(self.base, {name: units for name, units in self.remove.items() if name in left}, blocks)

    def to_json(self) -> dict[str, Any]:
        plan = {"base": self.base, "remove": {name: list(units) for name, units in self.remove.items()}}
        return plan | {"blocks": list(self.blocks)} if self.blocks else plan

    @classmethod
    def from_json(cls, data: Any) -> "Plan":
        """A plan from parsed JSON, or from its text.

        Raises:
            ExplorerError: it is not a plan.
        """
        if isinstance(data, str | bytes):
            try:
                data = parse_json(data)
            except ValueError as error:
                raise ExplorerError(f'the plan is not JSON ({error}): it starts with {{"base": …}}') from None
        fits = (
            isinstance(data, dict)
            and isinstance(data.get("base"), str)
            and isinstance(data.get("remove"), dict)
            and all(isinstance(units, list) and all(type(u) is int for u in units) for units in data["remove"].values())
            and isinstance(data.get("blocks", []), list)
            and all(isinstance(block, str) for block in data.get("blocks", []))
        )
        if not fits:
            raise ExplorerError(
                'this is not a plan: expected {"base": model ref, "remove": {group: [unit, …]}, "blocks": [block, …]}'
            )
        return cls(data["base"], data["remove"], data.get("blocks", ()))


def plan_from_budget(
    structure: Structure, scores: Mapping[str, np.ndarray], budget: Mapping[str, float], base: str
) -> Plan:
    """The plan that removes the lowest scored units of each group, `budget` of them (rounded down).

    Of experts as many stay as a token is sent to.

    Args:
        scores: per group an array of shape (units,), higher = keep; ties go to the lower index.
        budget: fraction of each group's units to remove, in [0, 1).

    Raises:
        ExplorerError: a group is unknown or has no scores, or a fraction is outside [0, 1).
    """
    remove = {}
    for name, fraction in budget.items():
        if name not in structure.groups:
            raise ExplorerError(unknown_group(name, structure))
        if not 0 <= fraction < 1:
            raise ExplorerError(f"the ratio {fraction:g} for {name} is outside 0 to 1: 0.3 removes 30 % of its units")
        count = structure.groups[name].leaving(fraction)
        if count and name not in scores:
            raise ExplorerError(
                f"{name} has no scores, so nothing says which units to remove: choose another criterion"
            )
        if count:
            remove[name] = tuple(np.argsort(scores[name], kind="stable")[:count].tolist())
    return Plan(base, remove)


def unknown_group(name: str, structure: Structure) -> str:
    """One line for a group that does not exist: what is meant, or why that layer can't be cut."""
    for blocked in structure.blocked:
        if blocked.name == name:
            return f"{name} can't be cut: {blocked.reason}"
    for group in structure.groups.values():
        if any(member.tensor.rpartition(".")[0] == name for member in group.of_role("producer")):
            return f"{name} is not a group of its own: its channels belong to {group.name}"
    hint = _close(name, structure.groups) or "`inspect` lists the groups"
    return f"unknown group {name!r}: {hint}"


def unknown_block(name: str, structure: Structure) -> str:
    """One line for a residual block that does not exist."""
    hint = _close(name, structure.blocks) or f"the model has {', '.join(structure.blocks) or 'none'}"
    return f"{name!r} is no residual block that can be taken out: {hint}"


def _close(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
    return f"did you mean {', '.join(close)}?" if close else ""
