"""Steps of a method: each seeded by itself, timed, and remembered, so that a run can go on where it stopped."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from explorer.progress import Report, part


@dataclass(frozen=True)
class Record:
    """What a finished step leaves behind: JSON values and tensors.

    `replaces` names an earlier step whose record is no longer needed once this one is kept.
    """

    values: dict[str, Any] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict, repr=False)
    replaces: str = ""


# Gives the record of a step that an earlier run has finished, else makes it by calling the function.
Memo = Callable[[str, Callable[[], Record]], Record]


def forgetful(name: str, make: Callable[[], Record]) -> Record:
    """A memo without memory."""
    return make()


def seed_everything(seed: int) -> None:
    """Seeds python, numpy and torch on every device."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


class Stages:
    """Runs the steps of one method and keeps their times in `seconds`.

    Every step starts from the same seed, so a step that is recalled instead of done does not
    change the random numbers of those after it.
    """

    def __init__(self, seed: int, report: Report, memo: Memo) -> None:
        self._seed, self._report, self._memo = seed, report, memo
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, start: float, stop: float, title: str, work: Callable[[Report], Record]) -> Record:
        """The record of step `name`, which is the stretch from `start` to `stop` of the method's work."""
        report = part(self._report, start, stop)
        report(0.0, title)

        def make() -> Record:
            seed_everything(self._seed)
            begun = time.perf_counter()
            record = work(lambda fraction, message, **metrics: report(fraction, f"{title}: {message}", **metrics))
            return Record({**record.values, "step_seconds": time.perf_counter() - begun}, record.tensors)

        record = self._memo(name, make)
        self.seconds[name] = record.values["step_seconds"]
        return record
