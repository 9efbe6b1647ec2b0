"""Pictures in memory: brought to the size, channels and normalisation that a model wants."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from explorer import memory
from explorer.errors import ExplorerError

_IN_MEMORY_BYTES = 256 * 2**20


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

    @property
    def labels(self) -> np.ndarray:
        """The class of each, (n,)."""
        return self._labels.numpy()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._normalised(self._pixels[index]), int(self._labels[index])

    def in_memory(self) -> Dataset:
        """The same images, computed once where they take little room."""
        if 4 * len(self) * np.prod(self._shape) > min(_IN_MEMORY_BYTES, memory.limit() // 16):
            return self
        return TensorDataset(self._normalised(self._pixels), self._labels)

    def _normalised(self, pixels: Tensor) -> Tensor:
        return (fit(pixels.float() / 255, self._shape) - self._mean) / self._std
