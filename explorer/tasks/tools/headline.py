"""The main metrics of all kinds of tasks, and the one that a measurement names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from explorer.tasks.tools.metric import Metric
from explorer.tasks.tools.task_kind import DEFAULT_METRIC, TASK_KINDS


class _Metrics(Mapping[str, Metric]):
    """The metrics of the kinds that are registered now, by name."""

    def _all(self) -> dict[str, Metric]:
        return {kind.metric.name: kind.metric for kind in TASK_KINDS.declared().values()}

    def __getitem__(self, name: str) -> Metric:
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


METRICS: Mapping[str, Metric] = _Metrics()


@dataclass(frozen=True)
class Headline:
    """The main metric of one measurement with its 95 % interval, None where it has none."""

    metric: Metric
    value: float
    low: float | None
    high: float | None
    samples: int

    def text(self) -> str:
        """``97.2% (95.0–98.5%)``"""
        interval = "" if self.low is None or self.high is None else f" ({self.metric.interval(self.low, self.high)})"
        return self.metric.text(self.value) + interval


def metric_of(measurement: Mapping[str, Any]) -> Metric:
    """The main metric that a measurement names; one that names none is older than all metrics but the default."""
    return METRICS[measurement.get("metric", DEFAULT_METRIC)]


def headline(measurement: Mapping[str, Any]) -> Headline | None:
    """The main metric of a measurement; None where nothing was measured."""
    metric = metric_of(measurement)
    value = measurement.get(metric.name)
    if value is None:
        return None
    low, high = measurement.get(f"{metric.name}_low"), measurement.get(f"{metric.name}_high")
    return Headline(metric, value, low, high, measurement["samples"])
