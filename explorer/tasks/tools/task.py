"""A task: labelled examples of one kind in four fixed parts."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from explorer.batches import Samples
from explorer.plain import visible
from explorer.tasks.tools.task_kind import DEFAULT_KIND, DEFAULT_METRIC, TASK_KINDS

PARTS = ("train", "calibration", "validation", "test")


@dataclass(frozen=True)
class Task:
    """Labelled examples; images are normalised as ``(pixel − mean) / std`` with pixels from 0 to 1.

    Args:
        ref: the data ref that names it.
        title: for a person.
        classes: the names of the classes, of scores only ``("score",)``.
        input_shape: (C, H, W) of an image, or (L,) of a text in tokens.
        mean, std: by which images were normalised, a number per channel; empty for texts.
        train: what is learnt from.
        calibration: a slice of the training data, for statistics and scores.
        validation: a slice of the training data, for decisions.
        test: only reported on.
        note: what was done to make the examples fit the model.
        measured: False where the labels mean nothing.
        kind: a key of `TASK_KINDS`.
        texts: the texts behind the token ids, by part.
        drawn: (input, label) → one example of a person's own as a picture or a text; None: she gave no such function.
        remarks: what a person should know before trusting numbers that come of it, a clause each.
    """

    ref: str
    title: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Samples = field(repr=False)
    calibration: Samples = field(repr=False)
    validation: Samples = field(repr=False)
    test: Samples = field(repr=False)
    note: str = ""
    measured: bool = True
    kind: str = DEFAULT_KIND
    texts: dict[str, tuple[str, ...]] | None = field(default=None, repr=False)
    drawn: Callable[[Any, Any], Any] | None = field(default=None, repr=False)
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Names of folders may be in any encoding, and hold what can't be printed."""
        object.__setattr__(self, "classes", tuple(map(visible, self.classes)))

    @property
    def metric(self) -> str:
        """What it is judged by, a key of `METRICS`."""
        return TASK_KINDS[self.kind].metric.name if self.measured else DEFAULT_METRIC

    def answer(self, index: int, part: str = "test") -> str:
        """The label of one example in words."""
        return TASK_KINDS[self.kind].answer(getattr(self, part)[index][1], self.classes)

    def show(self, index: int, part: str = "test") -> np.ndarray | str:
        """One example for the eye: a picture, uint8 of shape (H, W, 3), or a text."""
        return TASK_KINDS[self.kind].draw(self, index, part)
