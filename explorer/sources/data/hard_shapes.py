"""`hard-shapes`: the pictures of `shapes` one step harder, so that it matters what is kept of a network.

A ref of its own, since `shapes` stands in runs, plans and links, and must go on giving the pictures they were made on.
"""

import torch

from explorer.sources.reading import shape_pictures
from explorer.sources.reading.in_memory import of_pictures, pixel_task
from explorer.sources.reading.splits import four_parts
from explorer.sources.refs import split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import DEFAULT_KIND, Task

TITLE = "Shapes and textures, harder"
COUNT, CLASSES, DIFFICULTY, SEED = 8000, 8, 0.65, 0


def describe_hard_shapes(ref: str) -> Description:
    """What they are, without making them."""
    split_query(ref, {})
    return Description(DEFAULT_KIND, shape_pictures.class_names(CLASSES))


@data_source(
    "hard-shapes",
    title=TITLE,
    explanation="The made pictures of shapes with more clutter and noise and less contrast, so that choices matter.",
    describe=describe_hard_shapes,
    rank=21,
)
@of_pictures
def hard_shapes_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    split_query(ref, {})
    pixels, labels = shape_pictures.generate(COUNT, CLASSES, DIFFICULTY, SEED)
    names, parts = shape_pictures.class_names(CLASSES), four_parts(labels, SEED)
    return pixel_task(ref, TITLE, names, torch.from_numpy(pixels), labels, parts, shape, normalisation)
