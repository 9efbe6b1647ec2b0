"""Single weights over the steps of a run that sets them to zero: which go, which come back, what that saves."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from explorer.documents import checked
from explorer.errors import ExplorerError, one_line, unknown
from explorer.export.layout import PRUNED_AT, REPORT, WEIGHTS
from explorer.methods import METHODS
from explorer.pruning.unstructured import BINS
from explorer.reading import DamagedError, parse_json, read_object
from explorer.runs.documents import Asked, Kept, read_report
from explorer.runs.folders import SPEC, partial, steps_in
from explorer.runs.queue.job import BUNDLE
from explorer.tasks import METRICS, metric_of

_STEP = "sparse-"  # how the records of its steps begin
_NUMBERED = re.compile(rf"{_STEP}[0-9]{{2,6}}")


class Moved(NamedTuple):
    """How many weights of all layers a step set to zero, and how many it gave back."""

    removed: int
    regrown: int


@dataclass(frozen=True)
class SparseRun:
    """A run that sets single weights to zero, finished or as far as it has come.

    `steps` are ``{step, sparsity, epochs, METRIC_before, METRIC_after, layers}`` by the validation `metric`, with
    `layers` as in `explorer.pruning.unstructured.told`; `files` has for each step whose weights are kept where they
    lie, and `result` the report of a finished run.
    """

    folder: Path
    spec: Mapping[str, Any]
    metric: str
    steps: tuple[Mapping[str, Any], ...]
    files: Mapping[int, Path]
    result: Mapping[str, Any] | None

    @property
    def layers(self) -> list[str]:
        """The weights that could become zero, in network order."""
        return [layer["name"] for layer in self.steps[0]["layers"]]

    def at(self, step: int | None = None) -> Mapping[str, Any]:
        """The facts of a step, by default of the last.

        Raises:
            ExplorerError: there is no such step.
        """
        if step is None:
            return self.steps[-1]
        for entry in self.steps:
            if entry["step"] == step:
                return entry
        raise ExplorerError(f"there is no step {step}: {self.folder} has steps 1 to {len(self.steps)}")

    def moved(self, step: int | None = None) -> Moved:
        """What a step did to all layers together.

        Raises:
            ExplorerError: there is no such step.
        """
        layers = self.at(step)["layers"]
        return Moved(sum(layer["removed"] for layer in layers), sum(layer["regrown"] for layer in layers))

    def layer(self, name: str, step: int | None = None) -> Mapping[str, Any]:
        """What a step did to one layer.

        Raises:
            ExplorerError: there is no such layer or step.
        """
        for layer in self.at(step)["layers"]:
            if layer["name"] == name:
                return layer
        raise unknown("layer", name, self.layers)


@dataclass(frozen=True)
class Snapshot:
    """One layer after a step. `pruned_at` has the step that set each weight to zero, 0 where it stays.

    `regrown` are the weights that the step gave back; None where the step before it is not kept.
    """

    weight: Tensor
    pruned_at: Tensor
    regrown: Tensor | None

    @property
    def stays(self) -> Tensor:
        """Which weights are not zero."""
        return self.pruned_at == 0

    @property
    def left(self) -> int:
        """How many weights are not zero."""
        return int(self.stays.sum())

    def within(self, margins: tuple[float, float]) -> int:
        """How many of the weights that are left lie between the margins, after training that moved them."""
        left = self.weight[self.stays]
        return int(((left >= margins[0]) & (left <= margins[1])).sum())

    def histogram(self) -> dict[str, Any]:
        """The weights that are left, those that came back apart: ``{low, high, kept: [count], regrown: [count]}``.

        It is symmetric about 0, in as many bins as a step's own, see `explorer.pruning.unstructured.told`.
        """
        high = max(float(self.weight.abs().max()), torch.finfo(torch.float32).tiny)
        regrown = torch.zeros_like(self.stays) if self.regrown is None else self.regrown
        kept, back = (
            torch.histc(self.weight[which], BINS, -high, high).tolist() for which in (self.stays & ~regrown, regrown)
        )
        return {"low": -high, "high": high, "kept": kept, "regrown": back}


def read_sparse(folder: Path) -> SparseRun:
    """The run whose `--out` is `folder`, or which the app keeps there, finished or not.

    Raises:
        ExplorerError: there is none with a finished step, it sets no weights to zero, or its files can't be read.
    """
    bundle = folder / BUNDLE if (folder / BUNDLE).exists() or partial(folder / BUNDLE).exists() else folder
    try:
        run = _finished(bundle) if os.path.lexists(bundle / REPORT) else _unfinished(bundle)
    except (OSError, SafetensorError) as error:
        raise ExplorerError(f"the run in {folder} can't be read ({error}): read it again, or run it again") from None
    if run.steps:
        _check_together(run)
    if not run.steps:
        raise ExplorerError(
            f"{folder} holds no finished step of a run that sets weights to zero: name the --out folder of a prune "
            "command with --method sparse or dg2pf"
        )
    return run


def snapshot(run: SparseRun, layer: str, step: int | None = None) -> Snapshot:
    """One layer's weights as they were after a step, by default the last.

    Raises:
        ExplorerError: there is no such layer or step, its weights are not kept, or can't be read.
    """
    run.layer(layer, step)
    number = run.at(step)["step"]
    if number not in run.files:
        raise ExplorerError(f"the weights after step {number} are not kept: choose one of {_listed(run.files)}")
    weight, at = _tensors(run.files[number], layer)
    if number == 1:
        return Snapshot(weight, at, torch.zeros(at.shape, dtype=torch.bool))
    before = _tensors(run.files[number - 1], layer)[1] if number - 1 in run.files else None
    return Snapshot(weight, at, None if before is None else (before > 0) & (at == 0))


def _settings(run: SparseRun) -> dict[str, Any]:
    return METHODS[run.spec["method"]].read(run.spec.get("settings") or {})


class Drawn(NamedTuple):
    """What a step's margins are: of signed weights or of magnitudes; of all layers, which compete, or of each."""

    signed: bool
    shared: bool


