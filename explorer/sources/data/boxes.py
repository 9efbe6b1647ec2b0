"""`boxes`: pictures with boxes around objects; and a layout of folders, pictures with COCO annotations."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.reading import DamagedError, read_json
from explorer.registry import Number
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.in_memory import of_pictures
from explorer.sources.reading.picture_files import NATIVE, natural, opened
from explorer.sources.reading.pictures import fit, fit_note
from explorer.sources.reading.splits import four_parts, split_missing
from explorer.sources.refs import Place, read_options
from explorer.sources.registries import data_source, folder_layout
from explorer.sources.request import InputRequest, Normalisation, Shape
from explorer.tasks import Task

Boxes = dict[str, Tensor]

CLASSES = ("background", *shape_pictures.SHAPES)
TITLE = "Shapes in boxes"
SETTINGS = {
    "difficulty": Number(0.2, 0, 1, "clutter, noise, and how little shapes stand out"),
    "seed": Number(0, 0, 2**31 - 1, "of the pictures", whole=True),
    "n": Number(1500, 200, 100_000, "how many pictures", whole=True),
}
ANNOTATIONS = "annotations.json"
_GROWTH = 16  # bytes in memory of a byte of JSON
_FARTHEST = 1e6  # pixels
_SIDE = 2 * shape_pictures.SIZE


@data_source(
    "boxes",
    title=TITLE,
    explanation="Made pictures of four shapes among clutter, with a box around each.",
    settings=SETTINGS,
    rank=40,
)
@of_pictures
def made_boxes_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = read_options(ref, SETTINGS)
    pixels, boxes = made_boxes(options["n"], options["difficulty"], options["seed"])
    parts = four_parts(np.zeros(len(boxes)), options["seed"])
    return boxes_task(ref, TITLE, pixels, boxes, parts, shape, normalisation)


def made_boxes(count: int, difficulty: float, seed: int) -> tuple[Tensor, list[Boxes]]:
    """Mosaics of four pictures with one plain shape each: uint8 pixels (n, 3, 64, 64), and the shapes' boxes."""
    pixels, labels, inside = shape_pictures.generate_with_masks(4 * count, len(shape_pictures.SHAPES), difficulty, seed)
    order = np.random.default_rng([seed, count]).permutation(4 * count)
    tiles = pixels[order].reshape(count, 2, 2, 3, shape_pictures.SIZE, shape_pictures.SIZE)
    mosaics = tiles.transpose(0, 3, 1, 4, 2, 5).reshape(count, 3, _SIDE, _SIDE)
    boxes = []
    for start in range(0, 4 * count, 4):
        chosen = order[start : start + 4]
        corners = [_around(inside[tile], place) for place, tile in enumerate(chosen)]
        kept = [place for place, box in enumerate(corners) if box is not None]  # a shape may be hidden altogether
        boxes.append(
            {
                "boxes": torch.tensor([corners[place] for place in kept], dtype=torch.float32).reshape(-1, 4),
                "labels": torch.tensor([labels[chosen[place]] + 1 for place in kept], dtype=torch.int64),
            }
        )
    return torch.from_numpy(np.ascontiguousarray(mosaics)), boxes


def _around(inside: np.ndarray, place: int) -> tuple[int, int, int, int] | None:
    """The box of a tile's shape in the mosaic."""
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return None
    top, left = divmod(place, 2)
    y, x = top * shape_pictures.SIZE, left * shape_pictures.SIZE
    return x + columns[0], y + rows[0], x + columns[-1] + 1, y + rows[-1] + 1


class BoxedImages(Dataset):
    """Images in memory with their boxes, fitted to the model's input when they are asked for."""

    def __init__(self, pixels: Tensor, boxes: list[Boxes], shape: Shape, normalisation: Normalisation) -> None:
        self._pixels, self._boxes, self._shape = pixels, boxes, tuple(shape)
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)

    def __len__(self) -> int:
        return len(self._boxes)

    def __getitem__(self, index: int) -> tuple[Tensor, Boxes]:
        pixels, boxes = self._pixels[index], self._boxes[index]
        scale = _scales(pixels.shape[-2:], self._shape)
        image = (fit(pixels.float() / 255, self._shape) - self._mean) / self._std
        return image, {"boxes": boxes["boxes"] * scale, "labels": boxes["labels"]}


def _scales(size: tuple[int, ...], shape: Shape) -> Tensor:
    """Factors of x, y, x, y from an image of `size` (height, width) to the input (C, H, W)."""
    y, x = shape[1] / size[0], shape[2] / size[1]
    return torch.tensor([x, y, x, y])


