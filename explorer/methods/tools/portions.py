"""How many samples a person who waits is answered from: of a small network many, of a large one few."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from explorer.batches import Samples, fetch, spread, subset

SECOND = 6e10  # multiply-accumulates of forward passes in about a second, on two cores
JUDGED = 64, 512  # samples that a plan is judged by on the pages: the fewest and the most
REPAIRED = 64, 256  # samples that a repair looks at
_PASSES = 4  # that a repair makes in that second at most: 2 forwards, and sums that take about as long


def portion_places(total: int, macs: int) -> Sequence[int]:
    """Which of so many validation samples plans for a network of so many MACs are judged by, see `portion`."""
    return spread(total, _count(SECOND, macs, JUDGED))


def portion(data: Samples, macs: int) -> Samples:
    """Samples from all over `data`, as many as can be evaluated in about a second, between 64 and 512."""
    return _at(data, portion_places(len(data), macs))


def calibration_portion(data: Samples, macs: int) -> Samples:
    """Samples from all over `data` that a repair looks at: as many as take it about a second, between 64 and 256.

    On the bundled networks 256 instead of 64 gain up to a point of accuracy, and more than 256 gain nothing.
    """
    return _at(data, spread(len(data), _count(SECOND / _PASSES, macs, REPAIRED)))


def in_memory(data: Samples) -> Samples:
    """The same samples, read once: for work that goes through them again and again."""
    inputs, labels = fetch(data, torch.arange(len(data)))
    return TensorDataset(inputs, labels) if isinstance(labels, Tensor) else list(zip(inputs, labels, strict=True))


def _count(work: float, macs: int, bounds: tuple[int, int]) -> int:
    return int(np.clip(work // max(macs, 1), *bounds))


def _at(data: Samples, places: Sequence[int]) -> Samples:
    return data if len(places) == len(data) else subset(data, places)
