"""Latency by width: every group timed on the device itself, the table checked on plans that are really cut."""

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.budget.allocation import MINIMUM, most_removable
from explorer.budget.latency_table import (
    ALIGNMENT,
    RUNTIMES,
    Check,
    LatencyModel,
    LatencyTable,
    Timing,
    aligned,
    fitted,
)
from explorer.budget.search import unit_step
from explorer.cache import Entry
from explorer.device import choose_device, describe_device
from explorer.errors import ExplorerError, unknown
from explorer.evaluation.timing import time_once
from explorer.progress import Report, part, silent
from explorer.pruning import Plan, cut
from explorer.sources import LoadedModel, load_model
from explorer.structure import Structure, analyse

SHARES = (0.25, 0.5, 0.75)  # of a group that are kept, beside the least and one unit less than all
FEWEST, MOST = 9, 300  # rounds
QUANTILE = 0.1  # of the times of a width: other work on the machine only ever adds to them
SECONDS = 1.5  # for one group, once it has had its fewest rounds
STEADY, PATIENCE = 0.05, 3  # relative width of that time's interval, and how many times the seconds it may take
FITS, CHECKS = 8, 6  # plans
MEMORY = 2**30  # bytes for cut copies of the network
LITTLE = 0.9  # of the time left at best, above which latency is no reason to cut
LARGE_ERROR = 0.05
CPU = torch.device("cpu")

Once = Callable[[], float]
"""One forward pass: the seconds it took."""
Runtime = Callable[[nn.Module], Once]
"""Makes a module ready to be timed."""


def torch_runtime(inputs: Tensor, device: torch.device) -> Runtime:
    """Eager torch on a batch of inputs."""
    batch = inputs.to(device)

    def ready(module: nn.Module) -> Once:
        module = module.to(device).eval()

        @torch.inference_mode()
        def once() -> float:
            return time_once(module, batch)

        return once

    return ready


def onnx_runtime(inputs: Tensor) -> Runtime:
    """onnxruntime on the CPU, with as many threads as torch, on a batch of inputs.

    The files come from torch's older exporter, some twenty times faster than the one that exports use; the runtime
    fuses both to the same operators.
    """
    batch = inputs.numpy()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()

    def ready(module: nn.Module) -> Once:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path = f"{folder}/model.onnx"
            try:
                torch.onnx.export(module.eval(), (inputs,), path, dynamo=False, input_names=["input"])
                session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            except Exception as error:  # the exporter lets through whatever the model's own code runs into
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
                raise ExplorerError(f"this model can't be timed in onnxruntime ({reason}): use torch") from error

        def once() -> float:
            start = time.perf_counter()
            session.run(None, {"input": batch})
            return time.perf_counter() - start

        return once

    return ready


def measure_latency(
    module: nn.Module,
    structure: Structure,
    runtime: Runtime,
    *,
    describe: tuple[str, int, str],
    device: torch.device,
    minimum: float = MINIMUM,
    seconds: float = SECONDS,
    checks: int = CHECKS,
    known: dict[str, Any] | None = None,
    keep: Callable[[dict[str, Any]], None] = lambda known: None,
    report: Report = silent,
) -> LatencyTable:
    """Times every group at a few widths, all others whole, and random plans to check what that predicts.

    A group's widths and the whole network take turns, in random order, so that a machine that slows down for a while
    slows all of them. Other work only ever adds to a time: of each width's times the lowest decile counts, and its
    ratio to the whole network's.

    Args:
        describe: runtime, batch and device, as the table names them.
        minimum: what every group keeps, see `most_removable`.
        known: what an interrupted call has found, which is not timed again; added to.
        keep: is given `known` whenever something was added.

    Raises:
        ExplorerError: the network can't be timed with this runtime.
        Cancelled: the report asked to stop.
    """
    known = {} if known is None else known
    jobs = _jobs(structure, minimum, checks)
    with evaluating(module, device):
        for index, (name, plan_list) in enumerate(jobs.items()):
            report(index / len(jobs), f"timing {name}")
            if name not in known and plan_list:
                stretch = part(report, index / len(jobs), (index + 1) / len(jobs))
                known[name] = _timed(module, structure, runtime, plan_list, seconds, stretch)
                keep(known)
    return _table(structure, known, jobs, describe)


