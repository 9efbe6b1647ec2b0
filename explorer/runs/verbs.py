"""What the command line and the worker call besides whole runs: score, evaluate, sensitivity, ladder, export."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.criteria import CRITERIA, Scores, estimate
from explorer.device import choose_device, describe_device
from explorer.errors import ExplorerError, unknown
from explorer.evaluation import measure
from explorer.evaluation.measurement import Measurement
from explorer.export import FORMATS, Exportable, write_alone
from explorer.files import check_file
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import RecoveryComparison, ladder
from explorer.methods.studies.recovery_stages import RECOVERY_STAGES
from explorer.methods.studies.sensitivity import RATIOS, Sensitivity, sensitivity
from explorer.methods.tools import steps
from explorer.progress import Report, part, silent
from explorer.pruning import Plan
from explorer.sources import load_pair


@dataclass(frozen=True)
class Evaluation:
    """A model's measurement, and the device that it was made on, in words."""

    measurement: Measurement
    device: str

    def to_json(self) -> dict[str, Any]:
        """The measurement's object, with the `device`."""
        return {**self.measurement.to_json(), "device": self.device}


def score_model(spec: Spec, report: Report = silent) -> Scores:
    """The spec's criterion on every group that it can score."""
    subject = steps.open_subject(spec, part(report, 0.0, 0.2))
    return steps.scores_of(steps.score_subject(subject, spec, part(report, 0.2, 1.0)))


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


def evaluate_model(spec: Spec, report: Report = silent) -> Evaluation:
    """The model's measurement on the test split."""
    device = choose_device(spec.device)
    report(0.0, f"loading {spec.model} and {spec.data}")
    loaded, task = load_pair(spec.model, spec.data, input_shape=spec.input_shape)
    measurement = measure(loaded.module, task, loaded.example(), device=device, report=part(report, 0.1, 1.0))
    return Evaluation(measurement, describe_device(device))


def sensitivity_of(
    spec: Spec, ratios: Sequence[float] | None, report: Report = silent, *, anew: bool = False
) -> Sensitivity:
    """See `explorer.methods.studies.sensitivity`; `ratios` None: its default."""
    return sensitivity(spec, RATIOS if ratios is None else ratios, report, anew=anew)


def ladder_of(spec: Spec, last: str, report: Report = silent) -> RecoveryComparison:
    """See `explorer.methods.studies.ladder`, up to the recovery `last`."""
    if last not in RECOVERY_STAGES:
        raise unknown("recovery stage", last, RECOVERY_STAGES)
    recoveries = list(RECOVERY_STAGES)
    return ladder(spec, recoveries[: recoveries.index(last) + 1], report)


def export_run(ref: str, path: Path, report: Report = silent, *, name: str = "onnx") -> dict[str, Any]:
    """Writes a saved run as one file, compared with the model on inputs of the data it was made with.

    Args:
        name: of a format whose file stands alone, see `explorer.export.FORMATS`.

    Returns:
        ``{out, …}`` with what the format tells of its file.

    Raises:
        ExplorerError: the ref is no saved run, the path can't be written, or the file computes something else.
    """
    if not ref.startswith("run:"):
        raise ExplorerError(f"{ref!r} is no saved run: give run:DIR with the --out of a prune command")
    alone = {entry.name: entry for entry in FORMATS.values() if entry.alone}
    if name not in alone:
        raise unknown("format", name, alone)
    title, suffix = alone[name].title, Path(alone[name].file).suffix
    if path.suffix != suffix:
        raise ExplorerError(f"--out {path} is no {title} file: name it FILE{suffix}")
    check_file(path, alone[name].ours or (lambda found: False))
    report(0.0, f"loading {ref}")
    loaded, task = load_pair(ref)
    exported = Exportable(loaded.module, loaded, task, loaded.title, Plan(ref, {}))
    return {"out": str(path), **write_alone(name, exported, path, report=part(report, 0.2, 1.0))}
