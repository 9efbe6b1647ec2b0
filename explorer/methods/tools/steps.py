"""The verbs that every method is composed of, joined to a spec: open, score, choose, cut, recover, measure."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from explorer.criteria import CRITERIA, Scores, score
from explorer.device import choose_device
from explorer.distributed import by_main
from explorer.errors import ExplorerError, ResourceError
from explorer.evaluation import Paired, measure, side_by_side, weights
from explorer.methods.spec import Spec
from explorer.methods.tools.stages import Record
from explorer.methods.tools.vanishing import Vanishing
from explorer.progress import Report, part
from explorer.pruning import CutModel, Plan, cut, unknown_group
from explorer.recovery import Origin, Teacher, recover, suitable
from explorer.sources import LoadedModel, load_pair
from explorer.structure import Cost, Structure, analyse, count
from explorer.tasks import Task

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """What a run works on: the model, its structure, the task, and the device that computes."""

    loaded: LoadedModel
    task: Task
    structure: Structure
    device: torch.device

    @property
    def module(self) -> nn.Module:
        return self.loaded.module


def open_subject(spec: Spec, report: Report) -> Subject:
    """Loads model and task and finds the groups.

    Raises:
        ExplorerError: a ref that leads nowhere, data that does not fit the model, a model that can't be traced,
            a recovery that can't serve the task, a plan that does not fit the model.
    """
    device = choose_device(spec.device)
    report(0.0, f"loading {spec.model} and {spec.data}")
    loaded, task = load_pair(spec.model, spec.data, input_shape=spec.input_shape)
    suitable(spec.recover, task)
    report(0.5, "finding the groups")
    structure = analyse(loaded.module, loaded.example())
    if not structure.groups:
        raise ExplorerError(f"{spec.model} has no group of channels that can be cut: choose another model")
    known = structure.blocks.keys() >= set(spec.skip)
    if spec.plan is not None and not known:  # a plan of SPvR, which takes out more than residual blocks
        structure = _vanishing(spec, loaded, structure)
    report(1.0, f"found {len(structure.groups)} groups")
    return Subject(loaded, task, structure, device)


def _vanishing(spec: Spec, loaded: LoadedModel, structure: Structure) -> Structure:
    """The structure with all that can leave whole, for the spec's plan."""
    vanishing = Vanishing(loaded.module, structure, loaded.example())
    vanishing.check(Plan(spec.model, spec.plan, spec.skip).check(vanishing.structure))
    return vanishing.structure


def score_subject(subject: Subject, spec: Spec, report: Report) -> Record:
    """Scores of all groups, as the record that `scores_of` reads."""
    scores = score(
        spec.criterion,
        subject.module,
        subject.structure,
        subject.task.calibration,
        options=spec.options,
        samples=spec.samples,
        device=subject.device,
        seed=spec.seed,
        report=report,
    )
    values = {"criterion": scores.criterion, "seconds": scores.seconds, "skipped": dict(scores.skipped)}
    return Record(values, {name: torch.from_numpy(array) for name, array in scores.groups.items()})


def scores_of(record: Record) -> Scores:
    """The scores in a record of `score_subject`."""
    values = record.values
    groups = {name: tensor.numpy() for name, tensor in record.tensors.items()}
    return Scores(criterion=values["criterion"], seconds=values["seconds"], groups=groups, skipped=values["skipped"])


def explicit_plan(subject: Subject, spec: Spec) -> Plan:
    """The plan that the spec holds: units and blocks, either of which may be none."""
    return Plan(spec.model, spec.plan or {}, spec.skip).check(subject.structure)


def measured(subject: Subject, module: nn.Module) -> Callable[[Report], Record]:
    """The step that measures a module on the task's test split."""

    return lambda report: by_main(lambda: _measure(subject, module, report))


def measured_beside(subject: Subject, module: nn.Module) -> Callable[[Report], Record]:
    """The same for the end of a run, with the module timed in turns with the whole model; see `against_base`."""

    def both(report: Report) -> Record:
        found = _measure(subject, module, part(report, 0.0, 0.8))
        return Record(found.values | {"beside": _beside(subject, module, part(report, 0.8, 1.0))}, found.tensors)

    return lambda report: by_main(lambda: both(report))


def _measure(subject: Subject, module: nn.Module, report: Report) -> Record:
    found = measure(module, subject.task, subject.loaded.example(), device=subject.device, report=report)
    return Record(found.to_json(), {} if found.right is None else {"right": torch.from_numpy(found.right)})


def _beside(subject: Subject, module: nn.Module, report: Report) -> list[dict[str, Any]]:
    """The latency ratios of a module to the whole model; none where both at once don't fit, which is logged."""
    try:
        found = side_by_side(subject.module, module, subject.loaded.example(), device=subject.device, report=report)
    except ResourceError as error:
        log.warning("no latency ratio: both networks at once are too much for the device (%s)", error)
        return []
    return [ratio.to_json() for ratio in found]


