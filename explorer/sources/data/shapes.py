"""`shapes`: made pictures of which shape with which texture, among clutter, under noise."""

import torch

from explorer.registry import Number
from explorer.sources.reading import shape_pictures
from explorer.sources.reading.in_memory import of_pictures, pixel_task
from explorer.sources.reading.splits import four_parts
from explorer.sources.refs import read_options
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import DEFAULT_KIND, Task

TITLE = "Shapes and textures"
SETTINGS = {
    "classes": Number(8, 2, 12, "combinations of a shape and a texture", whole=True),
    "difficulty": Number(0.55, 0, 1, "clutter, noise, and how little shapes stand out"),
    "seed": Number(0, 0, 2**31 - 1, "of the pictures", whole=True),
    "n": Number(8000, 200, 100_000, "how many pictures", whole=True),
}


def describe_shapes(ref: str) -> Description:
    """What they are, without making them."""
    return Description(DEFAULT_KIND, shape_pictures.class_names(read_options(ref, SETTINGS)["classes"]))


@data_source(
    "shapes",
    title=TITLE,
    explanation="Made pictures of 32×32, of a shape with a texture among clutter, as hard as you like.",
    describe=describe_shapes,
    settings=SETTINGS,
    rank=20,
)
@of_pictures
def shapes_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    options = read_options(ref, SETTINGS)
    asked = (options["n"], options["classes"], options["difficulty"], options["seed"])
    pixels, labels = shape_pictures.generate(*asked)
    names, parts = shape_pictures.class_names(options["classes"]), four_parts(labels, options["seed"])
    return pixel_task(ref, TITLE, names, torch.from_numpy(pixels), labels, parts, shape, normalisation)
