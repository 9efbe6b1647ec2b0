"""Data refs → tasks: `digits`, `shapes`, `folder:PATH`, `torchvision:NAME`, `random`."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from explorer.errors import ExplorerError, unknown
from explorer.sources import shapes
from explorer.sources.digits import CLASSES, digits
from explorer.sources.folder import folder_task
from explorer.sources.refs import fraction, integer, split_query
from explorer.sources.task import PARTS, PixelImages, Task, fit_note, stratified_split
from explorer.sources.vision import DATASETS, read_dataset

Shape = tuple[int, int, int]

_FRACTIONS = (0.60, 0.10, 0.15, 0.15)  # train, calibration, validation, test
_CENTRED = (0.5,)  # mean and standard deviation that bring pixels to −1…1
_SHAPES_OPTIONS = {
    "classes": integer(2, shapes.MOST_CLASSES),
    "difficulty": fraction,
    "seed": integer(0, 2**31 - 1),
    "n": integer(200, 100_000),
}
_SHAPES_DEFAULTS = {"classes": 8, "difficulty": 0.55, "seed": 0, "n": 8000}
_RANDOM_OPTIONS = {"classes": integer(2, 100_000), "seed": integer(0, 2**31 - 1)}
_RANDOM_SIZES = {"train": 512, "calibration": 256, "validation": 128, "test": 256}


def load_task(ref: str, *, input_shape: tuple[int, ...] | None = None, classes: int | None = None) -> Task:
    """The task named by `ref`, its images fitted to a model's input (channels, height, width).

    Without `input_shape` images keep their own size (folders: 3×224×224). `classes` is the number of the model's
    outputs. The parts of a task are fixed: the same ref gives the same images in the same parts.

    Raises:
        ExplorerError: the ref is unknown, its data can't be read or downloaded, or doesn't fit the model.
    """
    kind, colon, rest = ref.partition(":")
    shape = None if input_shape is None else _checked(input_shape)
    if colon and kind == "folder":
        task = folder_task(rest, shape or (3, 224, 224))
    elif colon and kind == "torchvision":
        task = _torchvision(rest, shape)
    else:
        name = ref.partition("?")[0]
        if name not in _BUNDLED:
            raise unknown("data", ref, [*_BUNDLED, "folder:PATH", *(f"torchvision:{n}" for n in DATASETS)])
        task = _BUNDLED[name](ref, shape, classes)
    if classes is not None and len(task.classes) != classes:
        raise ExplorerError(
            f"{ref} has {len(task.classes)} classes but the model gives {classes}: choose the data it was trained on,"
            f" or an untrained model with ?num_classes={len(task.classes)}"
        )
    return task


def list_tasks() -> list[tuple[str, str]]:
    """(ref, title) of the data that needs no path: bundled first, then downloadable."""
    titles = {"digits": "Handwritten digits", "shapes": "Shapes and textures", "random": "Random noise (timing only)"}
    return [*titles.items(), *((f"torchvision:{name}", f"{name} (download)") for name in DATASETS)]


def _checked(shape: tuple[int, ...]) -> Shape:
    if len(shape) != 3:
        raise ExplorerError(f"image data can't feed a model whose input has {len(shape)} axes: it wants 3 (C×H×W)")
    channels, height, width = (int(size) for size in shape)
    return channels, height, width


@lru_cache(maxsize=4)
def _digits(ref: str, shape: Shape | None, _classes: int | None) -> Task:
    split_query(ref, {})
    pixels, labels = digits()
    parts = dict(zip(PARTS, stratified_split(labels, _FRACTIONS, seed=0), strict=True))
    return pixel_task(ref, "Handwritten digits", CLASSES, pixels, labels, parts, shape)


@lru_cache(maxsize=4)
def _shapes(ref: str, shape: Shape | None, _classes: int | None) -> Task:
    options = _SHAPES_DEFAULTS | split_query(ref, _SHAPES_OPTIONS)[1]
    pixels, labels = shapes.generate(options["n"], options["classes"], options["difficulty"], options["seed"])
    parts = dict(zip(PARTS, stratified_split(labels, _FRACTIONS, options["seed"]), strict=True))
    names = shapes.class_names(options["classes"])
    return pixel_task(ref, "Shapes and textures", names, torch.from_numpy(pixels), labels, parts, shape)


def _random(ref: str, shape: Shape | None, classes: int | None) -> Task:
    options = split_query(ref, _RANDOM_OPTIONS)[1]
    count, shape = options.get("classes", classes or 10), shape or (3, 224, 224)
    first, parts = options.get("seed", 0) << 32, {}
    for name, size in _RANDOM_SIZES.items():
        parts[name] = Noise(size, shape, count, first)
        first += size
    names = tuple(f"class {number}" for number in range(count))
    note = "noise with random labels, for timing: no accuracy is measured on it"
    return Task(ref, "Random noise", names, shape, (0.5,), (0.25,), **parts, note=note, measured=False)


_BUNDLED: dict[str, Callable[[str, Shape | None, int | None], Task]] = {
    "digits": _digits,
    "shapes": _shapes,
    "random": _random,
}


@lru_cache(maxsize=2)
def _torchvision(rest: str, shape: Shape | None) -> Task:
    ref = f"torchvision:{rest}"
    name, _ = split_query(rest, {})
    if name not in DATASETS:
        raise unknown("torchvision data set", name, DATASETS)
    classes, (pixels, labels), (test_pixels, test_labels) = read_dataset(name)
    train = stratified_split(labels, (0.80, 0.10, 0.10), seed=0)
    parts = dict(zip(PARTS, [*train, len(labels) + np.arange(len(test_labels))], strict=True))
    everything = torch.cat([pixels, test_pixels]), np.concatenate([labels, test_labels])
    return pixel_task(ref, name, classes, *everything, parts, shape)


def pixel_task(
    ref: str,
    title: str,
    classes: tuple[str, ...],
    pixels: Tensor,
    labels: np.ndarray,
    parts: dict[str, np.ndarray],
    shape: Shape | None,
) -> Task:
    """A task from bytes in memory: `pixels` uint8 (n, C, H, W), `labels` (n,), `parts` the indices of each part."""
    native: Shape = tuple(pixels.shape[1:])
    shape, targets = shape or native, torch.from_numpy(labels.astype(np.int64))
    images = {
        name: PixelImages(pixels[index], targets[index], shape, _CENTRED, _CENTRED).in_memory()
        for name, index in parts.items()
    }
    return Task(ref, title, classes, shape, _CENTRED, _CENTRED, **images, note=fit_note(native, shape))


class Noise(Dataset):
    """Normal noise with random labels; image i depends on nothing but the seed and i."""

    def __init__(self, size: int, shape: Shape, classes: int, first: int) -> None:
        self._size, self._shape, self._classes, self._first = size, shape, classes, first

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < self._size:
            raise IndexError(index)
        generator = torch.Generator().manual_seed(self._first + int(index))
        image = torch.randn(self._shape, generator=generator)
        return image, int(torch.randint(self._classes, (), generator=generator))
