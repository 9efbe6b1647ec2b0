"""The search for the best plan: for a path of targets the plan that loses least once it is repaired."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import numpy as np

from explorer.batches import Samples
from explorer.budget import Allocation, Curves, LatencyModel, Meter, Target, allocate
from explorer.budget.allocating import needed
from explorer.budget.target import KINDS
from explorer.criteria import Scores
from explorer.errors import ExplorerError, unknown
from explorer.evaluation.size import size_model
from explorer.files import json_text
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import RecoveryStage, recovery_stage
from explorer.methods.studies.repair import repair
from explorer.methods.studies.ways import AFTER, COMPETING, PLAIN, SEARCHED, TARGETS, TRIES, WAYS
from explorer.methods.tools import steps
from explorer.methods.tools.at_most import at_most
from explorer.methods.tools.portions import in_memory, portion
from explorer.methods.tools.repaired_curves import Repairing
from explorer.methods.tools.stopwatch import Stopwatch
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.recovery.portion import repair_samples
from explorer.structure import Cost
from explorer.tasks import METRICS, Accuracy, Quality

_MOST_TRIES = 1000
_CHANGED, _SPREAD = 0.4, 0.5  # of the groups' weights, how many change in a try, and the deviation of their logarithm


@dataclass(frozen=True)
class Tried:
    """A plan that was repaired and judged.

    Args:
        way: that proposed it, a key of `ways.WAYS`; "whole" of the whole network.
        criterion: by which units leave their groups.
        target: the fraction of the cost that it was to keep.
        plan: what it removes.
        cost: parameters and MACs of what is left.
        kept: the fraction of the cost that is left.
        milliseconds: of one batch, measured on the network really cut; None where the cost is no latency.
        recovery: what it was repaired by.
        quality: the task's metric, on the validation samples that plans are judged by.
        test: the same on the test split; None where that was not asked for.
        predicted: the loss if those of single groups, each measured alone after its readers' repair, added up; None
            where none was measured.
    """

    way: str
    criterion: str
    target: float
    plan: Plan
    cost: Cost
    kept: float
    milliseconds: float | None
    recovery: str
    quality: Accuracy | Quality
    test: Accuracy | Quality | None = None
    predicted: float | None = None

    @property
    def amount(self) -> float:
        """What is left of the cost, by which points are compared."""
        return self.kept if self.milliseconds is None else self.milliseconds

    def to_json(self) -> dict[str, Any]:
        """``{way, criterion, target, params, macs, kept, latency_ms, recovery, loss, predicted_loss, …}``.

        METRIC and its interval stand beside them. `removed` is ``{group: units}``. `test` has the loss and the metric
        on the test split, None where that was not asked for.
        """
        return {
            "way": self.way,
            "criterion": self.criterion,
            "target": self.target,
            "params": self.cost.params,
            "macs": self.cost.macs,
            "kept": self.kept,
            "latency_ms": self.milliseconds,
            "recovery": self.recovery,
            "loss": self.quality.loss,
            "predicted_loss": self.predicted,
            "removed": {name: len(units) for name, units in self.plan.remove.items()},
            **self.quality.to_json(),
            "test": None if self.test is None else {**self.test.to_json(), "loss": self.test.loss},
        }


@dataclass(frozen=True)
class Frontier:
    """What a search found.

    Args:
        model: its ref.
        criterion: that was asked for; every plan has its own.
        metric: the task's.
        after: what plans were judged after, a key of `ways.AFTER`.
        cost: what a target may be about, one of `explorer.budget.target.KINDS`.
        whole: the network with nothing removed, first of all points.
        tried: every plan that was judged.
        best: of every target the plan that loses least, from the largest to the smallest.
        points: the whole network and those of the best that no cheaper one beats, from cheap to dear.
        seconds: that it took.
        warnings: sentences for a person.
    """

    model: str
    criterion: str
    metric: str
    after: str
    cost: str
    whole: Tried
    tried: tuple[Tried, ...]
    best: tuple[Tried, ...]
    points: tuple[Tried, ...]
    seconds: float
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{model, criterion, metric, after, cost, whole, tried, best, frontier, seconds, warnings}``.

        `best` and `frontier` are places in `tried`; -1 is the whole network.
        """
        place = {id(tried): number for number, tried in enumerate(self.tried)} | {id(self.whole): -1}
        return {
            "model": self.model,
            "criterion": self.criterion,
            "metric": self.metric,
            "after": self.after,
            "cost": self.cost,
            "whole": self.whole.to_json(),
            "tried": [tried.to_json() for tried in self.tried],
            "best": [place[id(tried)] for tried in self.best],
            "frontier": [place[id(tried)] for tried in self.points],
            "seconds": self.seconds,
            "warnings": list(self.warnings),
        }


