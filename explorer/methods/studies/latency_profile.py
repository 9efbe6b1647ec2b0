"""Latency by width: every group timed on the device itself, the table checked on plans that are really cut."""

from dataclasses import dataclass
from typing import Any

from explorer.budget.latency_table import Check, LatencyModel, LatencyTable
from explorer.device import choose_device
from explorer.errors import ExplorerError
from explorer.methods.tools.runtimes import CPU
from explorer.methods.tools.stopwatch import Stopwatch, kept_table
from explorer.progress import Report, part, silent
from explorer.sources import LoadedModel, load_model
from explorer.structure import Structure, analyse

LITTLE = 0.9  # of the time left at best, above which latency is no reason to cut
LARGE_ERROR = 0.05


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
    table = kept_table(loaded.module, structure, shape, runtime=runtime, device=where)
    return None if table is None else LatencyProfile(loaded.ref, structure, table)


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
