"""What is known of a network that goals are held against: all of it after a check, a part while a hand cuts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explorer.tasks import METRICS, Metric

END = "end"  # what was handed in, after whatever recovery
AS_CUT, REPAIRED, TRAINED = "none", "repair", "training"
STAGES = {AS_CUT: "as cut", REPAIRED: "repaired", TRAINED: "after training"}
"""The states of a network that goals ask about, with what a person calls them."""


@dataclass(frozen=True)
class Reached:
    """What a network reaches on some samples.

    Args:
        value: the task's metric.
        low, high: its 95 % interval; None where it has none.
        samples: how many there were.
        right: how many of each class are answered right, (classes,); None where answers are not right or wrong.
    """

    value: float
    low: float | None = None
    high: float | None = None
    samples: int = 0
    right: tuple[int, ...] | None = None

    @classmethod
    def of(cls, document: Mapping[str, Any], metric: str) -> "Reached":
        """From the JSON of a measurement with, where there are classes, ``right``."""
        right = document.get("right")
        low, high = document.get(f"{metric}_low"), document.get(f"{metric}_high")
        return cls(document[metric], low, high, document.get("samples", 0), None if right is None else tuple(right))


@dataclass(frozen=True)
class Timed:
    """A network's latency over its base's, both timed in turns, with its 95 % interval where it was measured."""

    ratio: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Facts:
    """What goals are held against; None, or absent from `stages`, is what is not known.

    Args:
        metric: the name of the task's metric.
        classes: their names.
        of_class: how many of the samples have each class, (classes,).
        whole: what the network reached before anything was cut.
        stages: what the smaller one reaches, by the keys of `STAGES`.
        end: which of these is what was, or would be, handed in.
        macs: of one input.
        params: numbers that training learns.
        size: bytes of the file of weights.
        timed: by runtime and batch.
        costs: ``{macs, params, size}`` of the whole network.
    """

    metric: str
    classes: tuple[str, ...] = ()
    of_class: tuple[int, ...] = ()
    whole: Reached | None = None
    stages: Mapping[str, Reached] = field(default_factory=dict)
    end: str = REPAIRED
    macs: int | None = None
    params: int | None = None
    size: int | None = None
    timed: Mapping[tuple[str, int], Timed] = field(default_factory=dict)
    costs: Mapping[str, int] = field(default_factory=dict)

    @property
    def measured_by(self) -> Metric:
        return METRICS[self.metric]

    def reached(self, after: str = END) -> Reached | None:
        """What the network reaches after a recovery, or as it was handed in."""
        return self.stages.get(self.end if after == END else after)

    def losses(self, after: str = END) -> np.ndarray | None:
        """By how much the share of right answers of each class is below the whole network's, (classes,) as fractions.

        NaN for classes without samples; None where it is not known.
        """
        now = self.reached(after)
        if now is None or self.whole is None or now.right is None or self.whole.right is None or not self.of_class:
            return None
        samples = np.array(self.of_class, dtype=float)
        lost = np.array(self.whole.right, dtype=float) - np.array(now.right, dtype=float)
        return np.divide(lost, samples, out=np.full_like(lost, np.nan), where=samples > 0)
