"""Sensitivity curves: what accuracy is left when one group alone loses a share of its units."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from explorer.batches import fetch
from explorer.cache import Entry, tensor_digest, weights_digest
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.evaluation import Live
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, plan_from_budget
from explorer.tasks import Quality

RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
WITNESSES = 16  # samples by which data is told apart that another file with the same name could hold
BATCH = 256


class Point(NamedTuple):
    """The metric when a group loses the share `ratio` of its units, `removed` channels."""

    ratio: float
    removed: int
    value: float


@dataclass(frozen=True)
class Sensitivity:
    """What each group alone costs.

    Args:
        criterion: that says which units leave first.
        metric: the task's.
        samples: of the validation split.
        base: the metric of the whole network.
        groups: the points of each group's curve.
        skipped: why other groups have none.
    """

    criterion: str
    metric: str
    samples: int
    base: float
    groups: Mapping[str, Sequence[Point]]
    skipped: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """``{criterion, metric, samples, base, groups: {name: [{ratio, removed, METRIC}]}, skipped: {name: reason}}``.

        METRIC is the name that `metric` tells, for images ``top1``, from 0 to 1.
        """
        curves = {
            name: [{"ratio": point.ratio, "removed": point.removed, self.metric: point.value} for point in points]
            for name, points in self.groups.items()
        }
        return {
            "criterion": self.criterion,
            "metric": self.metric,
            "samples": self.samples,
            "base": self.base,
            "groups": curves,
            "skipped": dict(self.skipped),
        }


def sensitivity(
    spec: Spec, ratios: Sequence[float] = RATIOS, report: Report = silent, *, anew: bool = False
) -> Sensitivity:
    """The task's validation metric for every group and ratio, the lowest-scored units removed, without recovery.

    Groups are masked where that equals the cut, else cut. Every point is kept in the cache as soon as it is measured,
    by the model's weights, the data and the units that leave: an interrupted call goes on where it stopped, and other
    ratios, criteria and seeds share the points that they have in common. `anew` measures all of them again.

    Raises:
        ExplorerError: a ratio out of range, or data whose accuracy means nothing.
        Cancelled: the report asked to stop; the finished points are kept.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    _check(subject, spec, ratios)
    scores = steps.scores_of(steps.score_subject(subject, spec, part(report, 0.05, 0.2)))
    return measure_curves(subject, spec, scores, ratios, part(report, 0.2, 1.0), points=Points(subject, anew=anew))


def measure_curves(
    subject: steps.Subject,
    spec: Spec,
    scores: Scores,
    ratios: Sequence[float] = RATIOS,
    report: Report = silent,
    *,
    points: "Points",
) -> Sensitivity:
    """The same for a model that is open and scored, with the `points` that are known of it."""
    _check(subject, spec, ratios)
    base = points(Plan(spec.model), part(report, 0.0, 0.05))
    curves: dict[str, list[Point]] = {}
    for index, name in enumerate(scores.groups):
        unit, curves[name] = subject.structure.groups[name].unit, []
        for place, ratio in enumerate(ratios):
            done = (index + place / len(ratios)) / len(scores.groups)
            report(0.05 + 0.95 * done, f"{name} at {ratio:.0%}")
            plan = plan_from_budget(subject.structure, scores.groups, {name: ratio}, spec.model)
            later = part(report, 0.05 + 0.95 * done, 0.05 + 0.95 * (done + 1 / len(ratios) / len(scores.groups)))
            removed = len(plan.remove.get(name, ())) * unit
            curves[name].append(Point(ratio, removed, points(plan, later)))
    return Sensitivity(
        criterion=spec.criterion,
        metric=subject.task.metric,
        samples=len(subject.task.validation),
        base=base,
        groups=curves,
        skipped=dict(scores.skipped),
    )


def cached_curves(
    subject: steps.Subject, spec: Spec, scores: Scores, ratios: Sequence[float] = RATIOS, *, points: "Points"
) -> Sensitivity | None:
    """The same if all of it has been measured before, else None."""
    plans = (
        plan_from_budget(subject.structure, scores.groups, {name: ratio}, spec.model)
        for name in scores.groups
        for ratio in ratios
    )
    if not subject.task.measured or not all(map(points.known, (Plan(spec.model), *plans))):
        return None
    return measure_curves(subject, spec, scores, ratios, points=points)


def sparklines(document: Mapping[str, Any]) -> dict[str, list[tuple[float, float]]]:
    """The curves as the board draws them: the metric by the fraction of the group that leaves, from none of it."""
    metric, base = document["metric"], document["base"]
    return {
        name: [(0.0, base), *((point["ratio"], point[metric]) for point in points)]
        for name, points in document["groups"].items()
    }


def _check(subject: steps.Subject, spec: Spec, ratios: Sequence[float]) -> None:
    for ratio in ratios:
        if not 0 < ratio < 1:
            raise ExplorerError(f"ratio {ratio:g} can't be tried: give fractions above 0 and below 1")
    if not subject.task.measured:
        raise ExplorerError(f"accuracy on {spec.data!r} means nothing: use real data, for example --data digits")


class Ablations:
    """A number about the validation split under plans, each kept in the cache once it is measured.

    Args:
        kind: of the cache's entry, with what it is `about` besides weights and data.
        number: taken from what is measured under a plan.
        name: what a plan's number is kept under.
        anew: what is kept is measured again.
    """

    def __init__(
        self,
        subject: steps.Subject,
        kind: str,
        number: Callable[[Quality], float],
        name: Callable[[Plan], str],
        about: Mapping[str, str] = MappingProxyType({}),
        *,
        anew: bool = False,
    ) -> None:
        self._subject, self._number, self._name, self._live = subject, number, name, None
        data = subject.task.validation
        inputs, labels = fetch(data, torch.arange(min(WITNESSES, len(data))))
        witnesses = [subject.task.ref, len(data), tensor_digest(inputs), str(labels)]
        self._entry = Entry(kind, {"weights": weights_digest(subject.module), "data": witnesses, **about})
        self._values: dict[str, float] = {} if anew else self._entry.read()

    def known(self, plan: Plan) -> bool:
        """Whether it has been measured."""
        return self._name(plan) in self._values

    def __call__(self, plan: Plan, report: Report = silent) -> float:
        """The number under the plan."""
        name = self._name(plan)
        if name not in self._values:
            if self._live is None:  # reads all data
                task = self._subject.task
                self._live = Live(
                    self._subject.module,
                    self._subject.structure,
                    task.validation,
                    kind=task.kind,
                    device=self._subject.device,
                    batch_size=BATCH,
                )
            self._values[name] = self._number(self._live.evaluate(plan, report).quality)
            self._entry.write(self._values)
        return self._values[name]


class Points(Ablations):
    """The validation metric: the points of curves."""

    def __init__(self, subject: steps.Subject, *, anew: bool = False) -> None:
        about = {"metric": subject.task.metric}
        super().__init__(subject, "sensitivity", attrgetter("value"), _name, about, anew=anew)


def _name(plan: Plan) -> str:
    """A point of a curve, by the units that leave, whichever criterion chose them."""
    units = json.dumps(sorted(plan.remove.items()))
    return hashlib.sha256(units.encode()).hexdigest()[:24]
