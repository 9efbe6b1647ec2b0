"""Data sources whose pictures fit into memory."""

from collections.abc import Callable
from functools import wraps

import numpy as np
import torch
from torch import Tensor

from explorer.memory import KEPT
from explorer.sources.reading.pictures import PixelImages, fit_note
from explorer.sources.request import InputRequest, Normalisation, Shape
from explorer.tasks import Task

CENTRED = (0.5,), (0.5,)  # mean and standard deviation that bring pixels to −1…1


def of_pictures(
    make: Callable[[str, Shape | None, Normalisation], Task],
) -> Callable[[str, InputRequest], Task]:
    """The function of a data source from ``make(ref, shape, normalisation)``, whose last tasks are kept."""

    @wraps(make)
    def opened(ref: str, request: InputRequest) -> Task:
        asked = ref, request.image(), request.normalised(CENTRED)
        return KEPT.get((make.__module__, make.__qualname__, *asked), lambda: make(*asked))

    return opened


def pixel_task(
    ref: str,
    title: str,
    classes: tuple[str, ...],
    pixels: Tensor,
    labels: np.ndarray,
    parts: dict[str, np.ndarray],
    shape: Shape | None,
    normalisation: Normalisation,
) -> Task:
    """A task from bytes in memory.

    Args:
        ref: the data ref.
        title: for a person.
        classes: their names.
        pixels: uint8 (n, C, H, W).
        labels: the class of each, (n,).
        parts: the indices of each part.
        shape: that the model wants; None: that of the pixels.
        normalisation: that the model wants.
    """
    native: Shape = tuple(pixels.shape[1:])
    shape, targets = shape or native, torch.from_numpy(labels.astype(np.int64))
    images = {
        name: PixelImages(pixels[index], targets[index], shape, *normalisation).in_memory()
        for name, index in parts.items()
    }
    return Task(ref, title, classes, shape, *normalisation, **images, note=fit_note(native, shape))
