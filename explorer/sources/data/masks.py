"""`masks`: made pictures with a class for every pixel."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import TensorDataset

from explorer import memory
from explorer.registry import Number
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.in_memory import of_pictures
from explorer.sources.reading.pictures import fit, fit_note
from explorer.sources.reading.splits import four_parts
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import Task

CLASSES = ("ground", *shape_pictures.SHAPES)
TITLE = "Shapes, every pixel labelled"
SETTINGS = {
    "difficulty": Number(0.3, 0, 1, "clutter, noise, and how little shapes stand out"),
    "seed": Number(0, 0, 2**31 - 1, "of the pictures", whole=True),
    "n": Number(3000, 200, 100_000, "how many pictures", whole=True),
}
_NATIVE: Shape = (3, shape_pictures.SIZE, shape_pictures.SIZE)


def describe_masks(ref: str) -> Description:
    """What they are, without making them."""
    read_options(ref, SETTINGS)
    return Description("segmentation", CLASSES)


@data_source(
    "masks",
    title=TITLE,
    explanation="Made pictures of a shape among clutter, with the class of every pixel.",
    describe=describe_masks,
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
