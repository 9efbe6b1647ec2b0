"""Picture files with boxes around objects, however their folder says so, as a task."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from explorer.sources.reading.checking import good_pictures
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.picture_files import natural, opened, shape_of
from explorer.sources.reading.pixel_kinds import in_bytes
from explorer.sources.reading.splits import origin, places_of, split_missing
from explorer.sources.request import InputRequest, Normalisation, Shape
from explorer.tasks import Task

Boxes = dict[str, Tensor]  # boxes float32 (n, 4), x1 y1 x2 y2; labels int64 (n,)


@dataclass(frozen=True)
class Boxed:
    """A picture with its boxes.

    Args:
        path: of the file.
        boxes: in pixels, or in fractions of the upright picture where `size` is None.
        size: (width, height) in which the boxes are; zeros where that is not said: then it is that of the file.
    """

    path: Path
    boxes: Boxes
    size: tuple[int, int] | None = (0, 0)


def scales(size: tuple[int, ...], shape: Shape) -> Tensor:
    """Factors of x, y, x, y from an image of `size` (height, width) to the input (C, H, W)."""
    y, x = shape[1] / size[0], shape[2] / size[1]
    return torch.tensor([x, y, x, y])


def boxes_of(corners: Sequence[Sequence[float]], labels: Sequence[int]) -> Boxes:
    """Boxes as tensors; there may be none."""
    boxes = torch.tensor(corners, dtype=torch.float32).reshape(-1, 4)
    return {"boxes": boxes, "labels": torch.tensor(labels, dtype=torch.int64)}


def labels_of(boxes: Sequence[Boxes]) -> np.ndarray:
    """The classes of the boxes of all pictures, one after another."""
    return torch.cat([torch.zeros(0, dtype=torch.int64), *(item["labels"] for item in boxes)]).numpy()


class BoxedPictures(Dataset):
    """Picture files with their boxes, read one at a time and stretched to the model's input."""

    first_class = 1  # after the background, of which there are no boxes

    def __init__(self, items: list[Boxed], shape: Shape, normalisation: Normalisation) -> None:
        self._items, self._shape = items, tuple(shape)
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)

    @property
    def labels(self) -> np.ndarray:
        """The class of each box, of all of them."""
        return labels_of([item.boxes for item in self._items])

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Tensor, Boxes]:
        item = self._items[index]
        with opened(item.path, f"the picture {item.path}") as picture:
            turned = ImageOps.exif_transpose(picture)
            seen = turned if item.size is None or turned.size == item.size else picture
            size = (1, 1) if item.size is None else (seen.height, seen.width)
            resized = in_bytes(seen, self._shape[0], picture.format)
            resized = resized.resize((self._shape[2], self._shape[1]), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(resized)).view(*self._shape[1:], -1).permute(2, 0, 1).float() / 255
        boxes = item.boxes["boxes"] * scales(size, self._shape)
        return (pixels - self._mean) / self._std, {"boxes": boxes, "labels": item.boxes["labels"]}


def boxed_task(
    folder: Folder,
    classes: tuple[str, ...],
    given: dict[str, list[Boxed]],
    request: InputRequest,
    remarks: Sequence[str] = (),
) -> Task:
    """The pictures as a task, stretched to the model's input.

    Args:
        classes: the background, then the names of the objects.
        given: pictures by part; all under `train` where they come as one.

    Raises:
        ExplorerError: there are too few, or the model wants other channels.
        BadPicturesError: some can't be read, and the ref does not say to go on without.
    """
    shape = shape_of(request)
    normalisation = request.normalised(natural(shape[0]))
    everything = [item for items in given.values() for item in items]
    good, checked = good_pictures([item.path for item in everything], folder.place.ref, skip=folder.skips)
    items = [(part, item) for part, of_part in given.items() for item in of_part if item.path in good]
    parts = split_missing(places_of([part for part, _ in items], given), np.zeros(len(items)), folder.place.name)
    data = {name: BoxedPictures([items[i][1] for i in index], shape, normalisation) for name, index in parts.items()}
    note = f"pictures stretched to {shape[1]}×{shape[2]}; {origin(given)}"
    return Task(
        folder.place.ref,
        folder.path.resolve().name,
        classes,
        shape,
        *normalisation,
        **data,
        note=note,
        kind="detection",
        remarks=(*checked.left_out(), *remarks, *checked.remarks()),
    )
