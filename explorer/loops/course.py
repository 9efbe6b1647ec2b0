"""The way from a whole network to its targets: at which calls it is cut, and how far each cut goes."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from explorer.api import Problem
from explorer.budget import Meter, Target, feasible
from explorer.budget.allocation import TOLERANCE, most_removable
from explorer.criteria import Scores
from explorer.errors import ExplorerError, unknown
from explorer.evaluation.size import size_model
from explorer.loops.growth import GROWTHS
from explorer.pruning import Plan
from explorer.structure import Cost


@dataclass(frozen=True)
class LoopCut:
    """One cut in the course of training.

    Args:
        call: of `Schedule.step`, counted from 1.
        plan: what left, in units of the network as it was just before.
        cost: what is left.
    """

    call: int
    plan: Plan
    cost: Cost

    def to_json(self) -> dict[str, Any]:
        """Plain JSON types."""
        return {"call": self.call, "plan": self.plan.to_json(), "cost": asdict(self.cost)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "LoopCut":
        """The same, read again."""
        return cls(data["call"], Plan.from_json(data["plan"]), Cost(**data["cost"]))


def moments(start: int, end: int, every: int) -> tuple[int, ...]:
    """The calls at which the network is cut: every `every`-th one after `start`, and `end`.

    Raises:
        ExplorerError: they are no such numbers.
    """
    if not (0 <= start < end and every >= 1):
        raise ExplorerError(
            f"no cut lies between call {start} and call {end} at every {every}: give 0 <= start < end, and every >= 1"
        )
    return (*range(start + every, end, every), end)


@dataclass(frozen=True)
class Sharing:
    """How each cut is shared out among the groups; see `Schedule`."""

    allocate: str
    normalise: str
    minimum: float
    locked: Collection[str]
    round_to: int


class Course:
    """The cuts of a problem's network that lead to `targets`, in so many `calls`.

    Args:
        start: the call after which it begins.
        growth: a name in `GROWTHS`.

    Raises:
        ExplorerError: an unknown growth or group, nothing that could be cut, or a target out of reach.
    """

    def __init__(
        self,
        problem: Problem,
        targets: tuple[Target, ...],
        calls: tuple[int, ...],
        start: int,
        growth: str,
        sharing: Sharing,
    ) -> None:
        if growth not in GROWTHS:
            raise unknown("growth", growth, GROWTHS)
        structure = problem.structure
        if not structure.groups:
            raise ExplorerError(f"{problem.name} has no group of channels that can be cut: inspect it to see why")
        self.calls, self._start = calls, start
        self._problem, self._targets, self._sharing = problem, targets, sharing
        meter, minimum = self._meter(), sharing.minimum
        for reach in feasible(structure, targets, minimum, sharing.locked, meter=meter, round_to=sharing.round_to):
            if not reach.feasible:
                raise ExplorerError(f"{reach}: keep more, or lower the minimum of every group")
        self._floors = {
            name: units - most_removable(structure, name, minimum) for name, units in structure.full.items()
        }
        way = [self.share(call) for call in calls]
        self._goals: dict[str, list[float]] = {}
        for target in targets:
            whole = meter(target.kind, {})
            shares = GROWTHS[growth](min(1.0, target.goal(whole) / whole), way)
            self._goals[target.kind] = [share * whole for share in shares]

    def share(self, call: int) -> float:
        """How far a call lies on the way from the start to the last cut, 0 … 1."""
        return min(1.0, max(0.0, (call - self._start) / (self.calls[-1] - self._start)))

    def plan(self, number: int, scores: Callable[[], Scores]) -> Plan | None:
        """What leaves in the cut `number`, in units of the network as it is; None: no whole unit does.

        Args:
            scores: gives those of the network as it is; asked only if something is to leave.
        """
        meter = self._meter()
        keep: dict[str, float | str] = {}
        beyond = False
        for target in self._targets:
            now, goal = meter(target.kind, {}), self._goals[target.kind][number]
            beyond |= now > goal
            limit = Target(target.kind, amount=goal) if target.keep is None else Target(target.kind, min(1, goal / now))
            keep[target.kind] = limit.value
        if not beyond:
            return None
        found = scores()
        plan = self._shared(found, keep)
        if number == len(self.calls) - 1 and (coarse := self._coarse(meter, plan)):
            finer = self._shared(found, keep, coarse)
            plan = min(plan, finer, key=lambda each: abs(self._off(meter, each)))
        return None if plan.empty else plan

    def _shared(self, scores: Scores, keep: Mapping[str, float | str], further: Collection[str] = ()) -> Plan:
        """The cut that `keep` asks for; `further` groups stay as they are."""
        sharing = self._sharing
        return self._problem.plan(
            scores,
            keep=keep,
            allocate=sharing.allocate,
            normalise=sharing.normalise,
            minimum=self._floors,
            locked={*sharing.locked, *further},
            round_to=sharing.round_to,
        )

    def _off(self, meter: Meter, plan: Plan, target: Target | None = None) -> float:
        """By how much of it a target, by default the first, is missed after a plan; below it: less than 0."""
        target = target or self._targets[0]
        goal = self._goals[target.kind][-1]
        return meter(target.kind, plan.kept(meter.structure)) / goal - 1

    def _coarse(self, meter: Meter, plan: Plan) -> set[str]:
        """Where a plan misses the only target by more than 1 %: the groups without which it could be met better.

        Units that save s can be counted so that the miss is s/2 at most; none where no group has small enough ones.
        """
        target, structure = self._targets[0], meter.structure
        off = abs(self._off(meter, plan))
        if len(self._targets) > 1 or target.keep is None or off <= TOLERANCE:
            return set()
        missed, now = off * self._goals[target.kind][-1], meter(target.kind, {})
        saved = {name: now - meter(target.kind, {name: units - 1}) for name, units in structure.full.items()}
        coarse = {name for name, amount in saved.items() if amount >= 2 * missed}
        return coarse if coarse < structure.full.keys() - set(self._sharing.locked) else set()

    def missed(self) -> str | None:
        """After the last cut: by how much a target is missed, if it is by more than 1 %."""
        meter, nothing = self._meter(), Plan(self._problem.name)
        for target in self._targets:
            off = self._off(meter, nothing, target)
            limit = target.keep is None or len(self._targets) > 1
            if (off if limit else abs(off)) > TOLERANCE:
                now, goal = meter(target.kind, {}), self._goals[target.kind][-1]
                return (
                    f"{target} is not met, the network keeps {target.kind}={now:,.0f} where {goal:,.0f} was asked for: "
                    "single units, or multiples of round_to, are too large to come nearer"
                )
        return None

    def _meter(self) -> Meter:
        module, structure = self._problem.module, self._problem.structure
        sized = any(target.kind == "size" for target in self._targets)
        return Meter(structure, size_model(module, structure) if sized else None)
