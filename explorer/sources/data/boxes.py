"""`boxes`: made pictures with boxes around objects."""

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from explorer.registry import Number
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.boxed_pictures import Boxes, labels_of, scales
from explorer.sources.reading.in_memory import of_pictures
from explorer.sources.reading.pictures import fit, fit_note
from explorer.sources.reading.splits import four_parts
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import Task

CLASSES = ("background", *shape_pictures.SHAPES)
TITLE = "Shapes in boxes"
SETTINGS = {
    "difficulty": Number(0.2, 0, 1, "clutter, noise, and how little shapes stand out"),
    "seed": Number(0, 0, 2**31 - 1, "of the pictures", whole=True),
    "n": Number(1500, 200, 100_000, "how many pictures", whole=True),
}
_SIDE = 2 * shape_pictures.SIZE


def describe_boxes(ref: str) -> Description:
    """What they are, without making them."""
    read_options(ref, SETTINGS)
    return Description("detection", CLASSES)


@data_source(
    "boxes",
    title=TITLE,
    explanation="Made pictures of four shapes among clutter, with a box around each.",
    describe=describe_boxes,
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

    first_class = 1

    def __init__(self, pixels: Tensor, boxes: list[Boxes], shape: Shape, normalisation: Normalisation) -> None:
        self._pixels, self._boxes, self._shape = pixels, boxes, tuple(shape)
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)

    @property
    def labels(self) -> np.ndarray:
        """The class of each box, of all of them."""
        return labels_of(self._boxes)

    def __len__(self) -> int:
        return len(self._boxes)

    def __getitem__(self, index: int) -> tuple[Tensor, Boxes]:
        pixels, boxes = self._pixels[index], self._boxes[index]
        scale = scales(pixels.shape[-2:], self._shape)
        image = (fit(pixels.float() / 255, self._shape) - self._mean) / self._std
        return image, {"boxes": boxes["boxes"] * scale, "labels": boxes["labels"]}


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
