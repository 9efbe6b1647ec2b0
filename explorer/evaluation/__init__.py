"""Measurement: a task's metrics with their uncertainty, time on the device, cost and bytes."""

from explorer.evaluation.accuracy import Accuracy, accuracy, predict, wilson
from explorer.evaluation.batches import batches, evaluating, fetch, sample_inputs
from explorer.evaluation.classwise import ClassChange, who_pays
from explorer.evaluation.latency import Latency, latency, synchronise
from explorer.evaluation.live import Answer, Live
from explorer.evaluation.losses import IGNORED, task_loss
from explorer.evaluation.measurement import METADATA, measure, size_bytes, weights
from explorer.evaluation.metrics import METRICS, Headline, Metric, headline, metric_of
from explorer.evaluation.quality import Quality, evaluate

__all__ = [
    "IGNORED",
    "METADATA",
    "METRICS",
    "Accuracy",
    "Answer",
    "ClassChange",
    "Headline",
    "Latency",
    "Live",
    "Metric",
    "Quality",
    "accuracy",
    "batches",
    "evaluate",
    "evaluating",
    "fetch",
    "headline",
    "latency",
    "measure",
    "metric_of",
    "predict",
    "sample_inputs",
    "size_bytes",
    "synchronise",
    "task_loss",
    "weights",
    "who_pays",
    "wilson",
]
