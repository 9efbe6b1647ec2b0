"""What a change of the model does to single classes and samples."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class ClassChange:
    """Two sets of answers to the same samples compared.

    `change` is the difference of every class's share of right answers, after − before, NaN where a class has no
    samples; `worst` the class that loses most, None where none loses. `flipped` are the indices of samples whose
    answer is another one, `lost` those of them that were right before.
    """

    change: np.ndarray = field(repr=False, compare=False)
    worst: int | None
    flipped: np.ndarray = field(repr=False, compare=False)
    lost: np.ndarray = field(repr=False, compare=False)

    @property
    def losing(self) -> tuple[int, ...]:
        """The classes that lose most, to the whole point: several where they tie, none where no class loses."""
        if self.worst is None:
            return ()
        points = np.round(100 * self.change)
        return tuple(np.flatnonzero(points == points[self.worst]).tolist())


def favourite(answers: np.ndarray, share: float = 0.8) -> int | None:
    """The class that more than this share of the samples is answered with; None where there is none."""
    if not len(answers):
        return None
    counts = np.bincount(answers)
    first = int(np.argmax(counts))
    return first if counts[first] > share * len(answers) else None


def who_pays(before: np.ndarray, after: np.ndarray, labels: np.ndarray, classes: int) -> ClassChange:
    """Which of the classes, and which samples, pay for a change of the model.

    Args:
        before, after: the class answered for every sample.
        labels: the true ones.
    """
    right = [np.bincount(labels[answers == labels], minlength=classes) for answers in (before, after)]
    samples = np.bincount(labels, minlength=classes)
    change = np.where(samples > 0, (right[1] - right[0]) / np.maximum(samples, 1), np.nan)
    worst = int(np.argmin(np.where(samples > 0, change, np.inf)))
    flipped = np.flatnonzero(before != after)
    return ClassChange(
        change, worst if change[worst] < 0 else None, flipped, flipped[before[flipped] == labels[flipped]]
    )
