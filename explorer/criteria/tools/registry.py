"""The registry of criteria."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.errors import unknown
from explorer.registry import Entry, Registry

NEEDS = frozenset({"inputs", "labels", "gradients", "batch norm"})


@dataclass(frozen=True, kw_only=True)
class Criterion(Entry):
    """How a unit's worth is found, and what finding it takes.

    `function(context, **settings)` returns for every group of `context.structure` either its scores, float64 of
    shape (units,), higher = keep, or a string: the reason why the group can't have any. `needs` is a subset of
    `NEEDS`; `cost` tells a person what `forwards` and `backwards` count.

    Args:
        forwards: passes over the calibration set, of criteria without inputs passes of a single input; for `estimate`.
        backwards: the same of backward passes.
        forwards_per_unit: added to `forwards` for every unit of the model.
    """

    forwards: float = 0.0
    backwards: float = 0.0
    forwards_per_unit: float = 0.0

    def __post_init__(self) -> None:
        if not self.needs <= NEEDS:
            raise ValueError(f"criterion {self.name!r} needs something that is not in {set(NEEDS)}")

    def read(self, given: Mapping[str, str]) -> dict[str, Any]:
        """All settings, which a person calls options; those not given at their defaults.

        Raises:
            ExplorerError: an option or its value is unknown.
        """
        for name in given:
            if name not in self.settings:
                raise unknown(f"option of criterion {self.name}", name, self.settings)
        return {
            name: setting.read(f"{self.name}'s option {name}", given[name]) if name in given else setting.default
            for name, setting in self.settings.items()
        }


CRITERIA: Registry[Criterion] = Registry("criterion", Criterion, decorator="criterion", package="explorer.criteria")
criterion = CRITERIA.register