class Stopwatch:
    """Latency of one network with one runtime: its table and single plans, all kept in the cache.

    What is kept depends on the network's shapes, not on its weights, and on device, threads and versions.

    Args:
        example: a batch of inputs.
        runtime: torch (eager, on `device`) or onnx (onnxruntime, on the CPU).
        anew: what is kept is timed again.
        make: what runs the network, by default what `runtime` names.

    Raises:
        ExplorerError: there is no such runtime.
    """

    def __init__(
        self,
        module: nn.Module,
        structure: Structure,
        example: Tensor,
        *,
        runtime: str = "torch",
        device: torch.device = CPU,
        minimum: float = MINIMUM,
        anew: bool = False,
        make: Runtime | None = None,
    ) -> None:
        if runtime not in RUNTIMES:
            raise unknown("runtime", runtime, RUNTIMES)
        self._module, self._structure, self._minimum = module, structure, minimum
        self._device = CPU if runtime == "onnx" else device
        self._make = make or (onnx_runtime(example) if runtime == "onnx" else torch_runtime(example, device))
        self._describe, self._entry = _place(module, structure, example.shape, runtime, self._device, minimum)
        self._known: dict[str, Any] = {} if anew else self._entry.read()

    def table(self, report: Report = silent, *, seconds: float = SECONDS, checks: int = CHECKS) -> LatencyTable:
        """See `measure_latency`; what an interrupted call has timed is not timed again."""
        return measure_latency(
            self._module,
            self._structure,
            self._make,
            describe=self._describe,
            device=self._device,
            minimum=self._minimum,
            seconds=seconds,
            checks=checks,
            known=self._known,
            keep=self._entry.write,
            report=report,
        )

    def ratio(self, kept: Mapping[str, int], report: Report = silent) -> float:
        """The time of a plan that is really cut over the whole network's, timed in turns."""
        name = f"plan {json.dumps(sorted(kept.items()))}"
        if name not in self._known:
            with evaluating(self._module, self._device):
                self._known[name] = _timed(self._module, self._structure, self._make, [kept], SECONDS, report)
            self._entry.write(self._known)
        return self._known[name]["rows"][0][0]


@dataclass(frozen=True)
class LatencyProfile:
    """The latency table of a model, with what it comes to."""

    model: str
    structure: Structure
    table: LatencyTable

    def to_json(self) -> dict[str, Any]:
        """``{model, runtime, batch, device, base_ms, scale, overlap_ms, groups, reach_ms, error, checks, remarks}``.

        `groups` as in `LatencyTable.staircase`; `scale` and `overlap_ms` are the numbers of `LatencyModel`; `reach_ms`
        is predicted with every group at its fastest width; `checks` are random plans, really cut, ``[{kept,
        predicted_ms, additive_ms, measured_ms, low_ms, high_ms, error}]``, and `error` is the median size of their
        relative errors; `remarks` are sentences.
        """
        table, reach = self.table, self.reach()
        return {
            "model": self.model,
            "runtime": table.runtime,
            "batch": table.batch,
            "device": table.device,
            "base_ms": table.base_ms,
            "scale": table.scale,
            "overlap_ms": table.overlap,
            "groups": table.staircase(self.structure),
            "reach_ms": reach,
            "error": table.error,
            "checks": [self._check_json(check) for check in table.checks],
            "remarks": _remarks(table, reach),
        }

    def reach(self) -> float:
        """The milliseconds that are predicted with every group at its fastest width."""
        model = LatencyModel(self.table, self.structure)
        return model(
            {name: model.fastest(name, [row.kept for row in rows]) for name, rows in self.table.groups.items()}
        )

    def _check_json(self, check: Check) -> dict[str, Any]:
        times = ("predicted", "additive", "measured", "low", "high")
        in_ms = {f"{key}_ms": getattr(check, key) * self.table.base_ms for key in times}
        return {"kept": check.kept, **in_ms, "error": check.error}


def latency_of(
    ref: str,
    input_shape: tuple[int, ...] | None = None,
    *,
    runtime: str = "torch",
    batch: int = 1,
    device: str = "auto",
    anew: bool = False,
    report: Report = silent,
) -> LatencyProfile:
    """The latency table of a model, for people and pages.

    Raises:
        ExplorerError: see `load_model` and `Stopwatch`.
        Cancelled: the report asked to stop; what was timed is kept.
    """
    if batch < 1:
        raise ExplorerError(f"batch is {batch}: it must be at least 1")
    report(0.0, f"loading {ref}")
    loaded = load_model(ref, input_shape=input_shape)
    structure = analyse(loaded.module, loaded.example())
    where, example = choose_device(device), loaded.example(batch)
    watch = Stopwatch(loaded.module, structure, example, runtime=runtime, device=where, anew=anew)
    return LatencyProfile(ref, structure, watch.table(part(report, 0.1, 1.0)))


