"""What is handed in for a mission, whether it may be, and the verdict on it, goal by goal, on the hidden data."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.export.layout import STEPS
from explorer.learning.missions.facts import TRAINED, Facts, Reached, Timed
from explorer.learning.missions.goal import Goal, Standing
from explorer.learning.missions.mission import TOOLS, Mission
from explorer.learning.missions.points import Point
from explorer.progress import Report, silent
from explorer.pruning import Plan
from explorer.runs.examining import Wanted
from explorer.runs.history.finished import Finished, read_finished
from explorer.runs.identity import folder_of
from explorer.runs.queue.question_kinds import QUESTIONS
from explorer.structure import Structure

_DEEPEST = 100  # generations of runs that are followed back


@dataclass(frozen=True)
class Entry:
    """What is handed in: a plan, or the network of a finished run.

    Args:
        plan: what leaves the mission's network; of a run, what left it in the run, which is not cut again.
        run: the run's ref; empty: the plan itself is handed in.
        criterion: that the plan's units were chosen by; empty where that is not known.
    """

    plan: Plan
    run: str = ""
    criterion: str = ""

    @property
    def id(self) -> str:
        """The same for two entries that are the same network."""
        document = self.run or {**self.plan.to_json(), "base": ""}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Verdict:
    """How a network stands to each goal of a mission on the hidden data.

    Args:
        mission: that it was handed in for.
        entry: what was handed in.
        facts: what it reaches and costs.
        goals: each with how it stands, in the mission's order.
        warnings: about the repair.
    """

    mission: Mission
    entry: Entry
    facts: Facts
    goals: tuple[tuple[Goal, Standing], ...]
    warnings: tuple[str, ...] = ()

    @property
    def met(self) -> int:
        """How many goals are met; one that what was handed in says nothing of is not."""
        return sum(standing.met is True for _, standing in self.goals)

    @property
    def done(self) -> bool:
        return self.met == len(self.goals)

    def point(self, state: str = "", looks: int = 0) -> Point:
        """The verdict as a point to be kept; see `Point` for the arguments."""
        facts, reached = self.facts, self.facts.reached()
        timed = next(iter(facts.timed.values()), None)
        return Point(
            entry=self.entry.id,
            met=self.met,
            goals=len(self.goals),
            stage=facts.end,
            macs=facts.macs or 0,
            params=facts.params or 0,
            size=facts.size or 0,
            metric=facts.metric,
            value=None if reached is None else reached.value,
            low=None if reached is None else reached.low,
            high=None if reached is None else reached.high,
            samples=0 if reached is None else reached.samples,
            latency=None if timed is None else timed.ratio,
            latency_low=None if timed is None else timed.low,
            latency_high=None if timed is None else timed.high,
            state=state,
            looks=looks,
        )

    def to_json(self) -> dict[str, Any]:
        """``{mission, title, done, met, goals: [{goal, says, met, text, note}], point, warnings}``."""
        goals = [
            {"goal": goal.to_json(), "says": goal.says(self.facts.metric), "met": standing.met}
            | {"text": standing.text, "note": standing.note}
            for goal, standing in self.goals
        ]
        return {
            "mission": self.mission.id,
            "title": self.mission.title,
            "done": self.done,
            "met": self.met,
            "goals": goals,
            "point": self.point().to_json(),
            "warnings": list(self.warnings),
        }


def entry_of_run(ref: str, mission: Mission) -> Entry:
    """A finished run, if the mission allows its kind.

    Raises:
        ExplorerError: the mission allows no training, the run began with another network or used other data, or there
            is no finished run.
    """
    if TRAINED not in mission.tools:
        raise ExplorerError(
            f"the mission {mission.title!r} allows no training: hand in the plan on the board instead of a run"
        )
    finished = read_finished(Path(folder_of(ref)))
    _check_origin(finished, mission)
    return Entry(finished.plan, run=ref, criterion=str(finished.spec.get("criterion", "")))


def _check_origin(finished: Finished, mission: Mission) -> None:
    """Refuses a run that began elsewhere, or that saw data which may hold what is hidden."""
    for _ in range(_DEEPEST):
        model, data = str(finished.spec["model"]), finished.spec["data"]
        if data != mission.data:
            raise ExplorerError(
                f"the run used {data}, the mission is about {mission.data}: hand in a run that used that"
            )
        if not model.startswith("run:"):
            break
        finished = read_finished(_bundle_of(model))
    if model != mission.model:
        raise ExplorerError(f"the run began with {model}, the mission with {mission.model}: hand in a run of that")


def _bundle_of(ref: str) -> Path:
    """Where the bundle of a ``run:`` ref lies, also of one of its steps."""
    folder = folder_of(ref)
    return folder.parents[1] if folder.parent.name == STEPS else folder


def check_allowed(mission: Mission, entry: Entry, structure: Structure) -> None:
    """Refuses what the mission does not allow.

    Args:
        structure: of the mission's network.

    Raises:
        ExplorerError: a plan of another network, a criterion that is not among the mission's, a locked group that lost
            something.
    """
    allowed = mission.criteria
    if allowed and entry.criterion not in allowed:
        used = entry.criterion or "one that is not known"
        raise ExplorerError(
            f"the mission allows the criteria {', '.join(allowed)}, the plan goes by {used}: choose again"
        )
    locked = mission.locks(structure)
    if not entry.run:
        if entry.plan.base != mission.model:
            raise ExplorerError(f"the plan is for {entry.plan.base}, the mission is about {mission.model}")
        kept, full = entry.plan.check(structure).kept(structure), structure.full
    else:
        kept, full = _widths(entry.run, structure)
    lost = sorted(name for name in locked if kept.get(name, 0) < full[name])
    if lost:
        raise ExplorerError(f"{', '.join(lost[:5])} must stay whole in this mission: give back what it lost")


def _widths(run: str, structure: Structure) -> tuple[Mapping[str, int], Mapping[str, int]]:
    """How many channels of each group a run, with those before it, has left, and how many there were."""
    groups = read_finished(Path(folder_of(run))).result.get("groups") or ()
    kept = {str(group["name"]): int(group["kept"]) for group in groups}
    return kept, {name: group.units * group.unit for name, group in structure.groups.items()}


def question(mission: Mission, entry: Entry) -> dict[str, Any]:
    """What is asked of the short lane's worker; see `explorer.runs.examining`."""
    spec: dict[str, Any] = {"model": mission.model, "data": mission.data}
    if not entry.run:
        plan = entry.plan
        spec |= {"plan": {name: list(units) for name, units in sorted(plan.remove.items())}, "skip": list(plan.blocks)}
    wanted = Wanted(mission.stages(), entry.run, mission.timings(), mission.hidden)
    return {"kind": "examine", "spec": spec, **wanted.to_json()}


