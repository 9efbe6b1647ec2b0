"""A latency table of one network on this device, timed once and kept in the cache."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from explorer.batches import evaluating
from explorer.budget.allocation import MINIMUM
from explorer.budget.latency_table import RUNTIMES, Check, LatencyModel, LatencyTable, Timing, fitted
from explorer.cache import Entry
from explorer.device import describe_device
from explorer.errors import unknown
from explorer.methods.tools.runtimes import CPU, Runtime, onnx_runtime, torch_runtime
from explorer.methods.tools.timed_plans import CHECKS, together
from explorer.methods.tools.turns import SECONDS, timed
from explorer.progress import Report, part, silent
from explorer.structure import Structure


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
        self._describe, self._entry = place(module, structure, example.shape, runtime, self._device, minimum)
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
                self._known[name] = timed(self._module, self._structure, self._make, [kept], SECONDS, report)
            self._entry.write(self._known)
        return self._known[name]["rows"][0][0]


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
    jobs = together(structure, minimum, checks)
    with evaluating(module, device):
        for index, (name, plan_list) in enumerate(jobs.items()):
            report(index / len(jobs), f"timing {name}")
            if name not in known and plan_list:
                stretch = part(report, index / len(jobs), (index + 1) / len(jobs))
                known[name] = timed(module, structure, runtime, plan_list, seconds, stretch)
                keep(known)
    return table_of(structure, known, jobs, describe)


def kept_table(
    module: nn.Module, structure: Structure, shape: Sequence[int], *, runtime: str, device: torch.device
) -> LatencyTable | None:
    """The table for a batch of inputs of that shape, if all of it has been timed here before, else None."""
    describe, entry = place(module, structure, shape, runtime, device, MINIMUM)
    known, jobs = entry.read(), together(structure)
    if not all(name in known for name, plans in jobs.items() if plans):
        return None
    return table_of(structure, known, jobs, describe)


def place(
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


def table_of(
    structure: Structure,
    known: Mapping[str, Any],
    jobs: Mapping[str, list[dict[str, int]]],
    describe: tuple[str, int, str],
) -> LatencyTable:
    """The table of what was timed: overlap and scale from the plans to fit, the rest checked on the others.

    Args:
        structure: of the network.
        known: by name what was timed, see `explorer.methods.tools.turns.timed`.
        jobs: by the same names the plans, see `together`.
        describe: runtime, batch and device.
    """
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
