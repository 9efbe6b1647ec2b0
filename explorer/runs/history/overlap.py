"""Which units the plans of two runs both remove, against what chance would give."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from explorer.errors import ExplorerError
from explorer.runs.history.finished import Finished


@dataclass(frozen=True)
class Shared:
    """How many units two plans remove: both of them, or only the first or the second; of a group or of all."""

    name: str
    both: int
    first: int
    second: int


@dataclass(frozen=True)
class Difference:
    """Which units two plans for one model remove, in all and of each group.

    Args:
        runs: the names of the two.
        chance: what plans of these sizes that choose at random would reach on average of `overlap` (the ratio of the
            expected counts); None where neither removes anything.
    """

    runs: tuple[str, str]
    chance: float | None
    groups: tuple[Shared, ...]

    @property
    def both(self) -> int:
        return sum(group.both for group in self.groups)

    @property
    def first(self) -> int:
        return sum(group.first for group in self.groups)

    @property
    def second(self) -> int:
        return sum(group.second for group in self.groups)

    @property
    def overlap(self) -> float | None:
        """The Jaccard index of the removed units; None where there are none."""
        removed = self.both + self.first + self.second
        return self.both / removed if removed else None

    def to_json(self) -> dict[str, Any]:
        """``{runs: [name, name], both, first, second, overlap, chance, groups: [{name, both, first, second}]}``"""
        return {
            "runs": list(self.runs),
            **{key: getattr(self, key) for key in ("both", "first", "second", "overlap", "chance")},
            "groups": [asdict(group) for group in self.groups],
        }


def difference(first: Finished, second: Finished) -> Difference:
    """Which units two plans for one model remove: both of them, or only one.

    Raises:
        ExplorerError: the plans are for different models.
    """
    if first.plan.base != second.plan.base:
        raise ExplorerError(
            f"{first.name} cuts {first.plan.base} and {second.name} {second.plan.base}: compare plans of one model"
        )
    groups, removed, expected = [], 0, 0.0
    for name, units in _units((first, second)).items():
        a, b = (set(run.plan.remove.get(name, ())) for run in (first, second))
        groups.append(Shared(name, len(a & b), len(a - b), len(b - a)))
        removed += len(a) + len(b)
        expected += len(a) * len(b) / units
    chance = expected / (removed - expected) if removed else None
    return Difference((first.name, second.name), chance, tuple(groups))


def _units(runs: Iterable[Finished]) -> dict[str, int]:
    """How many units the groups have that any of the runs cut; a result counts channels, a plan units."""
    found: dict[str, int] = {}
    for run in runs:
        for group in run.result["groups"]:
            removed = len(run.plan.remove.get(group["name"], ()))
            if removed:
                found[group["name"]] = group["size"] * removed // (group["size"] - group["kept"])
    return found