def verdict(mission: Mission, entry: Entry, answer: Mapping[str, Any]) -> Verdict:
    """What an answer to `question` comes to."""
    facts = replace(facts_of(answer), end=TRAINED if entry.run else mission.end)
    goals = tuple((goal, _told(goal.standing(facts), entry)) for goal in mission.goals)
    return Verdict(mission, entry, facts, goals, tuple(answer.get("warnings", ())))


def _told(standing: Standing, entry: Entry) -> Standing:
    """A goal that an entry says nothing of: why."""
    if standing.met is not None:
        return standing
    said = "a run does not tell this: hand in a plan" if entry.run else f"needs {TOOLS[TRAINED]}: hand in a run"
    return replace(standing, note=said)


def facts_of(answer: Mapping[str, Any]) -> Facts:
    """The facts in an answer to `question`."""
    metric = answer["metric"]
    timed = {
        (each["runtime"], each["batch"]): Timed(each["ratio"], each["low"], each["high"]) for each in answer["timings"]
    }
    return Facts(
        metric=metric,
        classes=tuple(answer["classes"]),
        of_class=tuple(answer["of_class"]),
        whole=Reached.of(answer["whole"], metric),
        stages={name: Reached.of(stage, metric) for name, stage in answer["stages"].items()},
        macs=answer["macs"],
        params=answer["params"],
        size=answer["size"],
        timed=timed,
        costs=answer["costs"],
    )


def check(mission: Mission, entry: Entry, report: Report = silent) -> Verdict:
    """The verdict on an entry, here and now.

    Raises:
        ExplorerError: see `check_allowed` and `explorer.runs.examining.examine`.
    """
    from explorer.sources import load_model
    from explorer.structure import analyse

    loaded = load_model(mission.model)
    check_allowed(mission, entry, analyse(loaded.module, loaded.example()))
    request = question(mission, entry)
    return verdict(mission, entry, QUESTIONS[request["kind"]](request, report))