def boxes_task(
    ref: str,
    title: str,
    pixels: Tensor,
    boxes: list[Boxes],
    parts: dict[str, np.ndarray],
    shape: Shape | None,
    normalisation: Normalisation,
) -> Task:
    """The task of images and boxes in memory, stretched to the model's input."""
    native = tuple(pixels.shape[1:])
    shape = tuple(shape or native)
    data = {
        name: BoxedImages(pixels[index], [boxes[i] for i in index], shape, normalisation)
        for name, index in parts.items()
    }
    note = fit_note(native, shape)
    return Task(ref, title, CLASSES, shape, *normalisation, **data, note=note, kind="detection")


def is_boxes_folder(path: Path) -> bool:
    """Whether there are annotations of boxes."""
    return (path / ANNOTATIONS).is_file()


class BoxedPictures(Dataset):
    """Picture files with their boxes, read one at a time and stretched to the model's input."""

    def __init__(self, items: list[tuple[Path, Boxes]], shape: Shape, normalisation: Normalisation) -> None:
        self._items, self._shape = items, tuple(shape)
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Tensor, Boxes]:
        path, boxes = self._items[index]
        with opened(path, f"the picture {path}") as picture:
            scale = _scales((picture.height, picture.width), self._shape)
            resized = picture.convert("RGB").resize((self._shape[2], self._shape[1]), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).permute(2, 0, 1).float() / 255
        return (pixels - self._mean) / self._std, {"boxes": boxes["boxes"] * scale, "labels": boxes["labels"]}


@folder_layout(
    "boxes",
    title="Pictures with COCO's boxes",
    explanation="Pictures under images/ with their boxes in annotations.json, as COCO writes them.",
    fits=is_boxes_folder,
    rank=20,
)
def boxes_folder(place: Place, request: InputRequest) -> Task:
    """Pictures under `images/` with COCO's `annotations.json`; split at random into four fixed parts.

    Classes are the categories in the order of their ids, after the background. Crowds are left out.

    Raises:
        ExplorerError: the annotations are damaged, name a picture that is missing, or there are too few.
    """
    root, shape = place.file, request.image() or NATIVE
    normalisation = request.normalised(natural(shape[0]))
    classes, items = _annotated(root)
    parts = split_missing({"train": np.arange(len(items))}, np.zeros(len(items)), place.name)
    data = {name: BoxedPictures([items[i] for i in index], shape, normalisation) for name, index in parts.items()}
    note = f"pictures stretched to {shape[1]}×{shape[2]}; split at random into four fixed parts"
    title = root.resolve().name
    return Task(place.ref, title, classes, shape, *normalisation, **data, note=note, kind="detection")


def _annotated(root: Path) -> tuple[tuple[str, ...], list[tuple[Path, Boxes]]]:
    try:
        document = read_json(root / ANNOTATIONS, memory.limit() // _GROWTH)
        categories = sorted(document["categories"], key=lambda category: category["id"])
        label = {category["id"]: number for number, category in enumerate(categories, start=1)}
        by_picture: dict[Any, list[tuple[list[float], int]]] = {entry["id"]: [] for entry in document["images"]}
        for entry in document["annotations"]:
            x, y, width, height = map(float, entry["bbox"])
            if not all(abs(value) <= _FARTHEST for value in (x, y, width, height)):
                raise ValueError(f"a box reaches to {max(map(abs, (x, y, width, height))):g}")
            if width > 0 and height > 0 and not entry.get("iscrowd"):
                by_picture[entry["image_id"]].append(([x, y, x + width, y + height], label[entry["category_id"]]))
        names = [(entry["id"], str(entry["file_name"])) for entry in document["images"]]
        classes = ("background", *(str(category["name"]) for category in categories))
        pictures = [(entry, (root / "images" / name).resolve(), name) for entry, name in names]
    except (DamagedError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError) as error:
        raise ExplorerError(f"{str(root / ANNOTATIONS)!r} is no COCO file: {one_line(error)}") from None
    items = []
    for key, picture, name in pictures:
        if not picture.is_relative_to((root / "images").resolve()) or not picture.is_file():
            raise ExplorerError(f"{str(root / ANNOTATIONS)!r} names {name!r}, which is not under images/")
        corners, labels = [box for box, _ in by_picture[key]], [number for _, number in by_picture[key]]
        boxes = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
        items.append((picture, {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64)}))
    return classes, items
