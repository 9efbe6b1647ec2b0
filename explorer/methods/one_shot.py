"""One-shot pruning: score once, cut once, recover once."""

from dataclasses import replace
from typing import Any

from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.registry import method
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.choosing import choose
from explorer.methods.tools.ending import ending
from explorer.methods.tools.outcome import Outcome
from explorer.methods.tools.stages import Memo, Stages, forgetful
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.recovery import Origin
from explorer.structure import Structure


@method(
    "one-shot",
    title="One shot",
    explanation="Scores every channel once on the whole model, removes the lowest at once, then recovers accuracy.",
)
def one_shot(spec: Spec, report: Report = silent, memo: Memo = forgetful) -> Outcome:
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
    plan, scores, warnings, account = _choose(subject, spec, stages)
    _refuse_nothing(subject.structure, spec, plan, scores)
    base = stages("base", 0.25, 0.35, "measuring the base model", steps.measured(subject, subject.module))
    result = steps.cut_exactly(subject, plan)
    as_cut = stages("cut", 0.35, 0.42, "measuring the cut", steps.measured(subject, result.module))
    origin = Origin(subject.module, subject.structure, plan)
    recovery = stages("recovery", 0.42, 0.92, "recovering", steps.recovered(subject, spec, result.module, origin))
    outcome = ending(
        subject,
        spec,
        stages,
        plan,
        result,
        base=base,
        as_cut=as_cut,
        recovery=recovery,
        scores=scores,
        warnings=warnings,
        start=0.92,
    )
    return replace(outcome, budget=account)


def _choose(
    subject: steps.Subject, spec: Spec, stages: Stages
) -> tuple[Plan, Scores | None, list[str], dict[str, Any]]:
    if spec.explicit:
        return steps.explicit_plan(subject, spec), None, [], {}
    record = stages(
        "scores", 0.05, 0.25, "scoring the channels", lambda report: steps.score_subject(subject, spec, report)
    )
    scores = steps.scores_of(record)
    plan, warnings, account = choose(subject, spec, scores)
    meaningless = steps.meaningless_scores(subject.task, spec.criterion)
    return plan, scores, [*warnings, *filter(None, [meaningless])], account


def _refuse_nothing(structure: Structure, spec: Spec, plan: Plan, scores: Scores | None) -> None:
    """Raises with the reason when the plan removes no unit."""
    if not plan.empty:
        return
    if spec.explicit:
        reason = "the plan names no units"
    elif scores is not None and set(structure.groups) <= {*spec.locked, *scores.skipped}:
        reason = "every group is locked, or can't be scored by this criterion"
    elif spec.ratios:
        reason = "every ratio is less than one unit of its group"
    else:
        targets = " and ".join(map(str, spec.targets()))
        reason = f"no group can lose a unit without passing {targets} or the minimum of {spec.minimum:g}"
    raise ExplorerError(f"nothing would be removed: {reason}; ask for more")
