"""`digits`: the real handwritten digits that come with scikit-learn."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from explorer.sources.reading.in_memory import of_pictures, pixel_task
from explorer.sources.reading.splits import four_parts
from explorer.sources.refs import split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import DEFAULT_KIND, Task

CLASSES = tuple("0123456789")
TITLE = "Handwritten digits"


def describe_digits(ref: str) -> Description:
    """What they are, without reading them."""
    split_query(ref, {})
    return Description(DEFAULT_KIND, CLASSES)


@data_source(
    "digits",
    title=TITLE,
    explanation="1,797 scanned digits, enlarged to 32×32: real, and small enough for any computer.",
    reference="Alpaydin & Kaynak 1998, Optical recognition of handwritten digits",
    describe=describe_digits,
    rank=10,
)
@of_pictures
def digits_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    split_query(ref, {})
    pixels, labels = digits()
    return pixel_task(ref, TITLE, CLASSES, pixels, labels, four_parts(labels), shape, normalisation)


def digits() -> tuple[Tensor, np.ndarray]:
    """1,797 scanned digits: uint8 pixels (n, 1, 32, 32), enlarged bilinearly from 8×8, and labels (n,).

    From Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits", UCI machine learning repository.
    """
    from sklearn.datasets import load_digits  # here because importing scikit-learn takes a second

    data = load_digits()
    small = torch.from_numpy(data.images).float()[:, None] / data.images.max()
    large = F.interpolate(small, size=(32, 32), mode="bilinear", align_corners=False)
    return (large * 255).round().to(torch.uint8), data.target
