"""Data refs → tasks: made ones such as `digits` or `sentences`, `folder:PATH`, `torchvision:NAME`, `hf:NAME`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from explorer.errors import ExplorerError, unknown
from explorer.sources import hub_data, sentences, shapes
from explorer.sources.boxes import boxes_folder, boxes_task, is_boxes_folder, made_boxes
from explorer.sources.digits import CLASSES, digits
from explorer.sources.folder import folder_task, natural
from explorer.sources.refs import fraction, integer, split_query
from explorer.sources.segmentation import Normalisation, is_masks_folder, made_masks, masks_folder, masks_task
from explorer.sources.task import KINDS, PARTS, PixelImages, Task, fit_note, stratified_split
from explorer.sources.text import TABLES, Texts, Tokenizer, read_tables, text_task
from explorer.sources.vision import DATASETS, read_dataset

Shape = tuple[int, int, int]

_FRACTIONS = (0.60, 0.10, 0.15, 0.15)  # train, calibration, validation, test
_CENTRED = (0.5,), (0.5,)  # mean and standard deviation that bring pixels to −1…1
_SHAPES_OPTIONS = {
    "classes": integer(2, shapes.MOST_CLASSES),
    "difficulty": fraction,
    "seed": integer(0, 2**31 - 1),
    "n": integer(200, 100_000),
}
_SHAPES_DEFAULTS = {"classes": 8, "difficulty": 0.55, "seed": 0, "n": 8000}
_MASKS_OPTIONS = {key: _SHAPES_OPTIONS[key] for key in ("difficulty", "seed", "n")}
_MASKS_DEFAULTS = {"difficulty": 0.3, "seed": 0, "n": 3000}
_BOXES_DEFAULTS = {"difficulty": 0.2, "seed": 0, "n": 1500}
_REVIEW_OPTIONS = {"n": integer(200, 100_000), "seed": integer(0, 2**31 - 1)}
_REVIEW_DEFAULTS = {"n": 4000, "seed": 0}
_RANDOM_OPTIONS = {"classes": integer(2, 100_000), "seed": integer(0, 2**31 - 1)}
_RANDOM_SIZES = {"train": 512, "calibration": 256, "validation": 128, "test": 256}


@dataclass(frozen=True)
class Wish:
    """What the model wants of its data: the input's shape, the number of outputs, a tokenizer, (mean, std)."""

    shape: tuple[int, ...] | None = None
    classes: int | None = None
    tokenizer: Tokenizer | None = None
    normalisation: Normalisation | None = None

    def image(self) -> Shape | None:
        """The shape of an image.

        Raises:
            ExplorerError: the model takes none.
        """
        if self.shape is None:
            return None
        if len(self.shape) != 3:
            raise ExplorerError("this data has images but the model reads texts: choose text data, such as sentences")
        channels, height, width = (int(size) for size in self.shape)
        return channels, height, width

    def normalised(self, default: Normalisation) -> Normalisation:
        return self.normalisation or default


def load_task(
    ref: str,
    *,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    kind: str | None = None,
    tokenizer: Tokenizer | None = None,
    normalisation: Normalisation | None = None,
) -> Task:
    """The task named by `ref`, its inputs made as a model wants them.

    Without `input_shape` images keep their own size (folders: 3×224×224). The parts of a task are fixed: the same ref
    gives the same examples in the same parts.

    Args:
        classes: the number of the model's outputs.
        kind: what the model is made for, see `Task.kind`.
        tokenizer: makes the model's inputs of texts.
        normalisation: (mean, std) of pictures, a number per channel; None: the data's own.

    Raises:
        ExplorerError: the ref is unknown, its data can't be read or downloaded, or doesn't fit the model.
    """
    task = _find(ref)(ref, Wish(input_shape, classes, tokenizer, normalisation))
    if kind is not None and _is_noise(ref):
        return replace(task, kind=kind)
    if kind is not None and task.kind != kind:
        raise ExplorerError(f"{ref} is for {KINDS[task.kind]}, and the model is one of the {KINDS[kind]}")
    if classes is not None and len(task.classes) != classes:
        raise ExplorerError(
            f"{ref} has {len(task.classes)} classes but the model gives {classes}: choose the data it was trained on,"
            f" or an untrained model with ?num_classes={len(task.classes)}"
        )
    return task


@dataclass(frozen=True)
class Description:
    """What a model must be to fit the data."""

    kind: str
    classes: tuple[str, ...]


