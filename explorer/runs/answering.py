"""What questions call: the engine with the model and its data kept open from one question to the next."""

import contextlib
from dataclasses import dataclass, replace
from typing import Any

from explorer.batches import Samples
from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation.side_by_side import side_by_side
from explorer.memory import Kept, limit
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import RecoveryStage, recovery_stage
from explorer.methods.studies.repair import repair
from explorer.methods.tools import steps
from explorer.methods.tools.portions import in_memory, portion
from explorer.progress import Report, part
from explorer.pruning import Plan, cut
from explorer.recovery import RECOVERIES
from explorer.recovery.portion import repair_samples
from explorer.sources.stamps import stamp_of
from explorer.tasks import Accuracy

_TIMED = 0.5  # seconds that two networks are timed in turns, at least
_OPEN = Kept(lambda: limit() // 2)  # a server and its workers share the machine's memory


@dataclass(frozen=True)
class Open:
    """A model with its data, and the samples that it is repaired with and judged by, in memory."""

    subject: steps.Subject
    calibration: Samples
    judged: Samples


def opened(spec: Spec, report: Report) -> Open:
    """The spec's model and data, opened once as long as memory lets them stay and no file of theirs changes.

    A question that another one has replaced still opens them: the next one needs the same.

    Raises:
        ExplorerError: see `explorer.methods.tools.steps.open_subject`.
    """

    def told(fraction: float, message: str, **metrics: float) -> None:
        with contextlib.suppress(Cancelled):
            report(fraction, message, **metrics)

    def make() -> Open:
        subject = steps.open_subject(replace(spec, plan=None, skip=(), recover="none"), part(told, 0.0, 0.7))
        macs = subject.structure.cost().macs
        told(0.7, f"reading {spec.data}")
        calibration = in_memory(repair_samples(subject.task.calibration, macs))
        told(0.85, f"reading {spec.data}, what is judged by")
        return Open(subject, calibration, in_memory(portion(subject.task.validation, macs)))

    key = spec.model, spec.data, spec.input_shape, spec.device, stamp_of(spec.model), stamp_of(spec.data)
    return _OPEN.get(key, make)


def repaired(spec: Spec, report: Report) -> dict[str, Any]:
    """What the spec's plan costs after a repair, see `explorer.methods.studies.repair`.

    Returns:
        ``{recovery, by, seconds, warnings, METRIC, METRIC_low, METRIC_high, samples, metric, answers}``: `metric` is
        the name of METRIC, `answers` the class that is answered for each sample of the validation slice, None where the
        task has none.

    Raises:
        ExplorerError: the spec has no plan, or see `repair`.
    """
    plan, found = _plan(spec), opened(spec, part(report, 0.0, 0.3))
    subject = found.subject
    stage = repair(
        subject.module,
        subject.structure,
        subject.task,
        plan,
        data=found.judged,
        calibration=found.calibration,
        device=subject.device,
        report=part(report, 0.3, 1.0),
    )
    return _told(stage, subject)


def judged(spec: Spec, report: Report) -> dict[str, Any]:
    """What the spec's plan costs as cut, in the words of `repaired`.

    Raises:
        ExplorerError: the spec has no plan, or see `explorer.methods.studies.ladder.recovery_stage`.
    """
    return recovered(replace(spec, recover="none"), report)


def recovered(spec: Spec, report: Report) -> dict[str, Any]:
    """What the spec's plan costs after the spec's own recovery, in the words of `repaired`.

    Raises:
        ExplorerError: the spec has no plan, its recovery trains, or see `explorer.methods.studies.ladder`.
    """
    if RECOVERIES[spec.recover].trains:
        raise ExplorerError(f"{spec.recover!r} trains, which no question waits for: start a job of kind ladder")
    plan, found = _plan(spec), opened(spec, part(report, 0.0, 0.3))
    subject = found.subject
    stage = recovery_stage(
        spec.recover,
        subject.module,
        subject.structure,
        replace(subject.task, calibration=found.calibration),
        plan.check(subject.structure),
        data=found.judged,
        device=subject.device,
        report=part(report, 0.3, 1.0),
    )
    return _told(stage, subject)


def timed(spec: Spec, report: Report) -> dict[str, Any]:
    """How long the spec's plan takes against the whole network, both in turns, on noise of the network's input.

    Returns:
        The JSON of a `LatencyRatio`.

    Raises:
        ExplorerError: the spec has no plan, or see `explorer.evaluation.side_by_side`.
    """
    plan, subject = _plan(spec), opened(spec, part(report, 0.0, 0.3)).subject
    smaller = cut(subject.module, subject.structure, plan.check(subject.structure)).module
    shape = tuple(subject.loaded.example().shape[1:])
    told = part(report, 0.3, 1.0)
    (found,) = side_by_side(
        subject.module, smaller, shape, device=subject.device, batches=(spec.batch,), seconds=_TIMED, report=told
    )
    return found.to_json()


def _plan(spec: Spec) -> Plan:
    """The plan that a question is about; an empty one is the whole network."""
    if spec.keep or spec.ratios or spec.sparsity is not None:
        raise ExplorerError("a question is asked for a plan: say which channels go, no target and no ratios")
    return Plan(spec.model, spec.plan or {}, spec.skip)


def _told(stage: RecoveryStage, subject: steps.Subject) -> dict[str, Any]:
    """A stage as a question's answer."""
    answers = stage.quality.predictions.tolist() if isinstance(stage.quality, Accuracy) else None
    return {**stage.to_json(), "metric": subject.task.metric, "answers": answers}
