"""One sample and its label for a person: what several kinds of tasks have in common."""

import numpy as np
import torch
from torch import Tensor

from explorer.errors import ExplorerError
from explorer.tasks.tools.task import Task

TINTS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167))
"""Colours of areas and boxes, by class, told apart by all eyes (Okabe and Ito 2008, Color Universal Design)."""


def class_name(label: Tensor, classes: tuple[str, ...]) -> str:
    """The name of the one class that a label is."""
    return classes[int(label)]


def picture(task: Task, index: int, part: str) -> np.ndarray:
    """An image as it was before it was normalised: uint8 (H, W, 3)."""
    image = getattr(task, part)[index][0]
    scale = image.new_tensor(task.std).view(-1, 1, 1), image.new_tensor(task.mean).view(-1, 1, 1)
    pixels = (image * scale[0] + scale[1]).clamp(0, 1).expand(3, -1, -1)
    return (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def text(task: Task, index: int, part: str) -> str:
    """A text as it was before it became tokens.

    Raises:
        ExplorerError: the task has none.
    """
    if task.texts is None:
        raise ExplorerError(f"{task.title} has no texts to show")
    return task.texts[part][index]
