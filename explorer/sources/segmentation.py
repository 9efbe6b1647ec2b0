"""Pictures with a class for every pixel, as tasks: made ones, and folders of pictures beside their masks."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from explorer.errors import ExplorerError
from explorer.sources import shapes
from explorer.sources.folder import EXTENSIONS, read_picture
from explorer.sources.refs import one_line
from explorer.sources.task import Task, fit, fit_note
from explorer.sources.text import split_missing

CLASSES = ("ground", *shapes.SHAPES)
_MOST_CLASSES = 250  # 255 is no class but what nobody is judged on

Shape = tuple[int, ...]
Normalisation = tuple[tuple[float, ...], tuple[float, ...]]


def made_masks(count: int, difficulty: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures with one plain shape among clutter: uint8 pixels (n, 3, 32, 32), int64 masks (n, 32, 32)."""
    pixels, labels, inside = shapes.generate_with_masks(count, len(shapes.SHAPES), difficulty, seed)
    return torch.from_numpy(pixels), torch.from_numpy(np.where(inside, labels[:, None, None] + 1, 0))


def masks_task(
    ref: str,
    title: str,
    pixels: Tensor,
    masks: Tensor,
    parts: dict[str, np.ndarray],
    shape: Shape | None,
    normalisation: Normalisation,
) -> Task:
    """The task of pictures and masks in memory, both brought to the model's input; masks by nearest neighbour."""
    native = tuple(pixels.shape[1:])
    shape = tuple(shape or native)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)
    size = shape[1:]
    data = {}
    for name, index in parts.items():
        images = (fit(pixels[index].float() / 255, shape) - mean) / std
        labels = F.interpolate(masks[index][:, None].float(), size=size, mode="nearest")[:, 0].long()
        data[name] = TensorDataset(images, labels)
    note = fit_note(native, shape)
    return Task(ref, title, CLASSES, shape, *normalisation, **data, note=note, metric="miou", kind="segmentation")


class MaskedPictures(Dataset):
    """Picture files beside their masks, read one pair at a time."""

    def __init__(self, pairs: list[tuple[Path, Path]], shape: Shape, normalisation: Normalisation) -> None:
        self._pairs, self._shape = pairs, shape
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, mask = self._pairs[index]
        pixels = torch.from_numpy(read_picture(picture, self._shape)).float() / 255
        return (pixels - self._mean) / self._std, torch.from_numpy(read_mask(mask, self._shape[1:]).astype(np.int64))


def read_mask(path: Path, size: tuple[int, ...] | None = None) -> np.ndarray:
    """A mask file as uint8 (H, W): classes are the values of its grey or palette pixels; cropped like its picture.

    Raises:
        ExplorerError: it can't be read, or has colours instead of classes.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise ValueError(f"{image.width}×{image.height} pixels are too many")
            if image.mode not in ("L", "P", "1"):
                raise ValueError("it has colours, a mask holds one class number a pixel")
            if size is None:
                return np.array(image)
            side = min(image.width / size[1], image.height / size[0])
            width, height = side * size[1], side * size[0]
            left, top = (image.width - width) / 2, (image.height - height) / 2
            box = (left, top, left + width, top + height)
            return np.array(image.resize((size[1], size[0]), Image.Resampling.NEAREST, box=box))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExplorerError(f"can't read the mask {path}: {one_line(error)}; repair or remove it") from None


def is_masks_folder(root: Path) -> bool:
    return (root / "images").is_dir() and (root / "masks").is_dir()


def masks_folder(path: str, shape: Shape, normalisation: Normalisation) -> Task:
    """Pictures under `images/` with a mask of the same name, a .png, under `masks/`.

    `classes.txt` may name the classes, one a line; else they have numbers. The pixel value 255 counts for nothing.
    Split at random into four fixed parts.

    Raises:
        ExplorerError: a mask is missing or unreadable, or there are too few pictures.
    """
    root = Path(path).expanduser()
    pictures = sorted(p for p in (root / "images").rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
    pairs = [(p, root / "masks" / p.relative_to(root / "images").with_suffix(".png")) for p in pictures]
    for _, mask in pairs:
        if not mask.is_file():
            raise ExplorerError(f"there is no mask {str(mask)!r}: every picture needs one")
    classes = mask_classes(root)
    parts = split_missing({"train": np.arange(len(pairs))}, np.zeros(len(pairs)), path)
    data = {name: MaskedPictures([pairs[i] for i in index], shape, normalisation) for name, index in parts.items()}
    note = f"pictures cropped in the middle and resized to {shape[1]}×{shape[2]}; split at random into four fixed parts"
    title = root.resolve().name
    return Task(
        f"folder:{path}", title, classes, shape, *normalisation, **data, note=note, metric="miou", kind="segmentation"
    )


def mask_classes(root: Path) -> tuple[str, ...]:
    """The names in `classes.txt`, or the numbers up to the largest in the masks."""
    if (root / "classes.txt").is_file():
        try:
            names = tuple(filter(None, map(str.strip, (root / "classes.txt").read_text(encoding="utf-8").splitlines())))
        except (OSError, ValueError) as error:
            raise ExplorerError(f"can't read {str(root / 'classes.txt')!r}: {one_line(error)}") from None
    else:
        largest = 0
        for mask in sorted((root / "masks").rglob("*.png")):
            values = read_mask(mask)
            largest = max(largest, int(values[values != 255].max(initial=0)))
        names = tuple(f"class {number}" for number in range(largest + 1))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"the masks in {str(root)!r} have {len(names)} classes: use 2 to {_MOST_CLASSES}")
    return names
