"""Measurements and results as text for a person."""

from collections.abc import Mapping
from typing import Any

from explorer.cli.console import table
from explorer.evaluation import headline, metric_of

_FURTHER = {
    "top5": "top-5",
    "f1": "F1",
    "mcc": "Matthews correlation",
    "mse": "mean squared error",
    "pixel_accuracy": "pixel accuracy",
    "map_50": "mAP at 50% overlap",
    "map_75": "mAP at 75% overlap",
}


def measurement_table(measurements: Mapping[str, Mapping[str, Any]]) -> str:
    """One column per measured model."""
    first = next(iter(measurements.values()))
    rows = [
        [metric_of(first).short, *(_quality(m) for m in measurements.values())],
        *([_FURTHER[name], *(_value(m[name]) for m in measurements.values())] for name in _FURTHER if name in first),
        ["params", *(m["params"] for m in measurements.values())],
        ["MACs", *(m["macs"] for m in measurements.values())],
        ["bytes", *(m["size_bytes"] for m in measurements.values())],
        ["latency, one input", *(f"{m['latency_ms']:.2f} ms" for m in measurements.values())],
    ]
    return table(["", *measurements], rows)


RUNGS = {"none": "as cut", "bn": "batch norms recalibrated", "finetune": "fine-tuned"}


def ladder_text(document: Mapping[str, Any]) -> str:
    """A line per rung, from the whole network upwards."""
    metric = document["metric"]
    rows = [["whole network", _quality(document["base"] | {"metric": metric}), ""]]
    for rung in document["rungs"]:
        what = "simulated by mask" if rung["by"] == "mask" else "measured on the cut network"
        rows.append([RUNGS[rung["recovery"]], _quality(rung | {"metric": metric}), what])
    kept = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in document["kept"].items())
    notes = [f"{RUNGS[rung['recovery']]}: {note}" for rung in document["rungs"] for note in rung["warnings"]]
    return "\n\n".join([table(["", f"validation {metric_of(document).short}", ""], rows), f"kept: {kept}", *notes])


def prune_text(result: Mapping[str, Any]) -> str:
    """Before and after, the widths that changed, what is to be minded, and where it lies."""
    columns = {"base": result["base"], "as cut": result["as_cut"], "pruned": result["pruned"]}
    achieved = "  ".join(f"{kind} {fraction:.1%}" for kind, fraction in result["achieved"].items())
    changed = [[g["name"], g["size"], g["kept"]] for g in result["groups"] if g["kept"] < g["size"]]
    onnx = result["onnx"]
    parts = [
        measurement_table(columns),
        f"kept: {achieved}",
        *_steps(result),
        table(["group", "channels", "kept"], changed),
        f"ONNX differs from torch by {onnx['max_abs_diff']:.1e} at most",
        *(f"note: {warning}" for warning in result["warnings"]),
        f"written to {result['out']} in {result['seconds']:.1f} s; load it as run:{result['out']}",
    ]
    return "\n\n".join(parts)


def _steps(result: Mapping[str, Any]) -> list[str]:
    """The trajectory of a method that cuts in steps, as one table."""
    if not result["steps"]:
        return []
    metric = metric_of(result["base"])
    rows = [["base", f"{result['base']['macs']:,}", f"{result['base']['params']:,}", "", "", ""]]
    for step in result["steps"]:
        found = [metric.text(step[f"{metric.name}_{when}"]) for when in ("before", "after")]
        rows.append([step["step"], step["macs"], step["params"], *found, "taken back" if step["rolled_back"] else ""])
    return [table(["step", "MACs", "params", f"validation {metric.short} as cut", "recovered", ""], rows)]


def _quality(measurement: Mapping[str, Any]) -> str:
    found = headline(measurement)
    return "–" if found is None else f"{found.text()} of {found.samples}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