def describe_task(ref: str) -> Description:
    """The kind and classes of the data that `ref` names, without making any inputs of it where that takes a tokenizer.

    Raises:
        ExplorerError: see `load_task`.
    """
    if (texts := _texts(ref)) is not None:
        return Description(texts.kind, texts.classes)
    task = load_task(ref)
    return Description(task.kind, task.classes)


def list_tasks() -> list[tuple[str, str]]:
    """(ref, title) of the data that needs no path: bundled first, then downloadable."""
    return [*_TITLES.items(), *((f"torchvision:{name}", f"{name} (download)") for name in DATASETS)]


_TITLES = {
    "digits": "Handwritten digits",
    "shapes": "Shapes and textures",
    "masks": "Shapes, every pixel labelled",
    "boxes": "Shapes in boxes",
    "sentences": "Reviews: negative, neutral, positive",
    "ratings": "Reviews with a rating",
    "random": "Random noise (timing only)",
}


def _is_noise(ref: str) -> bool:
    return ref.partition("?")[0] == "random"


def _find(ref: str) -> Callable[[str, Wish], Task]:
    scheme, colon, rest = ref.partition(":")
    if colon and scheme == "folder":
        return _folder
    if colon and scheme == "torchvision":
        return lambda _, wish: _torchvision(rest, wish.image(), wish.normalised(_CENTRED))
    if colon and scheme == "hf":
        return hub_data.task
    name = ref.partition("?")[0]
    if name not in _BUNDLED:
        known = [*_BUNDLED, "folder:PATH", "hf:NAME", *(f"torchvision:{n}" for n in DATASETS)]
        raise unknown("data", ref, known)
    return _BUNDLED[name]


def _texts(ref: str) -> Texts | None:
    """The texts of a ref; None where it names no texts."""
    scheme, colon, rest = ref.partition(":")
    if colon and scheme == "folder":
        return read_tables(Path(rest).expanduser()) if _is_table(rest) else None
    if colon and scheme == "hf":
        return hub_data.texts(rest)
    name = ref.partition("?")[0]
    return _reviews(ref) if name in ("sentences", "ratings") else None


def _is_table(path: str) -> bool:
    place = Path(path).expanduser()
    if place.is_dir():
        return any((place / f"train{suffix}").is_file() for suffix in TABLES)
    return place.suffix in TABLES and place.is_file()


def _folder(ref: str, wish: Wish) -> Task:
    path = ref.partition(":")[2]
    if _is_table(path):
        return _text(ref, wish)
    shape = wish.image() or (3, 224, 224)
    root = Path(path).expanduser()
    if is_boxes_folder(root):
        return boxes_folder(path, shape, wish.normalised(natural(shape[0])))
    if is_masks_folder(root):
        return masks_folder(path, shape, wish.normalised(natural(shape[0])))
    return folder_task(path, shape, wish.normalised(natural(shape[0])))


def _text(ref: str, wish: Wish) -> Task:
    return text_task(ref, _texts(ref), wish.tokenizer)


@lru_cache(maxsize=4)
def _reviews(ref: str) -> Texts:
    name, given = split_query(ref, _REVIEW_OPTIONS)
    options = _REVIEW_DEFAULTS | given
    texts, scores = sentences.generate(options["n"], options["seed"])
    strata = sentences.classify(scores)
    parts = dict(zip(PARTS, stratified_split(strata, _FRACTIONS, options["seed"]), strict=True))
    if name == "ratings":
        return Texts(_TITLES[name], texts, scores, ("score",), parts)
    return Texts(_TITLES[name], texts, strata, sentences.CLASSES, parts)


