"""How many samples a person who waits is answered from: of a small network many, of a large one few."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from explorer.batches import Samples, fetch, spread, subset
from explorer.recovery.portion import SECOND

JUDGED = 64, 512  # samples that a plan is judged by on the pages: the fewest and the most


def portion_places(total: int, macs: int) -> Sequence[int]:
    """Which of so many validation samples plans for a network of so many MACs are judged by, see `portion`."""
    return spread(total, _count(SECOND, macs, JUDGED))


def portion(data: Samples, macs: int) -> Samples:
    """Samples from all over `data`, as many as can be evaluated in about a second, between 64 and 512."""
    return _at(data, portion_places(len(data), macs))


def in_memory(data: Samples) -> Samples:
    """The same samples, read once: for work that goes through them again and again."""
    inputs, labels = fetch(data, torch.arange(len(data)))
    return TensorDataset(inputs, labels) if isinstance(labels, Tensor) else list(zip(inputs, labels, strict=True))


def _count(work: float, macs: int, bounds: tuple[int, int]) -> int:
    return int(np.clip(work // max(macs, 1), *bounds))


def _at(data: Samples, places: Sequence[int]) -> Samples:
    return data if len(places) == len(data) else subset(data, places)
