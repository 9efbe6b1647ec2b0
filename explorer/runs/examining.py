"""An examination: what a plan, or the network of a run, reaches on test data beside the whole network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from explorer.batches import Samples, sample_inputs, spread, subset
from explorer.errors import ExplorerError
from explorer.evaluation import LatencyRatio, size_bytes
from explorer.evaluation.size import size_model
from explorer.memory import Kept
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import recovery_stage
from explorer.methods.studies.repair import repair
from explorer.methods.tools.portions import in_memory
from explorer.methods.tools.runtimes import onnx_runtime, torch_runtime
from explorer.methods.tools.turns import beside
from explorer.progress import Report, part
from explorer.pruning import Plan, cut
from explorer.runs.answering import Open, opened
from explorer.sources import load_pair
from explorer.sources.stamps import stamp_of
from explorer.structure import count
from explorer.tasks import Accuracy, Quality, evaluate

WORK = 1e11  # multiply-accumulates of one pass over the test samples, so that others in the short lane wait for seconds
FEWEST = 256  # test samples, however large the network
SECONDS = 1.0  # that two networks are timed in turns
STAGES = ("none", "repair")  # of a plan, that can be examined
LARGEST_BATCH = 64


@dataclass(frozen=True)
class Wanted:
    """What is examined besides the cost.

    Args:
        stages: of a plan, after which it is judged: "none" as it is cut, "repair" after the repair of `repair_for`.
        run: a ref of a run whose network is examined instead of a plan; empty: none.
        timings: (runtime, batch), in which the network is timed in turns with the whole one.
        samples: of the test data, at most.
    """

    stages: tuple[str, ...] = ("repair",)
    run: str = ""
    timings: tuple[tuple[str, int], ...] = ()
    samples: int = 1000

    def to_json(self) -> dict[str, Any]:
        """The keys of a question beside its kind and spec."""
        timings = [list(timing) for timing in self.timings]
        return {"stages": list(self.stages), "run": self.run, "timings": timings, "samples": self.samples}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Wanted":
        """What a question asks for.

        Raises:
            ExplorerError: a key holds what it can't.
        """
        stages, run = document.get("stages", ["repair"]), document.get("run", "")
        timings, samples = document.get("timings", []), document.get("samples", 1000)
        known = (
            isinstance(stages, list)
            and all(stage in STAGES for stage in stages)
            and isinstance(run, str)
            and (not run or run.startswith("run:"))
            and isinstance(timings, list)
            and all(_is_timing(timing) for timing in timings)
            and type(samples) is int
            and samples > 0
        )
        if not known:
            raise ExplorerError("an examination is asked for stages, a run, timings or samples that there are not")
        return cls(tuple(stages), run, tuple((runtime, batch) for runtime, batch in timings), samples)


def _is_timing(timing: object) -> bool:
    if not isinstance(timing, list) or len(timing) != 2:
        return False
    runtime, batch = timing
    return runtime in ("torch", "onnx") and type(batch) is int and 1 <= batch <= LARGEST_BATCH


def hidden_places(total: int, macs: int, most: int) -> Sequence[int]:
    """Which of so many test samples a network of so many MACs is examined on: the same ones every time.

    As many as can be gone through in some seconds, spread over all, and at most `most`.
    """
    return spread(total, min(most, max(FEWEST, int(WORK // max(macs, 1)))))


def examine(spec: Spec, wanted: Wanted, report: Report) -> dict[str, Any]:
    """The spec's plan, or a run that began with the spec's model, beside the whole model on test data.

    Returns:
        ``{metric, classes, of_class, whole, stages, costs, macs, params, size, timings, warnings}``: `whole` and each
        of `stages` hold the metric under its name with ``METRIC_low``, ``METRIC_high``, ``samples`` and ``right``, how
        many of each class are answered right (None where answers are not right or wrong); `costs` is ``{macs, params,
        size}`` of the whole model; `timings` a list of ``{runtime, batch, ratio, low, high, …}``.

    Raises:
        ExplorerError: data whose accuracy means nothing, a plan that does not fit, a run of another kind of network.
    """
    found = opened(spec, part(report, 0.0, 0.15))
    subject = found.subject
    task, structure = subject.task, subject.structure
    if not task.measured:
        raise ExplorerError(f"accuracy on {task.ref!r} means nothing: choose real data")
    data = _hidden(spec, found, wanted.samples)
    whole = _whole(spec, found, wanted.samples, data, part(report, 0.15, 0.4))
    if wanted.run:
        examined = _run(wanted.run, spec, found, data, part(report, 0.4, 0.9))
    else:
        examined = _plan(spec, found, wanted.stages, data, part(report, 0.4, 0.9))
    timings = _timed(subject.module, examined.module, found, wanted.timings, part(report, 0.9, 1.0))
    cost = structure.cost()
    return {
        "metric": task.metric,
        "classes": list(task.classes),
        "of_class": whole.class_samples.tolist() if isinstance(whole, Accuracy) else [],
        "whole": _told(whole),
        "stages": {name: _told(quality) for name, quality in examined.stages.items()},
        "costs": {"macs": cost.macs, "params": cost.params, "size": size_bytes(subject.module)},
        "macs": examined.macs,
        "params": examined.params,
        "size": examined.size,
        "timings": timings,
        "warnings": list(examined.warnings),
    }


@dataclass(frozen=True)
class _Examined:
    """The smaller network, what it costs, and what it reaches by stage."""

    module: nn.Module
    macs: int
    params: int
    size: int
    stages: Mapping[str, Accuracy | Quality]
    warnings: tuple[str, ...] = ()


_HIDDEN, _WHOLES = Kept(), Kept(lambda: 2**26)


def _key(spec: Spec, samples: int) -> tuple[object, ...]:
    return spec.model, spec.data, samples, spec.device, stamp_of(spec.model), stamp_of(spec.data)


def _hidden(spec: Spec, found: Open, samples: int) -> Samples:
    """The test samples that are examined, read once."""
    test = found.subject.task.test
    places = hidden_places(len(test), found.subject.structure.cost().macs, samples)
    return _HIDDEN.get(_key(spec, samples), lambda: in_memory(subset(test, places)))


def _whole(spec: Spec, found: Open, samples: int, data: Samples, report: Report) -> Accuracy | Quality:
    """What the whole network reaches on them, which is the same for all who hand something in."""
    subject = found.subject

    def make() -> Accuracy | Quality:
        return evaluate(subject.module, data, kind=subject.task.kind, device=subject.device, report=report)

    return _WHOLES.get(_key(spec, samples), make)


def _plan(spec: Spec, found: Open, stages: Sequence[str], data: Samples, report: Report) -> _Examined:
    subject = found.subject
    structure, plan = subject.structure, Plan(spec.model, spec.plan or {}, spec.skip)
    plan.check(structure)
    reached: dict[str, Accuracy | Quality] = {}
    warnings: tuple[str, ...] = ()
    for place, stage in enumerate(stages):
        told = part(report, place / len(stages), (place + 1) / len(stages))
        common = {"data": data, "device": subject.device, "report": told}
        if stage == "none":
            outcome = recovery_stage("none", subject.module, structure, subject.task, plan, **common)
        else:
            given = {"calibration": found.calibration, **common}
            outcome = repair(subject.module, structure, subject.task, plan, **given)
        reached[stage], warnings = outcome.quality, outcome.warnings
    cost = plan.cost(structure)
    size = size_model(subject.module, structure).without(plan.blocks)(plan.kept(structure))
    return _Examined(cut(subject.module, structure, plan).module, cost.macs, cost.params, size, reached, warnings)


def _run(ref: str, spec: Spec, found: Open, data: Samples, report: Report) -> _Examined:
    subject = found.subject
    loaded, task = load_pair(ref, spec.data)
    if task.kind != subject.task.kind or loaded.input_shape != subject.loaded.input_shape:
        raise ExplorerError(f"{ref} reads other inputs than {spec.model}: hand in a run that began with it")
    quality = evaluate(loaded.module, data, kind=task.kind, device=subject.device, report=report)
    cost = count(loaded.module, loaded.example())
    return _Examined(loaded.module, cost.macs, cost.params, size_bytes(loaded.module), {"training": quality})


def _timed(
    base: nn.Module, module: nn.Module, found: Open, timings: Sequence[tuple[str, int]], report: Report
) -> list[dict[str, Any]]:
    """Both networks in turns, in each runtime and batch."""
    subject, told = found.subject, []
    for runtime, batch in timings:
        inputs = sample_inputs(subject.loaded.example(), batch)
        ready = onnx_runtime(inputs) if runtime == "onnx" else torch_runtime(inputs, subject.device)
        ratio: LatencyRatio = beside(base, module, ready, batch, SECONDS, report)
        told.append({"runtime": runtime, **ratio.to_json()})
    return told


def _told(quality: Accuracy | Quality) -> dict[str, Any]:
    right = quality.class_correct.tolist() if isinstance(quality, Accuracy) else None
    return {**quality.to_json(), "right": right}