def search(
    spec: Spec,
    targets: Sequence[float] = TARGETS,
    *,
    cost: str = "macs",
    ways: Sequence[str] | None = None,
    criteria: Sequence[str] = COMPETING,
    after: str = "repair",
    tries: int = TRIES,
    held: Mapping[str, int] = MappingProxyType({}),
    test: bool = False,
    subject: steps.Subject | None = None,
    report: Report = silent,
) -> Frontier:
    """The best plan that is found for each target, and the frontier that these make.

    A criterion says which units of a group leave first, the search how many. Each way of `ways.WAYS` proposes plans
    for each target, those of `ways.PLAIN` by every criterion that competes; they are cut to at most the target,
    repaired without training and judged on validation samples, and the one of the least loss is kept (see `worse`).
    The loss that a way goes by adds up over groups, which a knapsack can take to the true cost (as in ZipLM, Kurtić et
    al. 2023, arXiv:2302.04089); since real losses don't, the way "searched" weights the groups' curves at random,
    judges the whole plan that a weighting leads to, and goes on from the best one (SPDY, Frantar and Alistarh 2022,
    arXiv:2201.13096).

    The metric of the best plans is a little too high, since the same samples have chosen them; a run's measurement on
    the test split is not.

    Args:
        spec: model, data, criterion and what it is told, minimum and locked groups, widths, runtime and batch.
        targets: fractions of the whole network's cost.
        cost: what a target may be about, one of `explorer.budget.target.KINDS`.
        ways: that propose plans, keys of `ways.WAYS`; None: `ways.SEARCHED`, or where plans are not judged after a
            repair, `ways.PLAIN`, since the others go by what a repair leaves.
        criteria: that compete with the spec's; none do where groups are `held`, whose units the spec's has chosen.
            Those that can't score the network are left out.
        after: what plans are judged after, a key of `ways.AFTER`.
        tries: weightings that are judged for every target.
        held: groups that stay at so many units lost, besides those that the spec locks, which stay whole.
        test: whether every plan is judged on the test split, too: to compare ways, not to choose.
        subject: what the spec names, where that is open already.

    Raises:
        ExplorerError: a target, cost or way that there is none of, data whose accuracy means nothing, bad refs.
        Cancelled: the report asked to stop.
    """
    ways = ways or (SEARCHED if after == "repair" else PLAIN)
    check_search(targets, cost, ways, tries, after)
    start = time.perf_counter()
    subject = subject or steps.open_subject(spec, part(report, 0.0, 0.03))
    if not subject.task.measured:
        raise ExplorerError(f"accuracy on {spec.data!r} means nothing: use real data, for example --data digits")
    steps.known_groups(subject.structure, (*spec.locked, *held))
    competing = () if any(held.values()) else tuple(criteria)
    held = dict.fromkeys(spec.locked, 0) | dict(held)
    meter, watch = _meter(subject, spec, cost, part(report, 0.03, 0.1))
    judge = _Judge(subject, cost, meter, after, test)
    whole = judge("whole", spec.criterion, 1.0, Plan(spec.model), part(report, 0.1, 0.12))
    proposals = _Proposals(subject, spec, cost, meter, held)
    proposals.prepare(ways, competing, judge.calibration, judge.data, part(report, 0.12, 0.35))
    tried = []
    for number, target in enumerate(asked := sorted(set(targets), reverse=True)):
        stretch = part(report, 0.35 + 0.6 * number / len(asked), 0.35 + 0.6 * (number + 1) / len(asked))
        tried += [_foretold(each, whole, proposals) for each in _at(target, ways, tries, proposals, judge, stretch)]
    best = [min(plans, key=worse) for _, plans in groupby(tried, attrgetter("target"))]
    if watch is not None:
        timed = {id(each): _timed(each, subject, meter, watch, part(report, 0.95, 1.0)) for each in (whole, *best)}
        whole, *best = (timed[id(each)] for each in (whole, *best))
        tried = [timed.get(id(each), each) for each in tried]
    report(1.0, f"judged {len(tried)} plans")
    return Frontier(
        spec.model,
        spec.criterion,
        subject.task.metric,
        after,
        cost,
        whole,
        tuple(tried),
        tuple(best),
        unbeaten([whole, *best], subject.task.metric),
        time.perf_counter() - start,
        tuple(dict.fromkeys(proposals.warnings)),
    )


