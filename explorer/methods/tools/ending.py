"""How every method ends: the cut model gets its final weights, is measured, and is handed back."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from explorer.criteria import Scores
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.stages import Record, Stages
from explorer.pruning import CutModel, Plan
from explorer.tasks import Headline, headline

Measured = dict[str, Any]
_NOISE = 1.05  # a latency within 5 % of another says nothing
_COLLAPSE = 0.1  # of the metric, lost without recovery, that deserves a word


def ending(
    subject: steps.Subject,
    spec: Spec,
    stages: Stages,
    plan: Plan,
    result: CutModel,
    *,
    base: Record,
    as_cut: Record,
    recovery: Record,
    scores: Scores | None,
    warnings: Iterable[str],
    start: float,
    history: Sequence[dict[str, Any]] = (),
) -> Outcome:
    """The outcome of a run whose plan and weights are settled.

    Args:
        result: the base model cut by the plan; it gets the recovery's weights.
        base: measurement of the whole model, `as_cut` of `result` as it was cut.
        recovery: the weights, and what recovery did.
        start: where in the run the last measurement begins.
        history: what a gradual method tells of its steps.
    """
    result.module.load_state_dict(recovery.tensors)
    result.module.eval()
    pruned = stages("pruned", start, 1.0, "measuring the pruned model", steps.measured_beside(subject, result.module))
    against = steps.against_base(base, pruned)
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
        against_base=against,
        target=spec.keep,
        achieved=steps.fractions(plan.cost(subject.structure), subject.structure.cost()),
        groups=steps.widths(subject.structure, plan),
        scores=steps.summary(scores),
        recovery=recovery.values,
        warnings=[
            *warnings,
            *recovery.values["warnings"],
            *afterthoughts(spec, base.values, as_cut.values, pruned.values, against["latency"]),
        ],
        seconds=stages.seconds,
        steps=list(history),
    )


def afterthoughts(
    spec: Spec, base: Measured, as_cut: Measured, pruned: Measured, latency: Sequence[dict[str, Any]]
) -> list[str]:
    """What a person should know about a result that is not what was hoped for.

    Args:
        latency: the ratios to the base, see `steps.against_base`.
    """
    warnings = []
    for kind, name in (("params", "parameters"), ("macs", "MACs")):
        if pruned[kind] >= base[kind]:
            warnings.append(f"the {name} did not become fewer: {pruned[kind]:,}, before {base[kind]:,}")
    if latency and (slower := _slower(latency[0])):
        warnings.append(slower)
    metrics = [headline(measurement) for measurement in (base, as_cut, pruned)]
    if all(metrics):
        warnings += _quality_words(spec, *metrics)
    return warnings


def _slower(found: Mapping[str, Any]) -> str | None:
    """The warning that the end takes longer than its base for the first batch size, timed in turns."""
    if found["ratio"] <= _NOISE:
        return None
    reason = (
        "within the spread of the measurement, so measure again on a quiet machine"
        if found["low"] <= 1
        else "the device likes these widths less, or waits for something that no cut removes"
    )
    inputs = "one input" if found["batch"] == 1 else f"{found['batch']} inputs"
    return (
        f"the pruned model takes {found['ms']:.2f} ms for {inputs} instead of {found['base_ms']:.2f} ms, although it "
        f"computes less: {reason}"
    )


def _quality_words(spec: Spec, base: Headline, as_cut: Headline, pruned: Headline) -> list[str]:
    metric = base.metric
    before, cut, after = (metric.text(found.value) for found in (base, as_cut, pruned))
    if metric.better(as_cut.value, pruned.value):
        verb = "lowered" if metric.higher_is_better else "raised"
        return [f"recovery {spec.recover!r} {verb} test {metric.short} from {cut} to {after}"]
    if spec.recover == "none" and metric.gain(pruned.value, base.value) < -_COLLAPSE:
        fell = f"{metric.short} fell from {before} to {after}"
        return [f"{fell}: usual right after a cut, recovery gives most of it back"]
    return []
