"""The criterion that asks whether a channel tells classes apart."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Inputs, Sums, all_gauges, joined, observe
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.errors import ExplorerError

NOISE = 1e-12  # of the mean square: a variance below it is the rounding of float32 activations


@criterion(
    "tvsprune",
    title="Class separation (TVSPrune)",
    needs={"inputs", "labels"},
    cost="1 forward",
    forwards=1.0,
    reference="Murti, Narshana and Bhattacharyya 2023, TVSPrune: Pruning Non-discriminative Filters via Total "
    "Variation Separability (ICLR 2023)",
    explanation="How well a channel alone separates the two classes that it separates worst: the squared Hellinger "
    "distance of its class-conditional distributions, taken to be normal. With many classes hardly any single "
    "channel separates all pairs, and scores get close to zero.",
    settings={"members": MEMBERS},
)
def tvsprune(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``min over class pairs of H²``, H² a lower bound of the total variation between two classes' features.

    A feature is a channel's mean over positions; each class has its mean μ and variance σ², of at least two inputs:
    ``H² = 1 − sqrt(2σ_aσ_b/(σ_a² + σ_b²))·exp(−(μ_a − μ_b)²/(4(σ_a² + σ_b²)))``.

    Raises:
        ExplorerError: the labels are no classes, or fewer than two classes have two inputs.
    """
    read = observe(context, all_gauges(context), _class_sums)
    return joined(context, {gauge: separation(*_moments(sums)) for gauge, sums in read.items()}, members)


def _class_sums(_gauge: Gauge, activation: Tensor, inputs: Inputs) -> Sums[int]:
    """Per class: how many features, their sum, and their sum of squares per channel."""
    labels = _classes(inputs.labels)
    features = activation.mean(tuple(range(2, activation.ndim))) if activation.ndim > 2 else activation
    features = to_float64(features)
    windows, left = divmod(len(features), len(labels))  # windows of one image follow one another
    if left:
        return {}
    sums: Sums[int] = {}
    features = features.unflatten(0, (len(labels), windows)).mean(1)
    for label in labels.unique().tolist():
        mine = features[(labels == label).to(features.device)]
        sums[label] = torch.stack([torch.full_like(mine[0], len(mine)), mine.sum(0), mine.square().sum(0)])
    return sums


def _classes(labels: Any) -> Tensor:
    if not isinstance(labels, Tensor) or labels.dim() != 1 or labels.is_floating_point():
        raise ExplorerError("tvsprune compares the classes of whole inputs and these labels are none: use flow or chip")
    return labels


def _moments(sums: Sums[int]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance (classes, channels) of the classes with two inputs or more."""
    known = [to_numpy(values) for _, values in sorted(sums.items()) if values[0, 0] > 1]
    if len(known) < 2:
        raise ExplorerError("tvsprune needs two inputs of each of two classes or more: give more --samples")
    count, total, squares = np.stack(known, axis=1)
    mean, mean_square = total / count, squares / count
    return mean, np.maximum(mean_square - mean**2, NOISE * mean_square)


def separation(mean: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """The least squared Hellinger distance over pairs of normal distributions; all (classes, channels) → (channels,).

    Two constants are at distance 0 if equal, else at 1.
    """
    least = np.ones(mean.shape[1])
    for a in range(len(mean) - 1):
        both = variance[a] + variance[a + 1 :]
        spread = np.where(both > 0, both, 1)
        overlap = np.sqrt(2 * np.sqrt(variance[a] * variance[a + 1 :]) / spread)
        overlap *= np.exp(-((mean[a] - mean[a + 1 :]) ** 2) / (4 * spread))
        overlap = np.where(both > 0, overlap, mean[a] == mean[a + 1 :])
        distance = 1 - overlap
        least = np.minimum(least, distance.min(axis=0))
    return np.clip(least, 0, 1)
