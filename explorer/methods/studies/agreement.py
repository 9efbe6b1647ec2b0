"""Criteria side by side on one model, and beside the measured effect of every single unit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from operator import attrgetter
from typing import Any

import numpy as np

from explorer.criteria import CRITERIA, Scores
from explorer.criteria.tools.agreement import Dispute, disputes, group_correlations, weighted_mean
from explorer.errors import ExplorerError, unknown
from explorer.methods.spec import Spec
from explorer.methods.studies.sensitivity import Ablations
from explorer.methods.tools import steps
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.structure import Structure
from explorer.tasks.tools.accuracy import Z_95

UNITS = 8  # of every group, whose effect is measured
LEAST, MOST = 2, 6  # criteria
SCORING = 0.5  # of the work, where effects are measured too
CHANCE = "random"  # a criterion that is of no opinion, so that nobody disagrees with it


Matrix = list[list[float | None]]
"""Of ρ, in the order of the criteria; None where it is not defined."""


@dataclass(frozen=True)
class Correlations:
    """What scores of several criteria say of one another.

    Args:
        scores: of each criterion.
        units: how many each group has.
        overall: mean ρ over the groups, weighted by units.
        groups: ρ within each group.
        disputes: units of which two criteria think most differently.
    """

    scores: tuple[Scores, ...]
    units: Mapping[str, int]
    overall: Matrix
    groups: Mapping[str, Matrix]
    disputes: Sequence[Dispute]

    def to_json(self) -> dict[str, Any]:
        """``{criteria, seconds, units, overall, groups, disputes, scores, skipped}``.

        `disputes` are ``[{group, unit, first, second, first_rank, second_rank}]``, `scores` ``{criterion: {group:
        [score]}}`` and `skipped` ``{criterion: {group: reason}}``.
        """
        return {
            "criteria": [each.criterion for each in self.scores],
            "seconds": {each.criterion: each.seconds for each in self.scores},
            "units": dict(self.units),
            "overall": self.overall,
            "groups": dict(self.groups),
            "disputes": [dispute._asdict() for dispute in self.disputes],
            "scores": {each.criterion: {n: v.tolist() for n, v in each.groups.items()} for each in self.scores},
            "skipped": {each.criterion: dict(each.skipped) for each in self.scores},
        }


@dataclass(frozen=True)
class UnitEffects:
    """What single units are worth, as measured, and how near each criterion comes to it.

    Args:
        samples: of the validation split.
        loss: mean, of the whole network.
        rises: by how much it rises without a unit, by group and unit.
        overall: mean ρ of each criterion over the groups.
        groups: ρ of each criterion within each group.
        chance: what 95 % of the overall ρ stay within that scores of no meaning would have.
    """

    samples: int
    loss: float
    rises: Mapping[str, Mapping[int, float]]
    overall: Mapping[str, float | None]
    groups: Mapping[str, Mapping[str, float]]
    chance: float

    def to_json(self) -> dict[str, Any]:
        """``{samples, loss, rises: {group: {unit: rise}}, overall, groups: {criterion: {group: ρ}}, chance}``."""
        rises = {name: {str(unit): rise for unit, rise in each.items()} for name, each in self.rises.items()}
        return asdict(self) | {"rises": rises}


@dataclass(frozen=True)
class Agreement:
    """Criteria on one model, and what was measured beside them where that was asked."""

    model: str
    data: str
    correlations: Correlations
    samples: int
    effect: UnitEffects | None

    def to_json(self) -> dict[str, Any]:
        """Those of the correlations with ``{model, data, samples, effect}``."""
        effect = None if self.effect is None else self.effect.to_json()
        asked = {"model": self.model, "data": self.data}
        return {**asked, **self.correlations.to_json(), "samples": self.samples, "effect": effect}


def agreement(
    spec: Spec,
    criteria: Sequence[str],
    report: Report = silent,
    *,
    oracle: bool = False,
    units: int = UNITS,
) -> Agreement:
    """Spearman's rank correlation between criteria, where they disagree most, and who is near to what is measured.

    Ranks are taken within a group; over groups the mean counts, weighted by units. Criteria run with their default
    options, except that the spec's own criterion takes the spec's.

    With `oracle`, the effect of a unit is how much the mean loss on the validation split rises when it alone is taken
    out, by a mask where that equals the cut; of every group, `units` drawn by the spec's seed are measured. Effects
    are kept in the cache one by one, so that an interrupted call goes on where it stopped.

    Raises:
        ExplorerError: fewer than two criteria, more than six, or an unknown one; data without labels, with `oracle`.
        Cancelled: the report asked to stop; what was measured is kept.
    """
    check(criteria, units)
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    if oracle and not subject.task.measured:
        raise ExplorerError(f"a loss on {spec.data!r} means nothing: use real data, for example --data digits")
    until = SCORING if oracle else 1.0
    scores = []
    for index, name in enumerate(criteria):
        stretch = [0.05 + (until - 0.05) * place / len(criteria) for place in (index, index + 1)]
        asked = replace(spec, criterion=name, options=spec.options if name == spec.criterion else {})
        scores.append(steps.scores_of(steps.score_subject(subject, asked, part(report, *stretch))))
    effect = _effect(subject, scores, units, spec.seed, part(report, until, 1.0)) if oracle else None
    return Agreement(spec.model, spec.data, compared(scores), spec.samples, effect)


def check(criteria: Sequence[str], units: int = UNITS) -> None:
    """Raises for criteria that can't be compared."""
    for name in criteria:
        if name not in CRITERIA:
            raise unknown("criterion", name, CRITERIA)
    if not LEAST <= len(set(criteria)) == len(criteria) <= MOST:
        raise ExplorerError(
            f"{len(criteria)} criteria can't be compared: give {LEAST} to {MOST} different ones, such as flow,l2,taylor"
        )
    if units < 2:
        raise ExplorerError(f"{units} units of a group have no order: measure at least 2")


