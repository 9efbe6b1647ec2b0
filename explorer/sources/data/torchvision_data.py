"""`torchvision:NAME`: data sets that are downloaded at first use."""

import numpy as np
import torch
from torchvision import datasets

from explorer.errors import unknown
from explorer.sources.reading.downloads import DATASETS, read_dataset
from explorer.sources.reading.in_memory import of_pictures, pixel_task
from explorer.sources.reading.splits import stratified_split
from explorer.sources.refs import split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, Normalisation, Shape
from explorer.tasks import DEFAULT_KIND, PARTS, Task

_DIGITS = tuple("0123456789")
KNOWN = {
    "CIFAR10": tuple("airplane automobile bird cat deer dog frog horse ship truck".split()),
    "MNIST": tuple(datasets.MNIST.classes),
    "FashionMNIST": tuple(datasets.FashionMNIST.classes),
    "KMNIST": tuple(datasets.KMNIST.classes),
    "SVHN": _DIGITS,
    "STL10": tuple("airplane bird car cat deer dog horse monkey ship truck".split()),
}
"""The classes of those data sets that tell them before they are downloaded."""


def entries() -> list[tuple[str, str]]:
    """All of them."""
    return [(f"torchvision:{name}", f"{name} (download)") for name in DATASETS]


def describe_torchvision(ref: str) -> Description | None:
    """What a data set is labelled with, where that is known without a download."""
    name, _ = split_query(ref.partition(":")[2], {})
    return Description(DEFAULT_KIND, KNOWN[name]) if name in KNOWN else None


@data_source(
    "torchvision",
    title="torchvision",
    explanation="CIFAR, MNIST and their like, downloaded at first use.",
    reference="https://pytorch.org/vision/stable/datasets.html",
    takes="NAME",
    entries=entries,
    describe=describe_torchvision,
    rank=100,
)
@of_pictures
def torchvision_task(ref: str, shape: Shape | None, normalisation: Normalisation) -> Task:
    name, _ = split_query(ref.partition(":")[2], {})
    if name not in DATASETS:
        raise unknown("torchvision data set", name, DATASETS)
    classes, (pixels, labels), (test_pixels, test_labels) = read_dataset(name)
    train = stratified_split(labels, (0.80, 0.10, 0.10), seed=0)
    parts = dict(zip(PARTS, [*train, len(labels) + np.arange(len(test_labels))], strict=True))
    everything = torch.cat([pixels, test_pixels]), np.concatenate([labels, test_labels])
    return pixel_task(ref, name, classes, *everything, parts, shape, normalisation)