def check_search(targets: Sequence[float], cost: str, ways: Sequence[str], tries: int, after: str = "repair") -> None:
    """Refuses what can't be searched for.

    Raises:
        ExplorerError: a fraction out of range or none, a cost or way that there is none of, ways that go by repairs
            where nothing is repaired, a negative number of tries.
    """
    for target in targets:
        if not 0 < target < 1:
            raise ExplorerError(f"target {target:g} can't be searched for: give fractions to keep, above 0 and below 1")
    if not targets or not ways:
        raise ExplorerError("there is nothing to search: name at least one target and one way")
    if cost not in KINDS:
        raise unknown("cost", cost, KINDS)
    for way in ways:
        if way not in WAYS:
            raise unknown("way to propose plans", way, WAYS)
    if after not in AFTER:
        raise unknown("stage to judge plans after", after, AFTER)
    if after != "repair" and (repaired := next((way for way in ways if way not in PLAIN), None)):
        raise ExplorerError(
            f"way {repaired!r} goes by what a repair leaves: judge plans after the repair, or name the ways "
            f"{' and '.join(PLAIN)}"
        )
    if not 0 <= tries <= _MOST_TRIES:
        raise ExplorerError(f"{tries} tries can't be made for every target: give a number from 0 to {_MOST_TRIES}")


def worse(tried: Tried) -> tuple[float, float, float]:
    """What the best plan has the least of: the loss, and of equal ones the cost.

    As cut, without recovery, it is what the metric lacks, and of equal ones the loss: outputs are of a wrong scale
    there, and the loss tells of the scale more than of the answers.
    """
    quality = tried.quality
    if tried.recovery != "none":
        return quality.loss, tried.kept, 0.0
    sign = 1 if METRICS[quality.metric].higher_is_better else -1
    return -sign * quality.value, quality.loss, tried.kept


def unbeaten(points: Sequence[Tried], metric: str) -> tuple[Tried, ...]:
    """The points that no cheaper one is as good as, from cheap to dear: there the metric gets better with the cost."""
    sign = 1 if METRICS[metric].higher_is_better else -1
    found: list[Tried] = []
    for point in sorted(points, key=lambda point: (point.amount, -sign * point.quality.value)):
        if not found or sign * point.quality.value > sign * found[-1].quality.value:
            found.append(point)
    return tuple(found)