def cached_latency(
    loaded: LoadedModel, structure: Structure, *, runtime: str = "torch", batch: int = 1, device: str = "auto"
) -> LatencyProfile | None:
    """The same for a model that is open, if all of it has been timed before, else None."""
    where = CPU if runtime == "onnx" else choose_device(device)
    shape = (batch, *loaded.example().shape[1:])
    describe, entry = _place(loaded.module, structure, shape, runtime, where, MINIMUM)
    known, jobs = entry.read(), _jobs(structure, MINIMUM, CHECKS)
    if not all(name in known for name, plans in jobs.items() if plans):
        return None
    return LatencyProfile(loaded.ref, structure, _table(structure, known, jobs, describe))


def _remarks(table: LatencyTable, reach: float) -> list[str]:
    share, remarks = reach / table.base_ms, []
    if share > LITTLE:
        remarks.append(
            f"even with every group at its fastest width {share:.0%} of the time is left: at this size the device "
            "waits for its own overhead, not for channels, so cut for size or MACs, or try onnx or a larger batch"
        )
    flat = [name for name, rows in table.groups.items() if all(row.low <= 0 <= row.high for row in rows)]
    if flat:
        remarks.append(f"{len(flat)} of {len(table.groups)} groups alone change nothing that could be told from noise")
    if table.error is not None and table.error > LARGE_ERROR:
        remarks.append(
            f"predictions of whole plans are off by {table.error:.0%} in the middle: trust a plan only once it is timed"
        )
    return remarks


def _place(
    module: nn.Module,
    structure: Structure,
    shape: Sequence[int],
    runtime: str,
    device: torch.device,
    minimum: float,
) -> tuple[tuple[str, int, str], Entry]:
    """Runtime, batch and device as a table names them, and where the times of inputs of that shape are kept."""
    describe = (runtime, shape[0], describe_device(device))
    versions = (torch.__version__, onnxruntime.__version__ if runtime == "onnx" else "")
    key = {
        "run": [*describe, *versions],
        "shapes": {name: list(tensor.shape) for name, tensor in module.state_dict().items()},
        "input": list(shape),
        "full": structure.full,
        "minimum": minimum,
    }
    return describe, Entry("latency", key)


def _jobs(structure: Structure, minimum: float, checks: int) -> dict[str, list[dict[str, int]]]:
    """What is timed together, by name: the widths of each group, then each plan to fit and to check."""
    jobs = {name: [{name: n} for n in widths(structure, name, minimum)] for name in structure.groups}
    for what, count in (("fit", FITS), ("check", checks)):
        jobs |= {f"{what} {i}": [plan] for i, plan in enumerate(_plans(structure, minimum, count, what))}
    return jobs


def widths(structure: Structure, name: str, minimum: float = MINIMUM) -> list[int]:
    """The units kept at which a group is timed, ascending, without all: multiples of eight channels and others."""
    units, unit = structure.full[name], structure.groups[name].unit
    least = units - most_removable(structure, name, minimum)
    step = unit_step(ALIGNMENT, unit)
    wanted = {least, units - 1, step * ceil(least / step)}
    for share in SHARES:
        near = round(share * units / step) * step
        wanted |= {near, near - 1 if aligned(near * unit) else near}
    return sorted(count for count in wanted if least <= count < units)


def _plans(structure: Structure, minimum: float, count: int, what: str) -> list[dict[str, int]]:
    """Random widths for all groups at once, around a share that goes from nearly all to nearly the least.

    Every other plan has multiples of eight channels where there are any.
    """
    draw = np.random.default_rng(len(what))
    plans = []
    for number, depth in enumerate((np.arange(count) + 0.5) / max(count, 1)):
        plan = {}
        for name, units in structure.full.items():
            most = most_removable(structure, name, minimum)
            kept = units - round(most * float(np.clip(depth + draw.uniform(-0.3, 0.3), 0, 1)))
            step = unit_step(ALIGNMENT, structure.groups[name].unit)
            near = round(kept / step) * step
            plan[name] = near if number % 2 and units - most <= near <= units else kept
        plans.append(plan)
    return plans