def drawn(run: SparseRun, step: int | None = None) -> Drawn:
    """How a step drew its margins: an exchange goes by magnitude always, in every layer by itself."""
    settings = _settings(run)
    exchanged = settings["schedule"] == "regrow" and run.at(step)["step"] > 1
    return Drawn(settings["margins"] == "signed" and not exchanged, settings["scope"] != "layer" and not exchanged)


def margins(run: SparseRun, layer: str, step: int | None = None) -> tuple[float, float] | None:
    """Between which weights a step let go; None where none left, or where they were not chosen by their own size.

    By magnitude they are −m and m, with m the largest that left, of all layers where these compete, see `drawn`. After
    an exchange some below m stay: they have come back.
    """
    settings = _settings(run)
    if run.spec["criterion"] != "l1" or settings.get("pattern", "free") != "free":
        return None
    signed, shared = drawn(run, step)
    pool = run.at(step)["layers"] if shared else [run.layer(layer, step)]
    found = [entry["margins"] for entry in pool if entry["margins"]]
    if not found:
        return None
    low, high = min(low for low, _ in found), max(high for _, high in found)
    return (low, high) if signed else (-max(-low, high), max(-low, high))


def weights_of(run: SparseRun, layer: str | None = None, step: int | None = None) -> dict[str, Any]:
    """What a run has done to its weights, as one JSON object.

    Returns:
        ``{run, finished, method, sparsity, steps: [{step, sparsity, regrown, layers: {name: sparsity}}], saved}``, and
        of a `layer` ``{name, step, …}`` as in `explorer.pruning.unstructured.told`, with the step's own `margins` and
        `pruned_at`, how many of its zeros are of which step (None where its weights are not kept). `saved` is what a
        finished run tells of its zeros, with `latency_ms` before and after.

    Raises:
        ExplorerError: there is no such layer or step.
    """
    document = {
        "run": str(run.folder),
        "finished": run.result is not None,
        "method": run.spec["method"],
        "sparsity": run.at(step)["sparsity"],
        "steps": [
            {
                "step": entry["step"],
                "sparsity": entry["sparsity"],
                "regrown": run.moved(entry["step"]).regrown,
                "layers": {part["name"]: part["sparsity"] for part in entry["layers"]},
            }
            for entry in run.steps
        ],
        "saved": saved(run),
    }
    if layer is None:
        return document
    facts, number, found = run.layer(layer, step), run.at(step)["step"], margins(run, layer, step)
    counts = None
    if number in run.files:
        steps, weights = snapshot(run, layer, step).pruned_at.unique(return_counts=True)
        counts = {str(at): count for at, count in zip(steps.tolist(), weights.tolist(), strict=True) if at}
    return document | {"layer": {**facts, "step": number, "margins": found and list(found), "pruned_at": counts}}