class _Judge:
    """Repairs plans and judges them, each once, on samples that stay in memory."""

    def __init__(self, subject: steps.Subject, cost: str, meter: Meter, after: str, test: bool) -> None:
        macs = subject.structure.cost().macs
        self._subject, self._cost, self._meter, self._after = subject, cost, meter, after
        self.calibration = in_memory(repair_samples(subject.task.calibration, macs))
        self.data = in_memory(portion(subject.task.validation, macs))
        self._test = in_memory(subject.task.test) if test else None
        self._known: dict[str, Tried] = {}

    def __call__(self, way: str, criterion: str, target: float, plan: Plan, report: Report) -> Tried:
        key = json_text(plan.to_json())
        if key not in self._known:
            self._known[key] = self._judged(plan, report)
        return replace(self._known[key], way=way, criterion=criterion, target=target)

    def _stage(self, plan: Plan, data: Samples, report: Report) -> RecoveryStage:
        subject = self._subject
        given = {"data": data, "device": subject.device, "report": report}
        if self._after == "repair":
            task, calibration = subject.task, self.calibration
            return repair(subject.module, subject.structure, task, plan, calibration=calibration, **given)
        task = replace(subject.task, calibration=self.calibration)
        return recovery_stage(self._after, subject.module, subject.structure, task, plan, **given)

    def _judged(self, plan: Plan, report: Report) -> Tried:
        kept = plan.kept(self._subject.structure)
        stages = [self._stage(plan, data, report) for data in (self.data, self._test) if data is not None]
        left = self._meter(self._cost, kept) / self._meter(self._cost, {})
        qualities = [stage.quality for stage in stages]
        test = qualities[1] if len(qualities) > 1 else None
        cost = plan.cost(self._subject.structure)
        return Tried("", "", 1.0, plan, cost, left, None, stages[0].recovery, qualities[0], test)


class _Proposals:
    """The plans that each way gives for a target, and the weights that a search has come to.

    Args:
        weights: of every group's curve, by which the slopes are multiplied.
        warnings: of the allocations.
    """

    def __init__(self, subject: steps.Subject, spec: Spec, cost: str, meter: Meter, held: Mapping[str, int]) -> None:
        self._subject, self._spec, self._cost, self._meter, self._held = subject, spec, cost, meter, held
        self._scores: dict[str, Scores] = {}
        self._curved: dict[str, Scores] = {}
        self._random = np.random.default_rng(spec.seed)
        self._curves: Curves | None = None
        self.weights: dict[str, float] = {}
        self.warnings: list[str] = []

    def prepare(
        self, ways: Sequence[str], competing: Sequence[str], calibration: Samples, data: Samples, report: Report
    ) -> None:
        """Scores, and what the ways need to know of repairs."""
        own = self._scored(self._spec, part(report, 0.0, 0.2))
        self._scores[self._spec.criterion] = own
        others = [name for name in competing if name != self._spec.criterion] if {*PLAIN} & {*ways} else []
        for number, name in enumerate(others):
            stretch = part(report, 0.2 + 0.1 * number / len(others), 0.2 + 0.1 * (number + 1) / len(others))
            with suppress(ExplorerError):  # it can't score this network, or needs labels that the data has not
                self._scores[name] = self._scored(replace(self._spec, criterion=name, options={}), stretch)
        if set(ways) <= {*PLAIN}:
            return
        repairing = Repairing.of(self._subject, own, calibration, part(report, 0.3, 0.4))
        if "closed-form" in ways:
            self._curved["closed-form"] = repairing.scores(repairing.closed_form())
        if {"measured", "searched"} & set(ways):
            self._curves = repairing.measured(data, report=part(report, 0.4, 1.0))
            self._curved["measured"] = repairing.scores(self._curves)
            self.weights = dict.fromkeys(self._curved["measured"].groups, 1.0)

    def _scored(self, spec: Spec, report: Report) -> Scores:
        return steps.scores_of(steps.score_subject(self._subject, spec, report))

    @property
    def criterion(self) -> str:
        """By which units leave in the plans of all ways but the plain ones."""
        return self._spec.criterion

    def by(self, way: str) -> list[str]:
        """The criteria by which a way proposes plans, the asked one first."""
        return list(self._scores) if way in PLAIN else [self.criterion]

    def increase(self, plan: Plan) -> float | None:
        """By how much the loss would rise if what single groups lose added up; None where that was not measured."""
        if self._curves is None:
            return None
        return sum(self._curves.drop(name, len(units)) for name, units in plan.remove.items())

    def plan(self, way: str, criterion: str, target: float) -> Plan:
        """What a way proposes by a criterion."""
        if way in PLAIN:
            return self._allocated(target, self._scores[criterion], way, self._spec.normalise)
        return self._allocated(target, self._curved[way], "knapsack", "none")

    def weighted(self, target: float, weights: Mapping[str, float]) -> Plan:
        """What the measured curves propose when they are weighted."""
        measured = self._curved["measured"]
        groups = {name: worth * weights[name] for name, worth in measured.groups.items()}
        return self._allocated(target, replace(measured, groups=groups), "knapsack", "none")

    def changed(self, weights: Mapping[str, float]) -> dict[str, float]:
        """Weights of which some are others, at random."""
        moves = self._random.normal(0.0, _SPREAD, len(weights)) * (self._random.random(len(weights)) < _CHANGED)
        return {name: weight * float(np.exp(move)) for (name, weight), move in zip(weights.items(), moves, strict=True)}

    def _allocated(self, target: float, scores: Scores, allocate_by: str, normalise: str) -> Plan:
        def share_out(asked: float) -> tuple[Allocation, float]:
            found = allocate(
                allocate_by,
                self._subject.structure,
                scores,
                Target(self._cost, asked),
                normalise=normalise,
                minimum=self._spec.minimum,
                locked=self._held,
                meter=self._meter,
                round_to=self._spec.round_to,
            )
            kept = Plan(self._spec.model, found.remove).kept(self._subject.structure)
            return found, self._meter(self._cost, kept) / self._meter(self._cost, {})

        found = at_most(target, share_out)
        self.warnings += found.warnings
        return Plan(self._spec.model, found.remove)


