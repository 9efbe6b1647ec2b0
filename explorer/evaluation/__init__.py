"""Measurement: accuracy with its uncertainty, time on the device, cost and bytes."""

from explorer.evaluation.accuracy import Accuracy, accuracy, predict, wilson
from explorer.evaluation.batches import batches, evaluating, fetch
from explorer.evaluation.latency import Latency, latency, synchronise
from explorer.evaluation.measurement import METADATA, measure, size_bytes, weights

__all__ = [
    "METADATA",
    "Accuracy",
    "Latency",
    "accuracy",
    "batches",
    "evaluating",
    "fetch",
    "latency",
    "measure",
    "predict",
    "size_bytes",
    "synchronise",
    "weights",
    "wilson",
]
