"""Specs carried out: what the command line and the worker both call."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from explorer.device import choose_device, describe_device
from explorer.distributed import shared
from explorer.errors import Cancelled, ExplorerError, ResourceError
from explorer.export import Exportable, write_bundle
from explorer.export.layout import REPORT
from explorer.files import write_json
from explorer.methods import METHODS, Memo, Outcome, forgetful, removes
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.progress import Report, part, silent
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.claim import claim, finished_run
from explorer.runs.history.tracking import Tracker
from explorer.runs.identity import Origin
from explorer.runs.kept_steps import Steps
from explorer.runs.labels import beside, home_of, new_label
from explorer.runs.result import RunResult, blocked
from explorer.runs.versions import versions
from explorer.tasks import Task, census


def execute(
    spec: Spec,
    out: Path | None,
    report: Report = silent,
    *,
    resume: bool = False,
    tracker: Tracker | None = None,
    id: str = "",
) -> RunResult:
    """Prunes as the spec says and writes the bundle to the folder `out`, whole or not at all.

    Finished steps are kept in ``<out>.partial`` until the bundle is written, and stay there when the run is
    interrupted, killed, or out of memory or room. With `resume` they are taken over by a run with the same spec, and a
    run that had finished is only read. Without `out` nothing is written. The models of accepted steps lie in
    ``out/steps/NN``, each to be loaded as a ``run:``. The `tracker` keeps the run's history. `id` is the run's, where
    it has one already.

    Raises:
        ExplorerError: bad input, an `out` that can't be written, has another process at it, or another run's steps.
        Cancelled: the report asked to stop.
    """
    started = time.perf_counter()
    check(spec)
    if out is None:
        return _prune(spec, report, forgetful, started)[1]
    tracker = tracker or Tracker()
    with Checkpoint(claim(out, spec), spec, resume=resume) as checkpoint:
        done = finished_run(out, spec) if resume else None
        resumed = bool(checkpoint.finished())
        if done is not None and not resumed:
            return done
        origin = Origin.of(spec.model, checkpoint.folder, id)
        tracker.begin(spec, origin, _tags(spec), resumed=resumed)
        try:
            result = done or _carry_out(spec, out, report, checkpoint, origin, tracker, started)
        except BaseException as error:
            stopped = isinstance(error, Cancelled) or not isinstance(error, Exception)
            tracker.ended("KILLED" if stopped else "FAILED")
            raise
        if troubles := tracker.finished(result, out):
            result = replace(result, warnings=[*result.warnings, *troubles])
            write_json(out / REPORT, result.to_json())
        checkpoint.remove()
        if home_of(out) == out:  # no run of the app, which has named it already
            _name(out, origin)
        return result


def _chance(task: Task) -> float | None:
    """What always giving the same answer gets on the task's test split."""
    majority = census(task).majority()
    return majority and majority[1]


def _name(out: Path, origin: Origin) -> None:
    """Gives the run its name and colour; where they can't be written, those that follow from its folder stay."""
    with suppress(OSError):
        new_label(out, origin.id, beside(out))


def _prune(spec: Spec, report: Report, memo: Memo, started: float) -> tuple[Outcome, RunResult]:
    """The outcome of the spec's method, and the result as far as it is known before an export."""
    with _overheard() as heard:
        outcome = METHODS[spec.method].function(spec, report, shared(memo))
    result = RunResult(
        base=outcome.base,
        as_cut=outcome.as_cut,
        pruned=outcome.pruned,
        against_base=outcome.against_base,
        chance=_chance(outcome.task),
        target=outcome.target,
        achieved=outcome.achieved,
        budget=outcome.budget,
        sparse=outcome.sparse,
        seconds=time.perf_counter() - started,
        stages=outcome.seconds,
        steps=outcome.steps,
        groups=outcome.groups,
        blocked=blocked(outcome.structure),
        warnings=list(dict.fromkeys([*outcome.warnings, *heard])),
        scores=outcome.scores,
        recovery=outcome.recovery,
        device=describe_device(outcome.device),
        spec=spec.to_json(),
        versions=versions(),
    )
    return outcome, result


def _carry_out(
    spec: Spec,
    out: Path,
    report: Report,
    checkpoint: Checkpoint,
    origin: Origin,
    tracker: Tracker,
    started: float,
) -> RunResult:
    """The whole run, with its steps remembered and its bundle written."""
    kept = Steps(checkpoint, origin)
    memo, watched = tracker.remembering(kept), tracker.watching(part(report, 0.0, 0.85))
    try:
        outcome, result = _prune(spec, watched, memo, started)
    except ResourceError:
        raise
    except ExplorerError:
        checkpoint.refuse()
        raise
    told, warnings = kept.choose(result.steps)
    result = replace(result, steps=told, warnings=[*result.warnings, *warnings], bundle=origin.to_json())
    made = "pruned" if removes(spec.method) else "trained"
    written = write_bundle(out, _exportable(outcome, kept, made), result.to_json(), report=part(report, 0.85, 1.0))
    return RunResult.from_json(written)


def _tags(spec: Spec) -> dict[str, str]:
    """What a run depends on besides its spec."""
    return {"device": describe_device(choose_device(spec.device)), **versions()}


def _exportable(outcome: Outcome, kept: Steps, made: str) -> Exportable:
    return Exportable(
        outcome.module,
        outcome.loaded,
        outcome.task,
        f"{outcome.loaded.title}, {made}",
        outcome.plan,
        attributes=outcome.attributes,
        pruned_at=outcome.pruned_at,
        made=made,
        steps=kept.write,
    )


@contextmanager
def _overheard() -> Iterator[list[str]]:
    """The engine's logged warnings, for example that a batch had to be halved."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())
    logger = logging.getLogger("explorer")
    logger.addHandler(handler)
    try:
        yield heard
    finally:
        logger.removeHandler(handler)
