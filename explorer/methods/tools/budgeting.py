"""Targets shared out for a model that is open: with everything that has to be measured for it, and what came of it."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType

from explorer.budget import (
    ALLOCATORS,
    Allocation,
    Curves,
    LatencyModel,
    Meter,
    Reach,
    Target,
    allocate,
    feasible,
)
from explorer.criteria import Scores
from explorer.evaluation.size import size_model
from explorer.methods.spec import Spec
from explorer.methods.studies.sensitivity import Points, cached_curves, measure_curves
from explorer.methods.tools import steps
from explorer.methods.tools.account import Account, BudgetStudy, Clocked, Effect
from explorer.methods.tools.stopwatch import Stopwatch
from explorer.progress import Report, part, silent
from explorer.pruning import Plan

NEAR = 0.05  # of a latency target, within which the cut network is timed
CORRECTIONS = 4  # of the prediction, by what cut networks take


class Budgeting:
    """One model and spec, with the quantities that its targets and its allocator are about.

    Size is a closed form. Latency is timed and sensitivity is measured when first needed, unless the cache has them.

    Args:
        held: groups that stay at so many units lost, besides those that the spec locks, which stay whole.
    """

    def __init__(self, subject: steps.Subject, spec: Spec, held: Mapping[str, int] = MappingProxyType({})) -> None:
        self.subject, self.spec, self.targets = subject, spec, spec.targets()
        self.held = dict.fromkeys(spec.locked, 0) | dict(held)
        self._watch: Stopwatch | None = None
        self._meter: Meter | None = None

    @cached_property
    def points(self) -> Points:
        """What the cache has of curves, and what is measured for them."""
        return Points(self.subject)

    def meter(self, report: Report = silent) -> Meter:
        """What knows the quantities; times the network where one of them is latency."""
        if self._meter is None:
            subject, spec = self.subject, self.spec
            kinds = {target.kind for target in self.targets}
            size = size_model(subject.module, subject.structure) if "size" in kinds else None
            latency = None
            if "latency" in kinds or "latency" in ALLOCATORS[spec.allocate].needs:
                self._watch = Stopwatch(
                    subject.module,
                    subject.structure,
                    subject.loaded.example(spec.batch),
                    runtime=spec.runtime,
                    device=subject.device,
                    minimum=spec.minimum,
                )
                latency = LatencyModel(self._watch.table(report), subject.structure)
            self._meter = Meter(subject.structure, size, latency)
        return self._meter

    def reach(self, report: Report = silent) -> tuple[Reach, ...]:
        """What of every target can be had, before anything is scored."""
        spec = self.spec
        return feasible(
            self.subject.structure,
            self.targets,
            spec.minimum,
            self.held,
            meter=self.meter(report),
            round_to=spec.round_to,
        )

    def share_out(self, scores: Scores, report: Report = silent) -> Account:
        """The allocation, and what is known about it.

        A latency target is corrected by what the cut network really takes, until that is within 5 % of it.

        Raises:
            ExplorerError: see `allocate`.
            Cancelled: the report asked to stop.
        """
        meter = self.meter(part(report, 0.0, 0.4))
        curves = self._curves(scores, part(report, 0.4, 0.8))
        found, clocked = self._within(scores, meter, curves, part(report, 0.8, 0.95))
        effect = None if curves is None else self._effect(found, curves, part(report, 0.95, 1.0))
        return Account(self.spec.allocate, found, clocked, effect)

    def _curves(self, scores: Scores, report: Report) -> Curves | None:
        """Measured where the allocator needs them, else what the cache has of them."""
        if "curves" in ALLOCATORS[self.spec.allocate].needs:
            curves = measure_curves(self.subject, self.spec, scores, report=report, points=self.points)
        else:
            curves = cached_curves(self.subject, self.spec, scores, points=self.points)
        return None if curves is None else Curves.of(curves.to_json(), self.subject.structure)

    def _within(
        self, scores: Scores, meter: Meter, curves: Curves | None, report: Report
    ) -> tuple[Allocation, Clocked | None]:
        wanted = next((target for target in self.targets if target.kind == "latency"), None)
        found = self._allocated(self.targets, scores, meter, curves)
        if self._watch is None:
            return found, None
        whole = meter.latency.table.base_ms
        goal = None if wanted is None else wanted.goal(whole)
        tried = []
        for number in range(CORRECTIONS + 1):
            kept = Plan("", found.remove).kept(self.subject.structure)
            later = part(report, number / (CORRECTIONS + 1), (number + 1) / (CORRECTIONS + 1))
            predicted, measured = meter.latency(kept), whole * self._watch.ratio(kept, later)
            tried.append((found, predicted, measured))
            slack = wanted is None or ("latency" not in found.binding and measured <= goal)
            if slack or abs(measured / goal - 1) <= NEAR or not found.reach[0].feasible or not found.remove:
                break
            corrected = Target("latency", amount=goal * predicted / measured)
            targets = [corrected if target is wanted else target for target in self.targets]
            found = self._allocated(targets, scores, meter, curves)
        found, predicted, measured = tried[-1] if goal is None else min(tried, key=lambda t: abs(t[2] / goal - 1))
        asked = zip(found.reach, self.targets, strict=True)
        reach = tuple(replace(each, target=target, goal=target.goal(each.whole)) for each, target in asked)
        table = meter.latency.table
        times = tuple((predicted, measured) for _, predicted, measured in tried)
        return replace(found, reach=reach), Clocked(table.runtime, table.batch, whole, predicted, measured, times)

    def _allocated(
        self, targets: list[Target] | tuple[Target, ...], scores: Scores, meter: Meter, curves: Curves | None
    ) -> Allocation:
        spec, subject = self.spec, self.subject
        return allocate(
            spec.allocate,
            subject.structure,
            scores,
            targets,
            normalise=spec.normalise,
            minimum=spec.minimum,
            locked=self.held,
            meter=meter,
            shapes=shapes_of(subject),
            curves=curves,
            round_to=spec.round_to,
        )

    def _effect(self, found: Allocation, curves: Curves, report: Report) -> Effect:
        lost = {name: len(units) for name, units in found.remove.items()}
        measured = self.points(Plan(self.spec.model, found.remove), report)
        return Effect(curves.metric, curves.base, curves.predicted(lost), measured)


def shapes_of(subject: steps.Subject) -> dict[str, tuple[int, ...]]:
    """Of all tensors of the model."""
    return {name: tuple(tensor.shape) for name, tensor in subject.module.state_dict().items()}


def budget_of(spec: Spec, report: Report = silent, held: Mapping[str, int] = MappingProxyType({})) -> BudgetStudy:
    """What a spec's targets come to, without cutting anything for good; `held` as in `Budgeting`.

    Raises:
        ExplorerError: bad refs or names, no target, or see `allocate`.
        Cancelled: the report asked to stop.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.1))
    steps.known_groups(subject.structure, (*spec.locked, *held))
    budgeting = Budgeting(subject, spec, held)
    for each in budgeting.reach(part(report, 0.1, 0.5)):
        report(0.5, str(each))
    scores = steps.scores_of(steps.score_subject(subject, spec, part(report, 0.5, 0.6)))
    account = budgeting.share_out(scores, part(report, 0.6, 1.0))
    widths = steps.widths(subject.structure, Plan(spec.model, account.allocation.remove))
    return BudgetStudy(spec.model, account, widths)
