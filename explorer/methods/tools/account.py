"""The account of targets that were shared out: what they came to, and what was measured for them."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from explorer.budget import Allocation, Reach


@dataclass(frozen=True)
class Clocked:
    """The latency of the cut network, predicted and measured.

    Args:
        runtime: in which it was timed.
        batch: how many inputs at once.
        whole_ms: of the whole network.
        predicted_ms: of the allocation.
        measured_ms: of the same, really cut.
        tried: predicted and measured milliseconds of every allocation on the way.
    """

    runtime: str
    batch: int
    whole_ms: float
    predicted_ms: float
    measured_ms: float
    tried: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        tried = [{"predicted_ms": predicted, "measured_ms": measured} for predicted, measured in self.tried]
        return asdict(self) | {"tried": tried}


@dataclass(frozen=True)
class Effect:
    """The validation metric: of the whole network, by the sum of the groups' measured drops, and under the plan."""

    metric: str
    base: float
    predicted: float
    measured: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Account:
    """An allocation, and what is known about it.

    Args:
        allocate: the allocator's name.
        allocation: what it gave.
        clocked: where latency counts.
        effect: where curves of all groups are known.
    """

    allocate: str
    allocation: Allocation
    clocked: Clocked | None = None
    effect: Effect | None = None

    def to_json(self) -> dict[str, Any]:
        """``{allocate, reach, costs, binding, next, latency, effect}``.

        `reach` is ``[{target, kind, lowest, whole, goal, feasible}]`` and `costs` in parameters, MACs, bytes and
        milliseconds; `next` is ``{group, units, saves, score, drop}``. The last three may be None.
        """
        return {
            "allocate": self.allocate,
            **reached(self.allocation),
            "latency": None if self.clocked is None else self.clocked.to_json(),
            "effect": None if self.effect is None else self.effect.to_json(),
        }


@dataclass(frozen=True)
class BudgetStudy:
    """What a spec's targets come to on its model; `groups` as `explorer.methods.tools.steps.widths` tells them."""

    model: str
    account: Account
    groups: Sequence[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The account with `model`, `groups` ``[{name, size, kept}]`` in channels and `warnings`."""
        warnings = list(self.account.allocation.warnings)
        return {"model": self.model, **self.account.to_json(), "groups": list(self.groups), "warnings": warnings}


def reached(allocation: Allocation) -> dict[str, Any]:
    """``{reach, costs, binding, next}`` of an allocation, see `Account`."""
    step = allocation.next_step()
    return {
        "reach": [_reach_json(each) for each in allocation.reach],
        "costs": allocation.costs,
        "binding": list(allocation.binding),
        "next": None if step is None else asdict(step),
    }


def _reach_json(reach: Reach) -> dict[str, Any]:
    return {
        "target": str(reach.target),
        "kind": reach.target.kind,
        "lowest": reach.lowest,
        "whole": reach.whole,
        "goal": reach.goal,
        "feasible": reach.feasible,
    }
