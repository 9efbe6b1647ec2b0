"""Pictures beside their masks: a layout of folders."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from explorer.errors import ExplorerError
from explorer.reading import read_text
from explorer.sources.reading.checking import good_pictures
from explorer.sources.reading.class_trees import part_folders
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.picture_files import NATIVE, cropped_note, natural, opened, read_picture
from explorer.sources.reading.splits import origin, places_of, split_missing
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest, Normalisation, Shape
from explorer.tasks import Task

_MOST_CLASSES = 250  # 255 is no class but what nobody is judged on


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
    with opened(path, f"the mask {path}") as image:
        if image.mode not in ("L", "P", "1"):
            raise ValueError("it has colours, a mask holds one class number a pixel")
        if size is None:
            return np.array(image)
        side = min(image.width / size[1], image.height / size[0])
        width, height = side * size[1], side * size[0]
        left, top = (image.width - width) / 2, (image.height - height) / 2
        box = (left, top, left + width, top + height)
        return np.array(image.resize((size[1], size[0]), Image.Resampling.NEAREST, box=box))


def is_masks_folder(folder: Folder) -> bool:
    """Whether there are folders of pictures and of masks, at the top or in every part."""
    return folder.path.is_dir() and bool(_folders(folder))


@folder_layout(
    "masks",
    title="Pictures beside their masks",
    explanation="Pictures under images/ with a mask of the same name, a .png, under masks/; perhaps in parts.",
    fits=is_masks_folder,
    options=("skip",),
    rank=3,
)
def masks_folder(folder: Folder, request: InputRequest) -> Task:
    """Pictures under `images/` with a mask of the same name, a .png, under `masks/`, at the top or in every part.

    `classes.txt` may name the classes, one a line; else they have numbers. The pixel value 255 counts for nothing.
    What comes as one is split at random into four fixed parts.

    Raises:
        ExplorerError: a mask is missing or unreadable, or there are too few pictures.
        BadPicturesError: some can't be read, and the ref does not say to go on without.
    """
    root, shape = folder.path, request.image() or NATIVE
    normalisation = request.normalised(natural(shape[0]))
    found = {part: folder.tree_at(place / "images").everything() for part, place in _folders(folder).items()}
    pictures = [picture for of_part in found.values() for picture in of_part]
    good, checked = good_pictures(pictures, folder.place.ref, skip=folder.skips)
    pairs = [(part, p, _mask(p, place)) for part, place in _folders(folder).items() for p in found[part] if p in good]
    classes = mask_classes(root, [mask for _, _, mask in pairs])
    parts = split_missing(places_of([part for part, _, _ in pairs], found), np.zeros(len(pairs)), folder.place.name)
    data = {name: MaskedPictures([pairs[i][1:] for i in index], shape, normalisation) for name, index in parts.items()}
    note, remarks = f"{cropped_note(shape)}; {origin(found)}", tuple(checked.remarks())
    ref, title = folder.place.ref, root.resolve().name
    return Task(ref, title, classes, shape, *normalisation, **data, note=note, kind="segmentation", remarks=remarks)


def _folders(folder: Folder) -> dict[str, Path]:
    """The folders that hold `images` and `masks`, by part."""
    if _has_both(folder.path):
        return {"train": folder.path}
    parts = {part: branch.path for part, branch in part_folders(folder.tree.unwrapped()).items()}
    return parts if parts and all(map(_has_both, parts.values())) else {}


def _has_both(path: Path) -> bool:
    return (path / "images").is_dir() and (path / "masks").is_dir()


def _mask(picture: Path, place: Path) -> Path:
    """The mask of a picture.

    Raises:
        ExplorerError: there is none.
    """
    mask = place / "masks" / picture.relative_to(place / "images").with_suffix(".png")
    if not mask.is_file():
        raise ExplorerError(f"there is no mask {str(mask)!r}: every picture needs one")
    return mask


def mask_classes(root: Path, masks: list[Path]) -> tuple[str, ...]:
    """The names in `classes.txt`, or the numbers up to the largest in the masks."""
    if (root / "classes.txt").is_file():
        names = tuple(filter(None, map(str.strip, read_text(root / "classes.txt").splitlines())))
    else:
        largest = 0
        for mask in masks:
            values = read_mask(mask)
            largest = max(largest, int(values[values != 255].max(initial=0)))
        names = tuple(f"class {number}" for number in range(largest + 1))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"the masks in {str(root)!r} have {len(names)} classes: use 2 to {_MOST_CLASSES}")
    return names
