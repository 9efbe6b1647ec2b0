"""One-shot pruning: score once, cut once, recover once."""

from typing import TYPE_CHECKING, Any

from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.evaluation import Headline, headline
from explorer.methods import steps
from explorer.methods.outcome import Outcome
from explorer.methods.registry import method
from explorer.methods.stages import Memo, Stages, forgetful
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.structure import Structure

if TYPE_CHECKING:
    from explorer.runs.spec import Spec

_NOISE = 1.05  # a latency within 5 % of another says nothing
_COLLAPSE = 0.1  # of the metric, lost without recovery, that deserves a word


@method(
    "one-shot",
    title="One shot",
    explanation="Scores every channel once on the whole model, removes the lowest at once, then recovers accuracy.",
)
def one_shot(spec: "Spec", report: Report = silent, memo: Memo = forgetful) -> Outcome:
    """Prunes as the spec says, and measures before, right after the cut, and at the end.

    Scores come from the calibration slice, recovery uses the training data, all measurements are
    on the test split. With a `memo`, the steps scores, base, cut, recovery and pruned that an earlier
    run has finished are taken from it; every step is seeded by itself, so the result is the same.

    Raises:
        ExplorerError: bad refs or names, or a request that removes nothing or makes nothing smaller.
        Cancelled: the report asked to stop.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    stages = Stages(spec.seed, report, memo)
    plan, scores, warnings = _choose(subject, spec, stages)
    _refuse_nothing(subject.structure, spec, plan, scores)
    base = stages("base", 0.25, 0.35, "measuring the base model", steps.measured(subject, subject.module))
    result = steps.cut_exactly(subject, plan)
    as_cut = stages("cut", 0.35, 0.42, "measuring the cut", steps.measured(subject, result.module))
    recovery = stages("recovery", 0.42, 0.92, "recovering", steps.recovered(subject, spec, result.module))
    result.module.load_state_dict(recovery.tensors)
    result.module.eval()
    pruned = stages("pruned", 0.92, 1.0, "measuring the pruned model", steps.measured(subject, result.module))
    achieved = steps.fractions(subject.structure.cost(plan.kept(subject.structure)), subject.structure.cost())
    warnings += recovery.values["warnings"]
    warnings += afterthoughts(spec, base.values, as_cut.values, pruned.values)
    return Outcome(
        loaded=subject.loaded,
        task=subject.task,
        structure=subject.structure,
        device=subject.device,
        module=result.module,
        plan=plan,
        attributes=result.attributes,
        base=steps.measurement(base),
        as_cut=steps.measurement(as_cut),
        pruned=steps.measurement(pruned),
        target=spec.keep,
        achieved=achieved,
        groups=steps.widths(subject.structure, plan),
        scores=steps.summary(scores),
        recovery=recovery.values,
        warnings=warnings,
        seconds=stages.seconds,
    )


def _choose(subject: steps.Subject, spec: "Spec", stages: Stages) -> tuple[Plan, Scores | None, list[str]]:
    if spec.plan is not None:
        return steps.explicit_plan(subject, spec), None, []
    record = stages(
        "scores", 0.05, 0.25, "scoring the channels", lambda report: steps.score_subject(subject, spec, report)
    )
    scores = steps.scores_of(record)
    plan, warnings = steps.choose(subject, spec, scores)
    meaningless = steps.meaningless_scores(subject.task, spec.criterion)
    return plan, scores, [*warnings, *filter(None, [meaningless])]


def _refuse_nothing(structure: Structure, spec: "Spec", plan: Plan, scores: Scores | None) -> None:
    """Raises with the reason when the plan removes no unit."""
    if not plan.empty:
        return
    if spec.plan is not None:
        reason = "the plan names no units"
    elif scores is not None and set(structure.groups) <= {*spec.locked, *scores.skipped}:
        reason = "every group is locked, or can't be scored by this criterion"
    elif spec.ratios:
        reason = "every ratio is less than one unit of its group"
    else:
        reason = f"no group can lose a unit without passing {spec.target()} or the minimum of {spec.minimum:g}"
    raise ExplorerError(f"nothing would be removed: {reason}; ask for more")


def afterthoughts(spec: "Spec", base: dict[str, Any], as_cut: dict[str, Any], pruned: dict[str, Any]) -> list[str]:
    """What a person should know about a result that is not what was hoped for."""
    warnings = []
    for kind, name in (("params", "parameters"), ("macs", "MACs")):
        if pruned[kind] >= base[kind]:
            warnings.append(f"the {name} did not become fewer: {pruned[kind]:,}, before {base[kind]:,}")
    if pruned["latency_ms"] > _NOISE * base["latency_ms"]:
        spread = pruned["latency_ms"] <= base["latency"][0]["p95_ms"]
        reason = (
            "within the spread of the measurement, so measure again on a quiet machine"
            if spread
            else "the device likes these widths less, or waits for something that no cut removes"
        )
        warnings.append(
            f"the pruned model takes {pruned['latency_ms']:.2f} ms for one input instead of "
            f"{base['latency_ms']:.2f} ms, although it computes less: {reason}"
        )
    found = [headline(measurement) for measurement in (base, as_cut, pruned)]
    if all(found):
        warnings += _quality_words(spec, *found)
    return warnings


def _quality_words(spec: "Spec", base: Headline, as_cut: Headline, pruned: Headline) -> list[str]:
    metric = base.metric
    before, cut, after = (metric.text(found.value) for found in (base, as_cut, pruned))
    if pruned.value < as_cut.value:
        return [f"recovery {spec.recover!r} lowered test {metric.short} from {cut} to {after}"]
    if spec.recover == "none" and base.value - pruned.value > _COLLAPSE:
        fell = f"{metric.short} fell from {before} to {after}"
        return [f"{fell}: usual right after a cut, recovery gives most of it back"]
    return []