def saved(run: SparseRun) -> dict[str, Any] | None:
    """What the zeros of a finished run come to, in theory, on disk and in time; None while it isn't finished."""
    if run.result is None:
        return None
    times = {name: run.result[name]["latency_ms"] for name in ("base", "pruned")}
    return {key: value for key, value in run.result["sparse"].items() if key != "layers"} | {"latency_ms": times}


def _finished(bundle: Path) -> SparseRun:
    report = read_report(bundle / REPORT)
    steps = tuple(report["steps"]) if report.get("sparse") else ()
    kept = {step["step"]: bundle / step["folder"] for step in steps if step.get("folder")}
    last = {steps[-1]["step"]: bundle} if steps else {}
    return SparseRun(bundle, report["spec"], metric_of(report["base"]).name, steps, kept | last, report)


def _unfinished(bundle: Path) -> SparseRun:
    """The run as its finished steps tell it."""
    folder, steps, metric = partial(bundle), [], ""
    numbers = sorted(int(name.removeprefix(_STEP)) for name in steps_in(folder) if _NUMBERED.fullmatch(name))
    files = {number: folder / f"{_STEP}{number:02}.safetensors" for number in numbers}
    for number, path in files.items():
        told = _values(path)
        metric, epochs = told["recovery"]["metric"], len(told["recovery"]["epochs"])
        judged = {f"{metric}_before": told["before"], f"{metric}_after": told["after"]}
        steps.append({"step": number, "epochs": epochs, **judged, **{key: told[key] for key in ("sparsity", "layers")}})
    spec = checked(read_object(folder / SPEC), Asked, folder / SPEC) if steps else {}
    return SparseRun(bundle, spec, metric, tuple(steps), files, None)


def _check_together(run: SparseRun) -> None:
    """Refuses steps that don't tell of the same layers, or of a method that sets no single weights to zero."""
    names = [[layer["name"] for layer in step["layers"]] for step in run.steps]
    if any(found != names[0] for found in names) or not METHODS.get(run.spec["method"]).sparse:
        raise DamagedError(f"the run in {run.folder} is damaged: its steps don't belong together")
    if run.metric not in METRICS or any(f"{run.metric}_after" not in step for step in run.steps):
        raise DamagedError(f"the run in {run.folder} is damaged: its steps are judged by different metrics")


def _values(path: Path) -> dict[str, Any]:
    """What a step's record tells beside its tensors.

    Raises:
        DamagedError: it tells something else, or is no record.
    """
    if not path.is_file():
        raise DamagedError(f"{str(path)!r} is no ordinary file")
    with safe_open(path, "pt") as record:
        text = (record.metadata() or {}).get("values", "")
    try:
        return checked(parse_json(text), Kept, path)
    except ValueError as error:
        raise DamagedError(f"{str(path)!r} is damaged: {one_line(error)}") from None


def _tensors(place: Path, layer: str) -> tuple[Tensor, Tensor]:
    """The layer's weights and when they became zero, from a step's record or from a folder of files."""
    weights, at = (place, place) if place.is_file() else (place / WEIGHTS, place / PRUNED_AT)
    keys = (f"weights/{layer}", f"pruned_at/{layer}") if place.is_file() else (layer, layer)
    try:
        weight, since = (_tensor(path, key) for path, key in zip((weights, at), keys, strict=True))
    except (OSError, SafetensorError) as error:
        raise ExplorerError(f"the weights in {place} can't be read ({error}): choose another step") from None
    if weight.shape != since.shape or not weight.is_floating_point() or since.is_floating_point():
        raise DamagedError(f"the weights in {place} are damaged: those of {layer} don't fit each other")
    return weight, since


def _tensor(path: Path, key: str) -> Tensor:
    if not path.is_file():
        raise DamagedError(f"{str(path)!r} is no ordinary file")
    with safe_open(path, "pt") as archive:
        return archive.get_tensor(key)


def _listed(files: Mapping[int, Path]) -> str:
    return ", ".join(map(str, sorted(files)))