def against_base(base: Record, end: Record) -> dict[str, Any]:
    """``{paired, latency}`` of the end of a run to the whole model that it began with.

    `paired` has the counts of `Paired` on the test split, None where answers are not right or wrong; `latency` an entry
    of `LatencyRatio` a batch size. Steps that an earlier version has kept tell neither.
    """
    right = [record.tensors.get("right") for record in (base, end)]
    paired = Paired.of(*(each.numpy() for each in right)) if all(each is not None for each in right) else None
    return {"paired": paired and paired.to_json(), "latency": end.values.get("beside", [])}


def cut_exactly(subject: Subject, plan: Plan) -> CutModel:
    """The cut model, after checking that it is what the plan promised.

    Raises:
        ExplorerError: the plan removes nothing, its cost differs from the count of what was cut,
            it is no smaller, or it no longer computes finite logits.
    """
    structure = subject.structure
    promised = plan.cost(structure)
    result = cut(subject.module, structure, plan)
    example = subject.loaded.example()
    real = count(result.module, example)
    whole = structure.cost()
    if real != promised:
        raise ExplorerError(
            f"the cut model has {_words(real)} where the plan promised {_words(promised)}: "
            "please report this model, its groups were misread"
        )
    if real.params >= whole.params and real.macs >= whole.macs:
        raise ExplorerError(f"the cut made nothing smaller ({_words(real)} before and after): choose other groups")
    with torch.inference_mode():
        logits = result.module(example)
    if not torch.isfinite(logits).all():
        raise ExplorerError("the cut model's logits are not finite: cut less, or check the base model's weights")
    return result


def recovered(
    subject: Subject,
    spec: Spec,
    module: nn.Module,
    origin: Origin,
    *,
    teacher: nn.Module | None = None,
    seed: int | None = None,
) -> Callable[[Report], Record]:
    """The step that recovers a cut module in place; its record holds the weights.

    `origin` says what it was cut from. `teacher`, by default the origin's module, is what distillation imitates; `seed`
    is by default the spec's.
    """

    def work(report: Report) -> Record:
        history = recover(
            spec.recover,
            module,
            subject.task,
            device=subject.device,
            epochs=spec.epochs,
            seed=spec.seed if seed is None else seed,
            origin=origin,
            teacher=None if teacher is None else Teacher.of(teacher, origin.left),
            architecture=subject.loaded.architecture,
            report=report,
        )
        return Record(history.to_json(), weights(module))

    return work


def measurement(record: Record) -> dict[str, Any]:
    """What a step of `measured` or `measured_beside` found of the module, without the time it took."""
    return {key: value for key, value in record.values.items() if key not in ("step_seconds", "beside")}


def summary(scores: Scores | None) -> dict[str, Any]:
    """Lowest, median and highest score of every group; empty where the plan was given."""
    if scores is None:
        return {}
    groups = {
        name: dict(zip(("lowest", "median", "highest"), map(float, np.quantile(array, (0, 0.5, 1))), strict=True))
        for name, array in scores.groups.items()
    }
    return {"criterion": scores.criterion, "seconds": scores.seconds, "groups": groups, "skipped": scores.skipped}


def unscored(scores: Scores) -> str | None:
    """The sentence about groups without scores, where there are any."""
    if not scores.skipped:
        return None
    name, reason = next(iter(scores.skipped.items()))
    return f"{len(scores.skipped)} groups have no score and stay whole, such as {name}: {reason}"


def fractions(cost: Cost, whole: Cost) -> dict[str, float]:
    """What is left of params and MACs."""
    return {"params": cost.params / whole.params, "macs": cost.macs / whole.macs}


def widths(structure: Structure, plan: Plan) -> list[dict[str, Any]]:
    """``{name, size, kept}`` of every group, in channels."""
    kept = plan.kept(structure)
    return [
        {"name": name, "size": group.size, "kept": kept[name] * group.unit} for name, group in structure.groups.items()
    ]


def known_groups(structure: Structure, names: Iterable[str]) -> None:
    """Raises for a name that is no group."""
    for name in names:
        if name not in structure.groups:
            raise ExplorerError(unknown_group(name, structure))


def _words(cost: Cost) -> str:
    return f"{cost.params:,} params and {cost.macs:,} MACs"


def meaningless_scores(task: Task, criterion: str) -> str | None:
    """The warning that scores mean nothing, where a criterion looks at inputs and there are no real ones."""
    if task.measured or not CRITERIA[criterion].needs & {"inputs", "labels", "gradients"}:
        return None
    return f"criterion {criterion!r} was scored on {task.ref!r} inputs: its choice means nothing, only the timing does"
