"""Sensitivity curves: what accuracy is left when one group alone loses a share of its units."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import nn

from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.evaluation import evaluate
from explorer.methods import steps
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut, mask, plan_from_budget

if TYPE_CHECKING:
    from explorer.runs.spec import Spec

RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)


def sensitivity(spec: "Spec", ratios: Sequence[float] = RATIOS, report: Report = silent) -> dict[str, Any]:
    """The task's validation metric for every group and ratio, the lowest-scored units removed, without recovery.

    Groups are masked where that equals the cut, else cut.

    Returns:
        ``{criterion, metric, samples, base, groups: {name: [{ratio, removed, METRIC}]}, skipped: {name: reason}}``
        with `removed` in channels; METRIC is the name that `metric` tells, for images ``top1``, from 0 to 1.

    Raises:
        ExplorerError: a ratio out of range, or data whose accuracy means nothing.
    """
    for ratio in ratios:
        if not 0 < ratio < 1:
            raise ExplorerError(f"ratio {ratio:g} can't be tried: give fractions above 0 and below 1")
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    if not subject.task.measured:
        raise ExplorerError(f"accuracy on {spec.data!r} means nothing: use real data, for example --data digits")
    scores = steps.scores_of(steps.score_subject(subject, spec, part(report, 0.05, 0.2)))
    base = _quality(subject, subject.module, part(report, 0.2, 0.25))
    curves: dict[str, list[dict[str, Any]]] = {}
    for index, name in enumerate(scores.groups):
        stretch = [0.25 + 0.75 * (index + i) / len(scores.groups) for i in (0, 1)]
        curves[name] = _curve(subject, scores, name, ratios, base, part(report, *stretch))
    return {
        "criterion": spec.criterion,
        "metric": subject.task.metric,
        "samples": len(subject.task.validation),
        "base": base,
        "groups": curves,
        "skipped": dict(scores.skipped),
    }


def _curve(
    subject: steps.Subject, scores: Scores, name: str, ratios: Sequence[float], base: float, report: Report
) -> list[dict[str, Any]]:
    group = subject.structure.groups[name]
    points, known = [], {0: base}
    for index, ratio in enumerate(ratios):
        plan = plan_from_budget(subject.structure, scores.groups, {name: ratio}, subject.loaded.ref)
        removed = len(plan.remove.get(name, ()))
        if removed not in known:
            stage = part(report, index / len(ratios), (index + 1) / len(ratios))
            known[removed] = _quality_without(subject, plan, group.exact, _titled(stage, f"{name} at {ratio:.0%}"))
        points.append({"ratio": ratio, "removed": removed * group.unit, subject.task.metric: known[removed]})
    return points


def _titled(report: Report, title: str) -> Report:
    return lambda fraction, message, **metrics: report(fraction, f"{title}: {message}", **metrics)


def _quality_without(subject: steps.Subject, plan: Plan, exact: bool, report: Report) -> float:
    smaller = (
        mask(subject.module, subject.structure, plan) if exact else cut(subject.module, subject.structure, plan).module
    )
    return _quality(subject, smaller, report)


def _quality(subject: steps.Subject, module: nn.Module, report: Report) -> float:
    task = subject.task
    return evaluate(module, task.validation, kind=task.kind, device=subject.device, report=report).value
