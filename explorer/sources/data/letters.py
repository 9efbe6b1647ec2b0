"""`letters`: the 26 capitals of several hundred free fonts; the test is about fonts that training never saw."""

import torch

from explorer.sources.reading.in_memory import of_pictures, pixel_task
from explorer.sources.reading.letter_pictures import ALPHABET, read_letters
from explorer.sources.refs import split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import DEFAULT_KIND, Task

TITLE = "Letters of many fonts"
CLASSES = tuple(ALPHABET)


def describe_letters(ref: str) -> Description:
    """What they are, without reading them."""
    split_query(ref, {})
    return Description(DEFAULT_KIND, CLASSES)


@data_source(
    "letters",
    title=TITLE,
    explanation="The 26 capitals of several hundred free fonts, 32×32, tested on fonts that training never saw.",
    describe=describe_letters,
    rank=15,
)
@of_pictures
def letters_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    split_query(ref, {})
    pixels, labels, parts = read_letters().flat()
    return pixel_task(ref, TITLE, CLASSES, torch.from_numpy(pixels), labels, parts, shape, normalisation)
