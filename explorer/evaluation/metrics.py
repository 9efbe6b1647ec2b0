"""What tasks are judged by: the name, meaning and reading of every main metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """A main metric; higher is better. `share` says whether it reads as a percentage of something.

    `name` is its key in every JSON object, `label` its title in a table or a card, `short` its name in a sentence.
    """

    name: str
    label: str
    short: str
    share: bool
    definition: str

    def text(self, value: float) -> str:
        """One value: ``97.2%``, or ``0.812`` where a percentage would mislead."""
        return f"{value:.1%}" if self.share else f"{value:.3f}".replace("-", "−")

    def difference(self, value: float) -> str:
        """A signed difference of two values: ``−1.3 points`` of a percentage, or ``−0.013``."""
        return (f"{100 * value:+.1f} points" if self.share else f"{value:+.3f}").replace("-", "−")

    def interval(self, low: float, high: float) -> str:
        """``95.0–98.5%``"""
        return f"{100 * low:.1f}–{high:.1%}" if self.share else f"{self.text(low)}–{self.text(high)}"


METRICS = {
    metric.name: metric
    for metric in (
        Metric("top1", "Accuracy", "top-1", True, "Share of images classified right (top-1)."),
        Metric("accuracy", "Accuracy", "accuracy", True, "Share of texts classified right."),
        Metric(
            "pearson",
            "Pearson correlation",
            "Pearson r",
            False,
            "Correlation of the model's scores with the true ones: 1 is a perfect line, 0 no relation, −1 reversed.",
        ),
        Metric(
            "miou",
            "Mean IoU",
            "mIoU",
            True,
            "Overlap of the predicted with the true area, divided by their union, averaged over the classes.",
        ),
        Metric(
            "map",
            "Mean average precision",
            "mAP",
            True,
            "Area under precision over recall, averaged over classes and over overlaps from 50 to 95% (COCO).",
        ),
    )
}


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
    """The main metric that a measurement names (before there were several, all were top-1)."""
    return METRICS[measurement.get("metric", "top1")]


def headline(measurement: Mapping[str, Any]) -> Headline | None:
    """The main metric of a measurement, see `measure`; None where nothing was measured."""
    metric = metric_of(measurement)
    value = measurement.get(metric.name)
    if value is None:
        return None
    low, high = measurement.get(f"{metric.name}_low"), measurement.get(f"{metric.name}_high")
    return Headline(metric, value, low, high, measurement["samples"])
