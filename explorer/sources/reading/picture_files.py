"""Picture files, read one at a time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.sources.reading.pixel_kinds import in_bytes
from explorer.sources.request import InputRequest, Normalisation, Shape

_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF")  # no others, of which some start programs
_COPIES = 16  # bytes of a pixel: as it is decoded, turned, and in colours or in numbers
EXTENSIONS = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".tif", ".tiff", ".webp"),
    ".gif",
}
NATIVE: Shape = (3, 224, 224)  # what pictures become for a model that asks for nothing
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which torchvision's weights expect


def natural(channels: int) -> Normalisation:
    """Mean and standard deviation of photographs, per channel."""
    return (_MEAN, _STD) if channels == 3 else ((float(np.mean(_MEAN)),), (float(np.mean(_STD)),))


def shape_of(request: InputRequest) -> Shape:
    """The shape of pictures that a model asks for, or else the usual one.

    Raises:
        ExplorerError: it wants channels that pictures don't have, or no images at all.
    """
    shape = request.image() or NATIVE
    if shape[0] not in (1, 3):
        raise ExplorerError(f"the model wants {shape[0]} channels: pictures have 1 (grey) or 3 (colour)")
    return shape


def cropped_note(shape: Shape) -> str:
    """What `read_picture` does to pictures, in words."""
    return f"pictures cropped in the middle and resized to {shape[1]}×{shape[2]}"


class PictureFiles(Dataset):
    """Picture files, read one at a time."""

    def __init__(
        self,
        files: list[Path],
        labels: np.ndarray,
        shape: Shape,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self._files, self._labels, self._shape = files, labels, shape
        self._mean, self._std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    @property
    def files(self) -> list[Path]:
        """Where each is."""
        return self._files

    @property
    def labels(self) -> np.ndarray:
        """The class of each, (n,)."""
        return self._labels

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(read_picture(self._files[index], self._shape)).float() / 255
        return (pixels - self._mean) / self._std, int(self._labels[index])


def read_picture(path: Path, shape: Shape) -> np.ndarray:
    """A picture file as uint8 (C, H, W): upright, cropped in the middle to the wanted proportions, resized.

    Raises:
        ExplorerError: it is no picture that can be read, or has an absurd number of pixels.
    """
    return cropped(path, shape, str(path))


def cropped(source: Path | bytes, shape: Shape, name: str) -> np.ndarray:
    """`read_picture` of a file or of its content, which errors call `name`."""
    with opened(source, f"the picture {name}") as image:
        upright = in_bytes(ImageOps.exif_transpose(image), shape[0], image.format)
        pixels = np.array(ImageOps.fit(upright, (shape[2], shape[1]), Image.Resampling.BILINEAR))
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]


@contextmanager
def opened(source: Path | bytes, what: str) -> Iterator[Image.Image]:
    """A picture whose size was looked at before any of it is decoded, for work whose errors are the picture's too.

    Raises:
        ExplorerError: it can't be read, or has an absurd number of pixels.
    """
    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=_FORMATS) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise ValueError(f"{image.width}×{image.height} pixels are too many")
            memory.require(_COPIES * image.width * image.height, what, "make it smaller")
            yield image
    except ExplorerError:
        raise
    except Exception as error:  # a decoder may fail in any way over a file that is damaged
        raise ExplorerError(f"can't read {what}: {one_line(error)}; repair or remove it") from None