def compared(scores: Sequence[Scores]) -> Correlations:
    """What `agreement` says of scores alone."""
    units = {name: len(values) for each in scores for name, values in each.groups.items()}
    pairs = [[group_correlations(a.groups, b.groups) for b in scores] for a in scores]
    return Correlations(
        scores=tuple(scores),
        units=units,
        overall=[[weighted_mean(pair, units) for pair in row] for row in pairs],
        groups={name: [[pair.get(name) for pair in row] for row in pairs] for name in units},
        disputes=disputes([each for each in scores if each.criterion != CHANCE]),
    )


def chosen_units(structure: Structure, groups: Sequence[str], units: int, seed: int) -> dict[str, list[int]]:
    """The units of each group whose effect is measured, ascending; groups of a single unit have none."""
    draw = np.random.default_rng(seed)
    orders = {name: draw.permutation(structure.full[name]) for name in groups}
    return {name: sorted(order[:units].tolist()) for name, order in orders.items() if len(order) > 1}


def _effect(subject: steps.Subject, scores: Sequence[Scores], units: int, seed: int, report: Report) -> UnitEffects:
    named = [name for name in subject.structure.groups if any(name in each.groups for each in scores)]
    chosen = chosen_units(subject.structure, named, units, seed)
    losses = Ablations(subject, "ablation", attrgetter("loss"), _name)
    base = losses(Plan(""), part(report, 0.0, 0.02))
    pairs = [(name, unit) for name, some in chosen.items() for unit in some]
    rises: dict[str, dict[int, float]] = {name: {} for name in chosen}
    for index, (name, unit) in enumerate(pairs):
        start, stop = (0.02 + 0.98 * place / len(pairs) for place in (index, index + 1))
        report(start, f"without unit {unit} of {name}")
        without = losses(Plan("", {name: (unit,)}), part(report, start, stop))
        rises[name][unit] = without - base
    agreeing = {each.criterion: _against(each.groups, rises) for each in scores}
    weights = {name: subject.structure.full[name] for name in rises}
    return UnitEffects(
        samples=len(subject.task.validation),
        loss=base,
        rises=rises,
        overall={name: weighted_mean(each, weights) for name, each in agreeing.items()},
        groups=agreeing,
        chance=_chance({name: len(each) for name, each in rises.items()}, weights),
    )


def _chance(measured: Mapping[str, int], weights: Mapping[str, int]) -> float:
    """1.96 standard deviations of the weighted mean of independent ρ of n units each, whose variance is 1/(n − 1)."""
    squares = sum(weights[name] ** 2 / (count - 1) for name, count in measured.items())
    return Z_95 * squares**0.5 / sum(weights[name] for name in measured)


def _against(groups: Mapping[str, np.ndarray], rises: Mapping[str, Mapping[int, float]]) -> dict[str, float]:
    """ρ of a criterion's scores and the measured rises, over the units of each group that were measured."""
    sampled = {name: groups[name][list(each)] for name, each in rises.items() if name in groups}
    return group_correlations(sampled, {name: np.array(list(each.values())) for name, each in rises.items()})


def _name(plan: Plan) -> str:
    """What the loss of a plan that removes a single unit, or nothing, is kept under."""
    return next((f"{name}/{unit}" for name, (unit,) in plan.remove.items()), "whole")
