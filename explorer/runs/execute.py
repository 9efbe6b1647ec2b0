"""Specs carried out: what the command line and the worker both call."""

import logging
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from explorer.criteria import CRITERIA, estimate
from explorer.device import choose_device, describe_device
from explorer.distributed import shared
from explorer.errors import Cancelled, ExplorerError, ResourceError, unknown
from explorer.evaluation import fetch, measure
from explorer.export import check_onnx, export_onnx, write_bundle
from explorer.export.bundle import CLASSIFICATION
from explorer.export.layout import REPORT
from explorer.files import place, write_json
from explorer.methods import METHODS, Memo, Outcome, forgetful
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import ladder
from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.methods.studies.sensitivity import RATIOS, sensitivity
from explorer.methods.tools import steps
from explorer.progress import Report, part, silent
from explorer.runs.checkpoint import Checkpoint
from explorer.runs.claim import claim, finished_run
from explorer.runs.history.tracking import Tracker
from explorer.runs.identity import Origin
from explorer.runs.kept_steps import Steps
from explorer.runs.versions import versions
from explorer.sources import load_model, load_pair
from explorer.structure import Structure, analyse


def execute(
    spec: Spec,
    out: Path | None,
    report: Report = silent,
    *,
    resume: bool = False,
    tracker: Tracker | None = None,
) -> dict[str, Any]:
    """Prunes as the spec says and writes the bundle to the folder `out`, whole or not at all.

    Finished steps are kept in ``<out>.partial`` until the bundle is written, and stay there when the run is
    interrupted, killed, or out of memory or room. With `resume` they are taken over by a run with the same spec, and a
    run that had finished is only read. Without `out` nothing is written. The models of accepted steps lie in
    ``out/steps/NN``, each to be loaded as a ``run:``. The `tracker` keeps the run's history.

    Returns:
        A JSON object: `base`, `as_cut`, `pruned` (measurements on the test split), `target`, `achieved`, `budget`,
        `sparse`, `seconds` (up to the export), `stages` (seconds of each), `steps` (of gradual methods), `groups`
        ``[{name, size, kept}]`` in channels, `blocked`, `warnings`, `scores`, `recovery`, `device`, `spec`,
        `versions`; with `out` also `out`, `onnx` ``{max_abs_diff, top1, …}``, `checks`, and the run's `id`, `created`
        and `parent`, see `Origin`; kept steps have their `folder` in `out`.

    Raises:
        ExplorerError: bad input, an `out` that can't be written, has another process at it, or another run's steps.
        Cancelled: the report asked to stop.
    """
    started = time.perf_counter()
    check(spec)
    if out is None:
        return _prune(spec, report, forgetful, started)[1]
    tracker = tracker or Tracker()
    with Checkpoint(claim(out), spec, resume=resume) as checkpoint:
        done = finished_run(out, spec) if resume else None
        resumed = bool(checkpoint.finished())
        if done is not None and not resumed:
            return done
        origin = Origin.of(spec.model, checkpoint.folder)
        tracker.begin(spec, origin, _tags(spec), resumed=resumed)
        try:
            result = done or _carry_out(spec, out, report, checkpoint, origin, tracker, started)
        except BaseException as error:
            stopped = isinstance(error, Cancelled) or not isinstance(error, Exception)
            tracker.ended("KILLED" if stopped else "FAILED")
            raise
        if troubles := tracker.finished(result, out):
            result["warnings"] += troubles
            write_json(out / REPORT, result)
        checkpoint.remove()
        return result


def inspect_model(ref: str, input_shape: tuple[int, ...] | None, report: Report = silent) -> dict[str, Any]:
    """Groups, residual blocks and cost of a model; `params` and `macs` of each are what removing it would save."""
    report(0.0, f"loading {ref}")
    loaded = load_model(ref, input_shape=input_shape)
    report(0.5, "finding the groups")
    structure = analyse(loaded.module, loaded.example())
    cost = structure.cost()
    groups = []
    for name, group in structure.groups.items():
        saving = structure.saving(name)
        groups.append(
            {
                "name": name,
                "kind": group.kind,
                "size": group.size,
                "unit": group.unit,
                "exact": group.exact,
                "reason": group.reason,
                "members": len(group.members),
                "params": saving.params,
                "macs": saving.macs,
            }
        )
    return {
        "model": ref,
        "params": cost.params,
        "macs": cost.macs,
        "input": list(loaded.input_shape),
        "groups": groups,
        "blocks": [{"name": name, **asdict(b.cost_model(structure.full))} for name, b in structure.blocks.items()],
        "blocked": _blocked(structure),
    }


def score_model(spec: Spec, report: Report = silent) -> dict[str, Any]:
    """``{criterion, seconds, groups: {name: [one score per unit]}, skipped: {name: reason}}``."""
    subject = steps.open_subject(spec, part(report, 0.0, 0.2))
    return steps.scores_of(steps.score_subject(subject, spec, part(report, 0.2, 1.0))).to_json()


