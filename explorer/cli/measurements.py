"""What was measured of models, as a table for a person."""

from collections.abc import Mapping
from typing import Any

from explorer.cli.console import table
from explorer.evaluation.contention import disturbed
from explorer.tasks import headline, metric_of

_FURTHER = {
    "top5": "top-5",
    "balanced_accuracy": "balanced accuracy",
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
        [metric_of(first).short, *(quality(m) for m in measurements.values())],
        *([_FURTHER[name], *(_value(m[name]) for m in measurements.values())] for name in _FURTHER if name in first),
        ["params", *(m["params"] for m in measurements.values())],
        ["MACs", *(m["macs"] for m in measurements.values())],
        ["bytes", *(m["size_bytes"] for m in measurements.values())],
        ["latency, one input", *(_latency(m) for m in measurements.values())],
    ]
    return table(["", *measurements], rows)


def quality(measurement: Mapping[str, Any]) -> str:
    """The main metric, and of how many samples."""
    found = headline(measurement)
    return "–" if found is None else f"{found.text()} of {found.samples}"


def _latency(measurement: Mapping[str, Any]) -> str:
    busy = " (too long: others kept the processors busy)" if disturbed(measurement.get("latency", ())) else ""
    return f"{measurement['latency_ms']:.2f} ms{busy}"


def _value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
