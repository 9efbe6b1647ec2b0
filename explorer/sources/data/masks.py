"""`masks`: pictures with a class for every pixel; and a layout of folders, pictures beside their masks."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from explorer import memory
from explorer.errors import ExplorerError
from explorer.reading import read_text
from explorer.registry import Number
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.checking import good_pictures
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.in_memory import of_pictures
from explorer.sources.reading.picture_files import NATIVE, cropped_note, natural, opened, read_picture
from explorer.sources.reading.pictures import fit, fit_note
from explorer.sources.reading.splits import four_parts, split_missing
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source, folder_layout
from explorer.sources.request import InputRequest, Normalisation, Shape
from explorer.tasks import Task

CLASSES = ("ground", *shape_pictures.SHAPES)
TITLE = "Shapes, every pixel labelled"
SETTINGS = {
    "difficulty": Number(0.3, 0, 1, "clutter, noise, and how little shapes stand out"),
    "seed": Number(0, 0, 2**31 - 1, "of the pictures", whole=True),
    "n": Number(3000, 200, 100_000, "how many pictures", whole=True),
}
_NATIVE: Shape = (3, shape_pictures.SIZE, shape_pictures.SIZE)
_MOST_CLASSES = 250  # 255 is no class but what nobody is judged on


@data_source(
    "masks",
    title=TITLE,
    explanation="Made pictures of a shape among clutter, with the class of every pixel.",
    settings=SETTINGS,
    rank=30,
)
@of_pictures
def made_masks_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = read_options(ref, SETTINGS)
    height, width = (shape or _NATIVE)[1:]
    size = 2 * options["n"] * height * width * (3 * 4 + 8)  # pictures and masks, and what they are made from on the way
    memory.require(size, f"{options['n']:,} pictures of {height}×{width} with masks", "ask for fewer, with a smaller n")
    pixels, masks = made_masks(options["n"], options["difficulty"], options["seed"])
    parts = four_parts(masks.flatten(1).amax(1).numpy(), options["seed"])
    return masks_task(ref, TITLE, pixels, masks, parts, shape, normalisation)


def made_masks(count: int, difficulty: float, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures with one plain shape among clutter: uint8 pixels (n, 3, 32, 32), int64 masks (n, 32, 32)."""
    pixels, labels, inside = shape_pictures.generate_with_masks(count, len(shape_pictures.SHAPES), difficulty, seed)
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
    return Task(ref, title, CLASSES, shape, *normalisation, **data, note=note, kind="segmentation")


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
    """Whether there are folders of pictures and of masks."""
    return (folder.path / "images").is_dir() and (folder.path / "masks").is_dir()


@folder_layout(
    "masks",
    title="Pictures beside their masks",
    explanation="Pictures under images/ with a mask of the same name, a .png, under masks/.",
    fits=is_masks_folder,
    options=("skip",),
    rank=3,
)
def masks_folder(folder: Folder, request: InputRequest) -> Task:
    """Pictures under `images/` with a mask of the same name, a .png, under `masks/`.

    `classes.txt` may name the classes, one a line; else they have numbers. The pixel value 255 counts for nothing.
    Split at random into four fixed parts.

    Raises:
        ExplorerError: a mask is missing or unreadable, or there are too few pictures.
        BadPicturesError: some can't be read, and the ref does not say to go on without.
    """
    root, shape = folder.path, request.image() or NATIVE
    normalisation = request.normalised(natural(shape[0]))
    found = folder.tree.folders["images"].everything()
    good, checked = good_pictures(found, folder.place.ref, skip=folder.skips)
    pictures = [picture for picture in found if picture in good]
    pairs = [(p, root / "masks" / p.relative_to(root / "images").with_suffix(".png")) for p in pictures]
    for _, mask in pairs:
        if not mask.is_file():
            raise ExplorerError(f"there is no mask {str(mask)!r}: every picture needs one")
    classes = mask_classes(root)
    parts = split_missing({"train": np.arange(len(pairs))}, np.zeros(len(pairs)), folder.place.name)
    data = {name: MaskedPictures([pairs[i] for i in index], shape, normalisation) for name, index in parts.items()}
    note = f"{cropped_note(shape)}; split at random into four fixed parts"
    title, remarks = root.resolve().name, tuple(checked.remarks())
    ref = folder.place.ref
    return Task(ref, title, classes, shape, *normalisation, **data, note=note, kind="segmentation", remarks=remarks)


def mask_classes(root: Path) -> tuple[str, ...]:
    """The names in `classes.txt`, or the numbers up to the largest in the masks."""
    if (root / "classes.txt").is_file():
        names = tuple(filter(None, map(str.strip, read_text(root / "classes.txt").splitlines())))
    else:
        largest = 0
        for mask in sorted((root / "masks").rglob("*.png")):
            values = read_mask(mask)
            largest = max(largest, int(values[values != 255].max(initial=0)))
        names = tuple(f"class {number}" for number in range(largest + 1))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"the masks in {str(root)!r} have {len(names)} classes: use 2 to {_MOST_CLASSES}")
    return names