def estimate_scoring(spec: Spec, report: Report = silent) -> float:
    """Seconds that the network's passes in `score_model` will take, see `explorer.criteria.estimate`."""
    subject = steps.open_subject(spec, part(report, 0.0, 0.5))
    return estimate(
        CRITERIA[spec.criterion],
        subject.module,
        subject.structure,
        subject.task.calibration,
        spec.samples,
        subject.device,
        report=part(report, 0.5, 1.0),
    )


def evaluate_model(spec: Spec, report: Report = silent) -> dict[str, Any]:
    """The model's measurement on the test split, with the device."""
    device = choose_device(spec.device)
    report(0.0, f"loading {spec.model} and {spec.data}")
    loaded, task = load_pair(spec.model, spec.data, input_shape=spec.input_shape)
    found = measure(loaded.module, task, loaded.example(), device=device, report=part(report, 0.1, 1.0))
    return {**found, "device": describe_device(device)}


def sensitivity_of(
    spec: Spec, ratios: Sequence[float] | None, report: Report = silent, *, anew: bool = False
) -> dict[str, Any]:
    """See `explorer.methods.studies.sensitivity`; `ratios` None: its default."""
    return sensitivity(spec, RATIOS if ratios is None else ratios, report, anew=anew).to_json()


def ladder_of(spec: Spec, last: str, report: Report = silent) -> dict[str, Any]:
    """See `explorer.methods.studies.ladder`, up to the recovery `last`."""
    if last not in RECOVERY_STAGES:
        raise unknown("rung", last, RECOVERY_STAGES)
    recoveries = list(RECOVERY_STAGES)
    return ladder(spec, recoveries[: recoveries.index(last) + 1], report).to_json()


def _prune(spec: Spec, report: Report, memo: Memo, started: float) -> tuple[Outcome, dict[str, Any]]:
    """The outcome of the spec's method, and the result as far as it is known before an export."""
    with _overheard() as heard:
        outcome = METHODS[spec.method].function(spec, report, shared(memo))
    result = {
        **outcome.to_json(),
        "seconds": time.perf_counter() - started,
        "blocked": _blocked(outcome.structure),
        "warnings": list(dict.fromkeys([*outcome.warnings, *heard])),
        "device": describe_device(outcome.device),
        "spec": spec.to_json(),
        "versions": versions(),
    }
    return outcome, result


def _carry_out(
    spec: Spec,
    out: Path,
    report: Report,
    checkpoint: Checkpoint,
    origin: Origin,
    tracker: Tracker,
    started: float,
) -> dict[str, Any]:
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
    result["steps"], warnings = kept.choose(result["steps"])
    result["warnings"] += warnings
    return _bundle(out, outcome, result | origin.to_json(), kept, part(report, 0.85, 1.0))


def _tags(spec: Spec) -> dict[str, str]:
    """What a run depends on besides its spec."""
    return {"device": describe_device(choose_device(spec.device)), **versions()}


def _bundle(out: Path, outcome: Outcome, result: dict[str, Any], kept: Steps, report: Report) -> dict[str, Any]:
    """Writes the bundle; its report is the result of the run."""
    loaded, task = outcome.loaded, outcome.task
    return write_bundle(
        out,
        outcome.module,
        architecture=loaded.architecture,
        attributes=outcome.attributes,
        plan=outcome.plan.to_json(),
        result=result,
        data=task.test,
        input_shape=loaded.input_shape,
        classes=task.classes if task.measured else loaded.classes,
        title=f"{loaded.title}, pruned",
        model=loaded.ref,
        data_ref=task.ref,
        measured=task.measured,
        trained=loaded.trained,
        normalisation=(task.mean, task.std) if task.mean else None,
        kind=loaded.kind,
        example=None if loaded.tokenizer is None and len(loaded.input_shape) == 3 else loaded.example(2),
        tokenizer=loaded.tokenizer,
        pruned_at=outcome.pruned_at,
        further=kept.write,
        report=report,
    )


def export_run(ref: str, path: Path, report: Report = silent) -> dict[str, Any]:
    """Writes a saved run as one ONNX file, compared with the model on inputs of the data it was made with.

    Raises:
        ExplorerError: the ref is no saved run, the path can't be written, or the file computes something else.
    """
    if not ref.startswith("run:"):
        raise ExplorerError(f"{ref!r} is no saved run: give run:DIR with the --out of a prune command")
    if path.suffix != ".onnx":
        raise ExplorerError(f"--out {path} is no ONNX file: name it FILE.onnx")
    report(0.0, f"loading {ref}")
    loaded, task = load_pair(ref)
    images, labels = fetch(task.test, torch.arange(min(len(task.test), 256)))
    with tempfile.TemporaryDirectory() as folder:
        report(0.2, "writing the ONNX file")
        trial = Path(folder) / path.name
        written = export_onnx(loaded.module, loaded.example(2), trial)
        judged = labels if task.measured and task.kind in CLASSIFICATION else None
        checked = check_onnx(trial, loaded.module, images, judged, report=part(report, 0.6, 1.0))
        place(trial, path)
    return {"out": str(path), **written, **checked, "top1": checked["top1_onnx"]}


def _blocked(structure: Structure) -> list[dict[str, Any]]:
    return [{"name": entry.name, "size": entry.size, "reason": entry.reason} for entry in structure.blocked]


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
