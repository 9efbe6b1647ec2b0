"""`hf:NAME`: data sets of the Hugging Face hub, or of a folder in its formats."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from explorer.errors import ExplorerError, one_line
from explorer.sources.reading.picture_files import NATIVE, cropped_note, natural
from explorer.sources.reading.splits import split_missing
from explorer.sources.reading.texts import SCORE, Texts, text_task
from explorer.sources.refs import local_folder, split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, InputRequest, Normalisation, Shape
from explorer.tasks import Task

_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "test": "test"}
_LABELS, _IMAGES = ("label", "labels", "fine_label", "score"), ("image", "img", "picture")
_MOST_TEXTS = 200_000


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("give a name")
    return text


_OPTIONS = {"config": _name, "text": _name, "label": _name}


def texts(rest: str) -> Texts | None:
    """The texts of ``hf:REST``; None where it holds pictures.

    Options of the ref: ``config`` for a data set with several, ``text`` and ``label`` for its columns.

    Raises:
        ExplorerError: it can't be reached or read, or has no such columns.
    """
    splits, options = _open(rest)
    features = splits["train"].features
    if _column(features, _IMAGES) is not None and "text" not in options:
        return None
    strings = [name for name, kind in features.items() if getattr(kind, "dtype", "") in ("string", "large_string")]
    text = options.get("text") or next(iter(strings), None)
    label = options.get("label") or _column(features, _LABELS)
    if text not in features or label not in features:
        columns = ", ".join(features)
        raise ExplorerError(f"hf:{rest} has the columns {columns}: say which are read, with ?text=NAME&label=NAME")
    if sum(map(len, splits.values())) > _MOST_TEXTS:
        raise ExplorerError(f"hf:{rest} has more than {_MOST_TEXTS:,} texts: give a part of it as a table, folder:PATH")
    everything = [str(value) for split in splits.values() for value in split[text]]
    labels, classes = _classes(splits, label, rest)
    return Texts(rest.partition("?")[0], everything, labels, classes, _parts(splits, labels, rest))


def describe_hub(ref: str) -> Description | None:
    """What the texts are labelled with; None where it holds pictures."""
    held = texts(ref.partition(":")[2])
    return held and Description(held.kind, held.classes)


@data_source(
    "hf",
    title="Hugging Face",
    explanation="A data set of the hub, or of a folder in its formats: pictures or texts with a class, or texts with a "
    "score; options config, text and label name what is read.",
    reference="https://huggingface.co/docs/datasets",
    takes="NAME",
    describe=describe_hub,
    path=local_folder,
    rank=90,
)
def hub_task(ref: str, request: InputRequest) -> Task:
    """The task of a ref ``hf:REST``.

    Raises:
        ExplorerError: see `texts`; or the model reads something else.
    """
    rest = ref.partition(":")[2]
    held = texts(rest)
    if held is not None:
        return text_task(ref, held, request.tokenizer)
    splits, options = _open(rest)
    features = splits["train"].features
    image, label = _column(features, _IMAGES), options.get("label") or _column(features, _LABELS)
    if label not in features:
        raise ExplorerError(f"hf:{rest} has the columns {', '.join(features)}: say which is the class, ?label=NAME")
    labels, classes = _classes(splits, label, rest)
    shape = request.image() or NATIVE
    normalisation = request.normalised(natural(shape[0]))
    parts = {
        name: HubPictures(splits, index, labels, image, shape, normalisation)
        for name, index in _parts(splits, labels, rest).items()
    }
    title = rest.partition("?")[0]
    return Task(ref, title, classes, shape, *normalisation, **parts, note=cropped_note(shape))


class HubPictures(Dataset):
    """Pictures of a data set, decoded when they are asked for."""

    def __init__(
        self,
        splits: Mapping[str, Any],
        index: np.ndarray,
        labels: np.ndarray,
        column: str,
        shape: Shape,
        normalisation: Normalisation,
    ) -> None:
        self._splits, self._index, self._column, self._shape = list(splits.values()), index, column, shape
        self._starts = np.cumsum([0, *map(len, self._splits)])
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)
        self.labels = labels[index]

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        place = int(self._index[index])
        split = int(np.searchsorted(self._starts, place, side="right")) - 1
        picture = self._splits[split][place - int(self._starts[split])][self._column]
        picture = ImageOps.exif_transpose(picture).convert("RGB" if self._shape[0] == 3 else "L")
        pixels = np.array(ImageOps.fit(picture, (self._shape[2], self._shape[1]), Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(pixels).reshape(*self._shape[1:], -1).permute(2, 0, 1).float() / 255
        return (pixels - self._mean) / self._std, int(self.labels[index])


@lru_cache(maxsize=2)
def _open(rest: str) -> tuple[dict[str, Any], dict[str, str]]:
    """The splits that are known by name, and the ref's options."""
    name, options = split_query(rest, _OPTIONS)
    try:
        import datasets
    except ImportError:
        raise ExplorerError("data of the Hugging Face hub needs the package datasets: pip install datasets") from None
    datasets.disable_progress_bars()
    try:
        loaded = datasets.load_dataset(name, options.get("config"))
    except Exception as error:  # of many libraries
        raise ExplorerError(f"hf:{name} can't be read: {one_line(error)}") from None
    splits = {_SPLITS[split]: data for split, data in loaded.items() if split in _SPLITS}
    if "train" not in splits:
        raise ExplorerError(f"hf:{name} has the splits {', '.join(loaded)} but none is called train")
    return splits, options


def _column(features: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in features), None)


def _classes(splits: Mapping[str, Any], label: str, rest: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 classes with their names, or float32 scores where the column holds fractions."""
    values = np.concatenate([np.asarray(split[label]) for split in splits.values()])
    names = getattr(splits["train"].features[label], "names", None)
    if values.dtype.kind == "f":
        return values.astype(np.float32), SCORE
    if names is None:
        names, values = np.unique(values, return_inverse=True)
    if values.min() < 0:
        raise ExplorerError(f"hf:{rest} has examples without a class (a label below 0): choose splits with labels")
    return values.astype(np.int64), tuple(map(str, names))


def _parts(splits: Mapping[str, Any], labels: np.ndarray, rest: str) -> dict[str, np.ndarray]:
    starts = np.cumsum([0, *map(len, splits.values())])
    return split_missing({name: np.arange(*starts[i : i + 2]) for i, name in enumerate(splits)}, labels, rest)