@lru_cache(maxsize=4)
def _masks_of(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = _MASKS_DEFAULTS | split_query(ref, _MASKS_OPTIONS)[1]
    pixels, masks = made_masks(options["n"], options["difficulty"], options["seed"])
    strata = masks.flatten(1).amax(1).numpy()
    parts = dict(zip(PARTS, stratified_split(strata, _FRACTIONS, options["seed"]), strict=True))
    return masks_task(ref, _TITLES["masks"], pixels, masks, parts, shape, normalisation)


def _masks(ref: str, wish: Wish) -> Task:
    return _masks_of(ref, wish.image(), wish.normalised(_CENTRED))


@lru_cache(maxsize=4)
def _boxes_of(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = _BOXES_DEFAULTS | split_query(ref, _MASKS_OPTIONS)[1]
    pixels, boxes = made_boxes(options["n"], options["difficulty"], options["seed"])
    parts = dict(zip(PARTS, stratified_split(np.zeros(len(boxes)), _FRACTIONS, options["seed"]), strict=True))
    return boxes_task(ref, _TITLES["boxes"], pixels, boxes, parts, shape, normalisation)


def _boxes(ref: str, wish: Wish) -> Task:
    return _boxes_of(ref, wish.image(), wish.normalised(_CENTRED))


def _digits(ref: str, wish: Wish) -> Task:
    return _digits_of(ref, wish.image(), wish.normalised(_CENTRED))


@lru_cache(maxsize=4)
def _digits_of(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    split_query(ref, {})
    pixels, labels = digits()
    parts = dict(zip(PARTS, stratified_split(labels, _FRACTIONS, seed=0), strict=True))
    return pixel_task(ref, _TITLES["digits"], CLASSES, pixels, labels, parts, shape, normalisation)


def _shapes(ref: str, wish: Wish) -> Task:
    return _shapes_of(ref, wish.image(), wish.normalised(_CENTRED))


@lru_cache(maxsize=4)
def _shapes_of(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = _SHAPES_DEFAULTS | split_query(ref, _SHAPES_OPTIONS)[1]
    pixels, labels = shapes.generate(options["n"], options["classes"], options["difficulty"], options["seed"])
    parts = dict(zip(PARTS, stratified_split(labels, _FRACTIONS, options["seed"]), strict=True))
    names = shapes.class_names(options["classes"])
    return pixel_task(ref, _TITLES["shapes"], names, torch.from_numpy(pixels), labels, parts, shape, normalisation)


def _random(ref: str, wish: Wish) -> Task:
    options = split_query(ref, _RANDOM_OPTIONS)[1]
    count = options.get("classes", wish.classes or 10)
    shape = wish.shape or (3, 224, 224)
    first, parts = options.get("seed", 0) << 32, {}
    for name, size in _RANDOM_SIZES.items():
        parts[name] = Noise(size, shape, count, first)
        first += size
    names = tuple(f"class {number}" for number in range(count))
    what = "noise" if len(shape) == 3 else "random tokens"
    note = f"{what} with random labels, for timing: no accuracy is measured on it"
    return Task(ref, "Random noise", names, tuple(shape), (0.5,), (0.25,), **parts, note=note, measured=False)


_BUNDLED: dict[str, Callable[[str, Wish], Task]] = {
    "digits": _digits,
    "shapes": _shapes,
    "masks": _masks,
    "boxes": _boxes,
    "sentences": _text,
    "ratings": _text,
    "random": _random,
}


@lru_cache(maxsize=2)
def _torchvision(rest: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    ref = f"torchvision:{rest}"
    name, _ = split_query(rest, {})
    if name not in DATASETS:
        raise unknown("torchvision data set", name, DATASETS)
    classes, (pixels, labels), (test_pixels, test_labels) = read_dataset(name)
    train = stratified_split(labels, (0.80, 0.10, 0.10), seed=0)
    parts = dict(zip(PARTS, [*train, len(labels) + np.arange(len(test_labels))], strict=True))
    everything = torch.cat([pixels, test_pixels]), np.concatenate([labels, test_labels])
    return pixel_task(ref, name, classes, *everything, parts, shape, normalisation)


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
    """A task from bytes in memory: `pixels` uint8 (n, C, H, W), `labels` (n,), `parts` the indices of each part."""
    native: Shape = tuple(pixels.shape[1:])
    shape, targets = shape or native, torch.from_numpy(labels.astype(np.int64))
    images = {
        name: PixelImages(pixels[index], targets[index], shape, *normalisation).in_memory()
        for name, index in parts.items()
    }
    return Task(ref, title, classes, shape, *normalisation, **images, note=fit_note(native, shape))


class Noise(Dataset):
    """Normal noise, or random tokens, with random labels; example i depends on nothing but the seed and i."""

    def __init__(self, size: int, shape: tuple[int, ...], classes: int, first: int) -> None:
        self._size, self._shape, self._classes, self._first = size, shape, classes, first

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        if not 0 <= index < self._size:
            raise IndexError(index)
        generator = torch.Generator().manual_seed(self._first + int(index))
        if len(self._shape) == 1:  # low ids, which every vocabulary has
            inputs = torch.randint(4, 50, self._shape, generator=generator)
            inputs[-1] = 1  # the end of the text where a model looks for one
        else:
            inputs = torch.randn(self._shape, generator=generator)
        return inputs, int(torch.randint(self._classes, (), generator=generator))
