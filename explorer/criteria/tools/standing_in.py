"""What the units that stay can stand in for: of every layer that reads a group, its inputs' covariance and its weights.

With it the error that least squares leave in a reader when units go is a closed form: no forward pass is needed for
another choice of units.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Inputs, Sums, observe
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.readers import Reader, by_gauge, oriented
from explorer.structure.types import Group

RIDGE = 1e-3  # of the mean variance of the inputs, as in least-squares reconstruction
STEPS = 256  # in which the units of a group leave at most: beyond, several leave at once


@dataclass(frozen=True)
class Reading:
    """What one layer, or one group of a grouped convolution, reads of a group of channels, in the whole network.

    A unit has the same number of channels in a row in all of them; what is read at several positions (behind a
    flattening, or on a map) is pooled.

    Args:
        gauge: where its inputs are seen.
        entries: the places of the channels among the inputs, int64 (channels, positions).
        mean: of the channels, float64 (channels,).
        covariance: of the channels, float64 (channels, channels).
        weight: ``Σ_p W_pᵀ·W_p`` over the kernel positions p of the weights that read them, float64 (channels,
            channels).
    """

    gauge: Gauge
    entries: np.ndarray
    mean: np.ndarray
    covariance: np.ndarray
    weight: np.ndarray

    @property
    def energy(self) -> float:
        """The variance that these channels bring into the layer's outputs, summed over outputs."""
        return float((self.weight * self.covariance).sum())

    @property
    def damped(self) -> np.ndarray:
        """The covariance with the ridge on its diagonal."""
        size = max(float(np.diag(self.covariance).mean()), float(np.finfo(np.float32).tiny))
        return self.covariance + RIDGE * size * np.eye(len(self.covariance))

    def stand_in(self, removed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``x_R ≈ mix·x_K + constant`` by least squares: (removed, kept) and (removed,).

        Args:
            removed: whether each channel leaves, bool (channels,).
        """
        kept = ~removed
        mix = np.linalg.solve(self.damped[np.ix_(kept, kept)], self.covariance[np.ix_(kept, removed)]).T
        return mix, self.mean[removed] - mix @ self.mean[kept]


class Elimination(NamedTuple):
    """Units in the order in which they leave, (units,), and what is lost with the first n of them, (units + 1,)."""

    order: np.ndarray
    errors: np.ndarray


def readings_of(context: Context) -> dict[str, list[Reading]]:
    """The readings of every group, from one pass over the data; of groups that no layer reads alone an empty list."""
    reading = by_gauge(context)
    places = {
        (name, reader.member.tensor): _entries(context.structure.groups[name], reader)
        for name, reader in chain.from_iterable(reads for tensors in reading.values() for reads in tensors.values())
    }

    def measure(gauge: Gauge, activation: Tensor, _: Inputs) -> Sums[tuple[str, str, int, str]]:
        sums: Sums[tuple[str, str, int, str]] = {}
        for name, reader in chain.from_iterable(reading[gauge].values()):
            if (entries := places[name, reader.member.tensor]) is None:
                continue
            for block, channels in enumerate(_blocks(context, reader, activation, entries)):
                key = name, reader.member.tensor, block
                sums[*key, "count"] = torch.tensor(len(channels))
                sums[*key, "sum"] = to_float64(channels).sum(0)
                sums[*key, "gram"] = to_float64(channels.mT @ channels)
        return sums

    found: dict[str, list[Reading]] = {name: [] for name in context.structure.groups}
    for gauge, sums in observe(context, list(reading), measure).items():
        for name, reader in chain.from_iterable(reading[gauge].values()):
            entries = places[name, reader.member.tensor]
            if entries is not None:
                found[name] += _joined(context, name, reader, entries, sums)
    return found


def eliminate(readings: Sequence[Reading], units: int, order: np.ndarray | None = None) -> Elimination:
    """Lets units leave one after the other, those that stay standing in for them by least squares.

    A unit's price is by how much the error of all readers' outputs grows, each relative to its variance:
    ``Σ_readers tr(M_uu·(P_uu)⁻¹) / tr(M·Σ)``, with P the inverse of the covariance Σ of what is left and M the Gram
    matrix of the weights as least squares have changed them. That is the optimal brain surgeon's step for whole
    structures (Hassibi and Stork 1992; Kurtić et al. 2023, ZipLM, arXiv:2302.04089, eq. 2 and 3), which makes the
    sum of prices the exact error of the least squares solution for what is gone; the cheapest leaves next.

    Args:
        readings: of the group; at least one.
        units: of the group.
        order: in which they leave; None: the cheapest first, of equals the first.
    """
    inverses = [np.linalg.inv(reading.damped) for reading in readings]
    weights = [reading.weight / max(reading.energy, np.finfo(np.float32).tiny) for reading in readings]
    left, errors = np.ones(units, dtype=bool), [0.0]
    leaving: list[int] = []
    at_once = max(1, units // STEPS)
    while left.any():
        prices = sum(_prices(*pair, units, left) for pair in zip(weights, inverses, strict=True))
        if order is None:
            gone = np.argsort(np.where(left, prices, np.inf), kind="stable")[: min(at_once, left.sum())]
        else:
            gone = order[len(leaving) : len(leaving) + at_once]
        total = errors[-1] + sum(_remove(*pair, units, gone) for pair in zip(weights, inverses, strict=True))
        errors += np.linspace(errors[-1], total, len(gone) + 1)[1:].tolist()
        leaving += gone.tolist()
        left[gone] = False
    return Elimination(np.array(leaving), np.array(errors))


def _prices(weight: np.ndarray, inverse: np.ndarray, units: int, left: np.ndarray) -> np.ndarray:
    """What each unit's leaving costs in one reading, (units,); of those that are gone 0."""
    prices = np.zeros(units)
    of_weight, of_inverse = (_diagonal_blocks(matrix, units)[left] for matrix in (weight, inverse))
    prices[left] = np.trace(np.linalg.solve(of_inverse, of_weight), axis1=1, axis2=2)
    return prices


def _diagonal_blocks(matrix: np.ndarray, units: int) -> np.ndarray:
    """(channels, channels) → the blocks of single units, (units, channels of a unit, channels of a unit)."""
    size = len(matrix) // units
    blocks = matrix.reshape(units, size, units, size)
    return blocks[np.arange(units), :, np.arange(units)]


def _remove(weight: np.ndarray, inverse: np.ndarray, units: int, gone: np.ndarray) -> float:
    """Takes units out of one reading, in place, and lets the others stand in for them; by how much the error grows."""
    size = len(weight) // units
    channels = (gone[:, None] * size + np.arange(size)).ravel()
    mine = np.ix_(channels, channels)
    passed = np.linalg.solve(inverse[mine], inverse[channels])
    price = float(np.trace(np.linalg.solve(inverse[mine], weight[mine])))
    taken = weight[:, channels] @ passed
    weight += passed.T @ weight[mine] @ passed - taken - taken.T
    inverse -= inverse[:, channels] @ passed
    weight[channels] = weight[:, channels] = inverse[channels] = inverse[:, channels] = 0.0
    return price


def _entries(group: Group, reader: Reader) -> np.ndarray | None:
    """Where a reader's inputs have the group's channels, unit after unit, (channels, positions); None: unevenly."""
    owners = reader.member.units
    places = np.argsort(owners, kind="stable")[(owners < 0).sum() :]
    counts = np.bincount(owners[owners >= 0], minlength=group.units)
    if (counts != counts[0]).any():
        return None
    positions = max(1, int(counts[0]) // group.unit)
    return places.reshape(-1, positions)


def _blocks(context: Context, reader: Reader, activation: Tensor, entries: np.ndarray) -> Iterator[Tensor]:
    """What each group of a reader (one, unless it is a grouped convolution) reads of the channels: (places, channels).

    Args:
        activation: (inputs, channels, …).
    """
    layer = context.module.get_submodule(reader.gauge.module)
    for part in activation.chunk(getattr(layer, "groups", 1), dim=1):
        chosen = part[:, torch.as_tensor(entries, device=part.device)]  # (inputs, channels, positions, …)
        yield chosen.movedim(1, -1).flatten(0, -2)


def _joined(
    context: Context, group: str, reader: Reader, entries: np.ndarray, sums: Sums[tuple[str, str, int, str]]
) -> Iterator[Reading]:
    """The readings of one reader of a group, from the sums over the data."""
    for block, weights in enumerate(oriented(context, reader)):
        key = group, reader.member.tensor, block
        count = int(sums[*key, "count"])
        mean = to_numpy(sums[*key, "sum"]) / count
        covariance = to_numpy(sums[*key, "gram"]) / count - np.outer(mean, mean)
        rows = to_float64(weights)[:, torch.as_tensor(entries, device=weights.device)]  # (outputs, channels, …)
        flat = rows.movedim(1, 0).flatten(1)
        yield Reading(reader.gauge, entries + block * weights.shape[1], mean, covariance, to_numpy(flat @ flat.mT))