def _timed(
    module: nn.Module,
    structure: Structure,
    runtime: Runtime,
    plans: Sequence[Mapping[str, int]],
    seconds: float,
    report: Report,
) -> dict[str, Any]:
    """``{base: seconds, rows: [[ratio, low, high], …]}``: each plan's time over the whole network's."""
    size = max(1, sum(tensor.nbytes for tensor in module.state_dict().values()))
    few = max(1, MEMORY // size)
    bases, rows = [], []
    for start in range(0, len(plans), few):
        some = plans[start : start + few]
        runs = [runtime(module), *(runtime(_narrowed(module, structure, plan)) for plan in some)]
        times = _rounds(runs, seconds * len(some) / len(plans), report)
        base = float(np.quantile(times[:, 0], QUANTILE))
        bases.append(base)
        rows += [[time / base for time in _quantile_interval(column)] for column in times[:, 1:].T]
    return {"base": min(bases), "rows": rows}


def _narrowed(module: nn.Module, structure: Structure, kept: Mapping[str, int]) -> nn.Module:
    remove = {name: tuple(range(count, structure.full[name])) for name, count in kept.items()}
    return cut(module, structure, Plan("", remove)).module


def _rounds(runs: Sequence[Once], seconds: float, report: Report) -> np.ndarray:
    """Seconds of every run in every round, (rounds, runs)."""
    draw, start, rounds = np.random.default_rng(0), time.perf_counter(), []
    for _ in range(2):
        for once in runs:
            once()
            report(0.0, "warming up")
    while len(rounds) < FEWEST or (len(rounds) < MOST and not _settled(rounds, time.perf_counter() - start, seconds)):
        found = np.zeros(len(runs))
        for index in draw.permutation(len(runs)):
            found[index] = runs[index]()
        rounds.append(found)
        report(min(1.0, len(rounds) / FEWEST), f"round {len(rounds)}")
    return np.stack(rounds)


def _settled(rounds: Sequence[np.ndarray], spent: float, seconds: float) -> bool:
    """Whether the time is spent: where the whole network's own time is uncertain, there is more of it."""
    value, low, high = _quantile_interval(np.stack(rounds)[:, 0])
    return spent > seconds * (1 if high - low < STEADY * value else PATIENCE)


def _quantile_interval(times: np.ndarray) -> list[float]:
    """The quantile, and the order statistics that bound it with about 95 % (binomial)."""
    ordered, count = np.sort(times), len(times)
    half = 1.96 * np.sqrt(count * QUANTILE * (1 - QUANTILE))
    low, high = max(0, int(count * QUANTILE - half)), min(count - 1, ceil(count * QUANTILE + half))
    return [float(np.quantile(ordered, QUANTILE)), float(ordered[low]), float(ordered[high])]


def _table(
    structure: Structure,
    known: Mapping[str, Any],
    jobs: Mapping[str, list[dict[str, int]]],
    describe: tuple[str, int, str],
) -> LatencyTable:
    runtime, batch, device = describe
    base = 1e3 * float(np.median([known[name]["base"] for name in jobs if name in known]))
    groups = {}
    for name, units in structure.full.items():
        counts = [plan[name] for plan in jobs[name]]
        rows = known[name]["rows"] if counts else ()
        timings = [Timing(n, *(base * (value - 1) for value in row)) for n, row in zip(counts, rows, strict=True)]
        groups[name] = (*timings, Timing(units, 0.0, 0.0, 0.0))
    table = LatencyTable(runtime, batch, device, base, groups)
    model = LatencyModel(table, structure)
    fits = [(plan, known[name]["rows"][0][0]) for name, (plan, *_) in jobs.items() if name.startswith("fit ")]
    changes, twice = (np.array([work(plan) for plan, _ in fits]) for work in (model.change, model.twice))
    scale, overlap = fitted(changes, twice, base * (np.array([ratio for _, ratio in fits]) - 1), base)
    table = replace(table, scale=scale, overlap=overlap)
    model = LatencyModel(table, structure)
    checks = tuple(
        Check(plan, model(plan) / base, max(0.0, 1 + model.change(plan) / base), *known[name]["rows"][0])
        for name, (plan, *_) in jobs.items()
        if name.startswith("check ")
    )
    return replace(table, checks=checks)
