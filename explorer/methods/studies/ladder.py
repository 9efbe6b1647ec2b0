"""A recovery comparison: what a plan costs in accuracy as cut, and what each recovery brings back."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from explorer.batches import Samples
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.methods.tools import steps
from explorer.methods.tools.choosing import choose
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut, exact, mask
from explorer.recovery import Origin, recover
from explorer.structure import Structure
from explorer.tasks import Accuracy, Quality, Task, evaluate


@dataclass(frozen=True)
class RecoveryStage:
    """The task's metric after one recovery.

    Args:
        recovery: its name.
        quality: the metric.
        by: how it was found: "mask" (the whole network with weights at zero) or "cut".
        seconds: that the recovery took, without the evaluation.
        warnings: for example that there is no batch norm.
    """

    recovery: str
    quality: Accuracy | Quality
    by: str
    seconds: float
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "recovery": self.recovery,
            "by": self.by,
            "seconds": self.seconds,
            "warnings": list(self.warnings),
            **self.quality.to_json(),
        }


@dataclass(frozen=True)
class RecoveryComparison:
    """A recovery comparison.

    Args:
        metric: the task's.
        base: that of the whole network.
        kept: what the plan leaves of params and MACs, as fractions.
        stages: the metric after each recovery.
        warnings: about the plan, for example that a target can't be met.
    """

    metric: str
    base: Accuracy | Quality
    kept: Mapping[str, float]
    stages: tuple[RecoveryStage, ...]
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """``{metric, base: {METRIC, low, high, samples}, kept: {params, macs}, rungs: [{recovery, by, …}], warnings}``.

        METRIC is the name that `metric` tells, for images ``top1``, from 0 to 1.
        """
        return {
            "metric": self.metric,
            "base": self.base.to_json(),
            "kept": dict(self.kept),
            "rungs": [stage.to_json() for stage in self.stages],
            "warnings": list(self.warnings),
        }


def recovery_stage(
    recovery: str,
    module: nn.Module,
    structure: Structure,
    task: Task,
    plan: Plan,
    *,
    data: Samples,
    device: torch.device,
    epochs: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> RecoveryStage:
    """The task's metric on `data` after the plan and a recovery; the module is not written to.

    Without recovery the network is masked where that equals the cut, and else cut.

    Raises:
        ExplorerError: see `explorer.pruning`, `explorer.recovery.recover` and `explorer.tasks.evaluate`.
    """
    start = time.perf_counter()
    if recovery == "none" and exact(structure, plan):
        smaller, by, warnings = mask(module, structure, plan), "mask", ()
    else:
        smaller, by = cut(module, structure, plan).module, "cut"
        stage = part(report, 0.0, 0.9)
        origin = Origin(module, structure, plan)
        history = recover(recovery, smaller, task, device=device, epochs=epochs, seed=seed, origin=origin, report=stage)
        warnings = history.warnings
    seconds = time.perf_counter() - start
    quality = evaluate(smaller, data, kind=task.kind, device=device, report=part(report, 0.9, 1.0))
    return RecoveryStage(recovery, quality, by, seconds, warnings)


def ladder(
    spec: Spec, recoveries: Sequence[str] = tuple(RECOVERY_STAGES), report: Report = silent
) -> RecoveryComparison:
    """The validation metric of the whole network and of the spec's plan after each recovery.

    Fine-tuning keeps the best of its epochs by the same validation data, so its stage is a little too high; a run's
    measurement on the test split is not.

    Raises:
        ExplorerError: data whose accuracy means nothing; see `recovery_stage`.
    """
    subject = steps.open_subject(spec, part(report, 0.0, 0.05))
    task, structure = subject.task, subject.structure
    if not task.measured:
        raise ExplorerError(f"accuracy on {spec.data!r} means nothing: use real data, for example --data digits")
    warnings: list[str] = []
    if spec.explicit:
        plan = steps.explicit_plan(subject, spec)
    else:
        scores = steps.scores_of(steps.score_subject(subject, spec, part(report, 0.05, 0.2)))
        plan, warnings, _ = choose(subject, spec, scores)
    data, device = task.validation, subject.device
    base = evaluate(subject.module, data, kind=task.kind, device=device, report=part(report, 0.2, 0.25))
    stages = []
    for index, recovery in enumerate(recoveries):
        stretch = [0.25 + 0.75 * (index + i) / len(recoveries) for i in (0, 1)]
        found = recovery_stage(
            recovery,
            subject.module,
            structure,
            task,
            plan,
            data=data,
            device=device,
            epochs=spec.epochs,
            seed=spec.seed,
            report=part(report, *stretch),
        )
        stages.append(found)
    kept = steps.fractions(plan.cost(structure), structure.cost())
    return RecoveryComparison(task.metric, base, kept, tuple(stages), tuple(warnings))
