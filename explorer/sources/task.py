"""A task: labelled images or texts in four fixed parts, and how to show one of them."""

from collections.abc import Sized
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from explorer.errors import ExplorerError

PARTS = ("train", "calibration", "validation", "test")
KINDS = {  # of tasks, and what models for them are called
    "image-classification": "image classifiers",
    "text-classification": "text classifiers",
    "text-regression": "models that score texts",
    "segmentation": "segmentation models",
    "detection": "object detectors",
}
_IN_MEMORY_BYTES = 256 * 2**20


class Images(Sized, Protocol):
    """Indexable by position: (input, label).

    The input is a float32 image (C, H, W) or the int64 token ids (L,) of a text; the label a class, a float score,
    an int64 map of classes (H, W), or ``{"boxes": (n, 4) float32 x1 y1 x2 y2 in pixels, "labels": (n,) int64}``.
    """

    def __getitem__(self, index: int) -> tuple[Tensor, Any]: ...


@dataclass(frozen=True)
class Task:
    """Labelled examples; images are normalised as ``(pixel − mean) / std`` with pixels from 0 to 1.

    `kind` is image-classification, text-classification, text-regression, segmentation or detection; `metric` what it
    is judged by, see `explorer.evaluation.METRICS`. `calibration` and `validation` are slices of the training data,
    `test` is only reported on. `measured` is False where the metric means nothing. `note` says what was done to make
    the examples fit the model. `texts` are the texts behind the token ids, by part.
    """

    ref: str
    title: str
    classes: tuple[str, ...]
    input_shape: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Images = field(repr=False)
    calibration: Images = field(repr=False)
    validation: Images = field(repr=False)
    test: Images = field(repr=False)
    note: str = ""
    metric: str = "top1"
    measured: bool = True
    kind: str = "image-classification"
    texts: dict[str, tuple[str, ...]] | None = field(default=None, repr=False)

    def answer(self, index: int, split: str = "test") -> str:
        """The label of one example in words."""
        label = getattr(self, split)[index][1]
        if self.kind == "text-regression":
            return f"{float(label):.2f}"
        if self.kind == "segmentation":
            present = label.unique().tolist()
            return ", ".join(self.classes[number] for number in present if number < len(self.classes))
        if self.kind == "detection":
            return ", ".join(self.classes[number] for number in sorted(set(label["labels"].tolist())))
        return self.classes[int(label)]

    def picture(self, index: int, split: str = "test") -> np.ndarray:
        """One image for the eye: uint8 of shape (H, W, 3); only of tasks with images."""
        image = getattr(self, split)[index][0]
        scale = image.new_tensor(self.std).view(-1, 1, 1), image.new_tensor(self.mean).view(-1, 1, 1)
        pixels = (image * scale[0] + scale[1]).clamp(0, 1).expand(3, -1, -1)
        return (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()


def fit(image: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Images (…, C, H, W) of pixels brought to another size and from grey to colour or back.

    Grey is repeated for colour; colour becomes luma (ITU-R BT.601).

    Raises:
        ExplorerError: the model wants something else than one or three channels.
    """
    channels, size = shape[0], tuple(shape[1:])
    if channels not in (1, 3):
        raise ExplorerError(f"the model wants {channels} channels: images have 1 (grey) or 3 (colour)")
    if image.shape[-3] == 3 and channels == 1:
        image = torch.tensordot(image, torch.tensor([0.299, 0.587, 0.114]), dims=([-3], [0])).unsqueeze(-3)
    if tuple(image.shape[-2:]) != size:
        batch = image if image.ndim == 4 else image[None]
        batch = F.interpolate(batch, size=size, mode="bilinear", align_corners=False, antialias=True)
        image = batch if image.ndim == 4 else batch[0]
    return image.expand(*image.shape[:-3], channels, *size)


def fit_note(native: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """What `fit` does to images of shape `native`, in a sentence; empty when nothing."""
    changes = []
    if native[1:] != shape[1:]:
        changes.append(f"resized from {native[1]}×{native[2]} to {shape[1]}×{shape[2]}")
    if native[0] != shape[0]:
        changes.append("grey repeated in three channels" if shape[0] == 3 else "colour turned to grey")
    return f"images {' and '.join(changes)} to fit the model" if changes else ""


class PixelImages(Dataset):
    """Images kept as bytes and fitted to the model's input when they are asked for."""

    def __init__(
        self,
        pixels: Tensor,
        labels: Tensor,
        shape: tuple[int, int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self._pixels, self._labels, self._shape = pixels, labels, shape
        self._mean, self._std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._normalised(self._pixels[index]), int(self._labels[index])

    def in_memory(self) -> Dataset:
        """The same images, computed once where they take little room."""
        if 4 * len(self) * np.prod(self._shape) > _IN_MEMORY_BYTES:
            return self
        return TensorDataset(self._normalised(self._pixels), self._labels)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (fit(pixels.float() / 255, self._shape) - self._mean) / self._std


def stratified_split(labels: np.ndarray, fractions: tuple[float, ...], seed: int) -> list[np.ndarray]:
    """Indices of `len(fractions)` disjoint parts, each with every class in its share, in shuffled order.

    The parts cover everything; sizes within a class are rounded cumulatively.
    """
    generator = np.random.default_rng(seed)
    edges = np.cumsum(fractions)[:-1]
    parts: list[list[np.ndarray]] = [[] for _ in fractions]
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        for part, chunk in zip(parts, np.split(members, np.rint(edges * len(members)).astype(int)), strict=True):
            part.append(chunk)
    return [generator.permutation(np.concatenate(part)) for part in parts]
