"""What a task's data is made of: how many samples each part has, and of each class."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch.utils.data import TensorDataset

from explorer.batches import Samples
from explorer.tasks.tools.task import PARTS, Task
from explorer.tasks.tools.task_kind import TASK_KINDS

UNEVEN = 3  # times as many samples of one class as of another, from which accuracy alone misleads
_NAMED = 5  # classes in a sentence


@dataclass(frozen=True)
class Census:
    """How many samples there are.

    Args:
        classes: the names of those that can be counted.
        samples: of each part.
        counts: of each part the number of every class, int64 (classes,); None where a label names no class.
        what: what is counted: "images", "boxes".
        exclusive: whether every sample is of one class, so that one can always answer the same.
    """

    classes: tuple[str, ...]
    samples: Mapping[str, int]
    counts: Mapping[str, np.ndarray] | None
    what: str
    exclusive: bool = True

    def majority(self, part: str = "test") -> tuple[str, float] | None:
        """The largest class and its share of a part: what always answering it gets; None where that means nothing."""
        if self.counts is None or not self.exclusive or not self.samples[part]:
            return None
        largest = int(self.counts[part].argmax())
        return self.classes[largest], float(self.counts[part][largest] / self.samples[part])

    def remarks(self) -> list[str]:
        """What a person should know before trusting an accuracy, a clause each."""
        if self.counts is None:
            return []
        said = []
        untested = [name for name, count in zip(self.classes, self.counts["test"], strict=True) if not count]
        if untested:
            told = ", ".join(untested[:_NAMED]) + (f" and {len(untested) - _NAMED} more" if untested[_NAMED:] else "")
            said.append(f"no {self.what} of {told} in the test part: what becomes of them is not measured")
        majority, trained = self.majority(), self.counts["train"]
        if majority is not None and trained.max() >= UNEVEN * max(1, trained.min()):
            said.append(
                f"classes are uneven, {trained.min():,} to {trained.max():,} {self.what} in training: always answering "
                f"{majority[0]} gets {majority[1]:.1%} of the test part, so look at the balanced accuracy, too"
            )
        return said

    def to_json(self) -> dict[str, Any]:
        """``{samples, counts: {part: {class: number}} or null, counted, majority: {class, share} or null}``"""
        majority = self.majority()
        by_name = {
            part: dict(zip(self.classes, map(int, found), strict=True)) for part, found in (self.counts or {}).items()
        }
        return {
            "samples": dict(self.samples),
            "counts": by_name or None,
            "counted": self.what,
            "majority": majority and {"class": majority[0], "share": majority[1]},
        }


def census(task: Task) -> Census:
    """Counts a task's samples by the labels that its parts hold, without reading any input."""
    samples = {part: len(getattr(task, part)) for part in PARTS}
    first = min(getattr(getattr(task, part), "first_class", 0) for part in PARTS)
    kind = TASK_KINDS[task.kind]
    countable = task.measured and (kind.classifies or first)
    labels = {part: class_labels(getattr(task, part)) for part in PARTS} if countable else {}
    counts: dict[str, np.ndarray] = {}
    for part, found in labels.items():
        if found is not None:
            counts[part] = np.bincount(found, minlength=len(task.classes))[first:]
    what = "boxes" if first else kind.samples
    return Census(task.classes[first:], samples, counts if len(counts) == len(PARTS) else None, what, not first)


def class_labels(samples: Samples) -> np.ndarray | None:
    """The number of each sample's class, or of each of its boxes, int64 (n,); None where labels are something else."""
    if isinstance(samples, TensorDataset):
        found = samples.tensors[1]
        return found.numpy() if found.dim() == 1 and not found.is_floating_point() else None
    return getattr(samples, "labels", None)