def _foretold(found: Tried, whole: Tried, proposals: _Proposals) -> Tried:
    """The same with the loss that single groups predict."""
    increase = proposals.increase(found.plan)
    return found if increase is None else replace(found, predicted=whole.quality.loss + increase)


def _at(
    target: float, ways: Sequence[str], tries: int, proposals: _Proposals, judge: _Judge, report: Report
) -> list[Tried]:
    """The plans that were judged for one target."""
    plain = [(way, criterion) for way in ways if way != "searched" for criterion in proposals.by(way)]
    searched = "searched" in ways
    rounds = len(plain) + (tries + 2) * searched

    def judged(way: str, criterion: str, plan: Plan) -> Tried:
        nonlocal done
        found = judge(way, criterion, target, plan, part(report, done / rounds, (done + 1) / rounds))
        done += 1
        if found not in tried:  # another weighting may lead to the same plan
            tried.append(found)
        return found

    tried: list[Tried] = []
    done = 0
    for way, criterion in plain:
        judged(way, criterion, proposals.plan(way, criterion, target))
    if not searched:
        return tried
    own = proposals.criterion
    starts = (dict.fromkeys(proposals.weights, 1.0), proposals.weights)
    best, weights = min(
        ((judged("searched", own, proposals.weighted(target, each)), each) for each in starts),
        key=lambda pair: worse(pair[0]),
    )
    for _ in range(tries):
        changed = proposals.changed(weights)
        found = judged("searched", own, proposals.weighted(target, changed))
        if worse(found) < worse(best):
            best, weights = found, changed
    proposals.weights = weights
    return tried


def _meter(subject: steps.Subject, spec: Spec, cost: str, report: Report) -> tuple[Meter, Stopwatch | None]:
    """What knows the cost, and what times plans where that is the latency."""
    if cost != "latency":
        size = size_model(subject.module, subject.structure) if cost == "size" else None
        return Meter(subject.structure, size), None
    watch = Stopwatch(
        subject.module,
        subject.structure,
        subject.loaded.example(spec.batch),
        runtime=spec.runtime,
        device=subject.device,
        minimum=spec.minimum,
    )
    return Meter(subject.structure, latency=LatencyModel(watch.table(report), subject.structure)), watch


def _timed(found: Tried, subject: steps.Subject, meter: Meter, watch: Stopwatch, report: Report) -> Tried:
    """The same with the time that the network takes when it is really cut."""
    ratio = watch.ratio(found.plan.kept(subject.structure), report)
    return replace(found, kept=ratio, milliseconds=ratio * needed(meter.latency, "measured times").table.base_ms)
