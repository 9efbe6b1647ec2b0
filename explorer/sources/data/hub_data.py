"""`hf:NAME`: data sets of the Hugging Face hub, or of a folder in its formats."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.memory import KEPT
from explorer.sources.reading.picture_files import NATIVE, cropped, cropped_note, natural
from explorer.sources.reading.splits import split_missing
from explorer.sources.reading.texts import MOST_TEXTS, SCORE, Texts, text_task
from explorer.sources.refs import Place, folder_or_id, split_query
from explorer.sources.registries import data_source
from explorer.sources.request import Description, InputRequest, Normalisation, Shape
from explorer.tasks import Task

_SPLITS = {"train": "train", "validation": "validation", "valid": "validation", "test": "test"}
_LABELS, _IMAGES = ("label", "labels", "fine_label", "score"), ("image", "img", "picture")
_MOST_CLASSES = 100_000
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")  # a name alone may be that of a reader of any file
_FORMATS = ("csv", "json", "parquet", "arrow", "text", "imagefolder")


def _name(text: str) -> str:
    if not text.strip():
        raise ValueError("give a name")
    return text


_OPTIONS = {"config": _name, "text": _name, "label": _name}


def texts(place: Place) -> Texts | None:
    """The texts of ``hf:…``; None where it holds pictures.

    Options of the ref: ``config`` for a data set with several, ``text`` and ``label`` for its columns.

    Raises:
        ExplorerError: it can't be reached or read, or has no such columns.
    """
    splits, options = _open(place)
    features = splits["train"].features
    if _column(features, _IMAGES) is not None and "text" not in options:
        return None
    strings = [name for name, kind in features.items() if getattr(kind, "dtype", "") in ("string", "large_string")]
    text = options.get("text") or next(iter(strings), None)
    label = options.get("label") or _column(features, _LABELS)
    if text not in features or label not in features:
        columns = ", ".join(features)
        raise ExplorerError(f"{place.ref} has the columns {columns}: say which are read, with ?text=NAME&label=NAME")
    if sum(map(len, splits.values())) > MOST_TEXTS:
        raise ExplorerError(
            f"{place.ref} has more than {MOST_TEXTS:,} texts: give a part of it as a table, folder:PATH"
        )
    size = sum(split.data.column(text).nbytes for split in splits.values())
    memory.require(4 * size, f"the texts of {place.ref}", "give a part of it as a table, folder:PATH")
    everything = [value for split in splits.values() for value in split[text][:]]
    if not all(isinstance(value, str) for value in everything):
        raise ExplorerError(f"{place.ref} has rows without a text in {text!r}: name another column, ?text=NAME")
    labels, classes = _classes(splits, label, place.ref)
    return Texts(place.name, everything, labels, classes, _parts(splits, labels, place.ref))


def describe_hub(place: Place) -> Description | None:
    """What the texts are labelled with; None where it holds pictures."""
    held = texts(place)
    return held and Description(held.kind, held.classes)


@data_source(
    "hf",
    title="Hugging Face",
    explanation="A data set of the hub, or of a folder in its formats: pictures or texts with a class, or texts with a "
    "score; options config, text and label name what is read.",
    reference="https://huggingface.co/docs/datasets",
    takes="OWNER/NAME",
    describe=describe_hub,
    place=folder_or_id,
    rank=90,
)
def hub_task(place: Place, request: InputRequest) -> Task:
    """The task of a ref ``hf:…``.

    Raises:
        ExplorerError: see `texts`; or the model reads something else.
    """
    held = texts(place)
    if held is not None:
        return text_task(place.ref, held, request.tokenizer)
    splits, options = _open(place)
    features = splits["train"].features
    image, label = _column(features, _IMAGES), options.get("label") or _column(features, _LABELS)
    if label not in features:
        raise ExplorerError(f"{place.ref} has the columns {', '.join(features)}: say which is the class, ?label=NAME")
    if type(features[image]).__name__ != "Image":
        raise ExplorerError(f"{place.ref} has no pictures in {image!r}: name a column of texts, ?text=NAME")
    labels, classes = _classes(splits, label, place.ref)
    if labels.dtype.kind == "f":
        raise ExplorerError(
            f"{place.ref} has fractions for the classes of its pictures: name another column, ?label=NAME"
        )
    shape = request.image() or NATIVE
    normalisation = request.normalised(natural(shape[0]))
    parts = {
        name: HubPictures(splits, index, labels, image, shape, normalisation, place.path)
        for name, index in _parts(splits, labels, place.ref).items()
    }
    return Task(place.ref, place.name, classes, shape, *normalisation, **parts, note=cropped_note(shape))


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
        folder: Path | None,
    ) -> None:
        from datasets import config

        self._folders = [folder] if folder else [Path(config.HF_CACHE_HOME), Path(config.HF_DATASETS_CACHE)]
        self._splits, self._index, self._column, self._shape = list(splits.values()), index, column, shape
        self._starts = np.cumsum([0, *map(len, self._splits)])
        self._mean, self._std = (torch.tensor(values).view(-1, 1, 1) for values in normalisation)
        self.labels = labels[index]

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        place = int(self._index[index])
        split = int(np.searchsorted(self._starts, place, side="right")) - 1
        number = place - int(self._starts[split])
        pixels = torch.from_numpy(cropped(self._content(split, number), self._shape, f"of row {number}")).float() / 255
        return (pixels - self._mean) / self._std, int(self.labels[index])

    def _content(self, split: int, number: int) -> Path | bytes:
        """What is to be decoded: a row's bytes, or the file that it names, which must be one of the data set's."""
        found = self._splits[split][number][self._column] or {}
        if found.get("bytes"):
            return found["bytes"]
        path = Path(os.path.normpath(found.get("path") or ""))
        if not any(path.is_relative_to(folder) for folder in self._folders):
            raise ExplorerError(f"the picture of row {number} lies outside the data set: put it into its folder")
        return path


def _open(place: Place) -> tuple[dict[str, Any], dict[str, str]]:
    """The splits that are known by name, and the ref's options."""
    _, options = split_query(place.ref, _OPTIONS)
    return KEPT.get((__name__, place), lambda: _read(place, options.get("config"))), options


def _read(place: Place, config: str | None) -> dict[str, Any]:
    """The splits; their pictures stay as they are stored.

    Raises:
        ExplorerError: it can't be reached or read, is of a kind that isn't read here, or names files elsewhere.
    """
    if place.path is None and not _HUB_ID.fullmatch(place.name):
        raise ExplorerError(f"{place.ref!r} names no data set: write hf:OWNER/NAME, or hf:./FOLDER")
    if place.path is not None and not place.path.is_dir():
        raise ExplorerError(f"hf:{place.name} can't be read: there is no such folder")
    try:
        import datasets
    except ImportError:
        raise ExplorerError("data of the Hugging Face hub needs the package datasets: pip install datasets") from None
    datasets.disable_progress_bars()
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)  # what it would print is in the error's line
    try:
        builder = datasets.load_dataset_builder(str(place.path or place.name), config)
        _check_files(builder, place)
        _check_size(builder, place)
        builder.download_and_prepare()
        loaded = builder.as_dataset()
    except ExplorerError:
        raise
    except Exception as error:  # of many libraries
        reason = one_line(error.__cause__ or error)  # "while generating the dataset" says nothing
        raise ExplorerError(f"hf:{place.name} can't be read: {reason}") from None
    splits = {_SPLITS[split]: data for split, data in loaded.items() if split in _SPLITS}
    if "train" not in splits:
        raise ExplorerError(f"hf:{place.name} has the splits {', '.join(loaded)} but none is called train")
    for name, split in splits.items():
        for column, kind in split.features.items():
            if isinstance(kind, datasets.Image):
                splits[name] = splits[name].cast_column(column, datasets.Image(decode=False))
    return splits


def _check_files(builder: Any, place: Place) -> None:
    """Refuses a data set that names files which are not its own, or files that only its own code could read."""
    kind = type(builder).__module__.rpartition(".")[2]
    if kind not in _FORMATS and (kind != "cache" or place.path is not None):  # what is kept of an earlier download
        raise ExplorerError(
            f"hf:{place.name} has files for {kind!r}, which are not read here: use {', '.join(_FORMATS)}"
        )
    for files in (builder.config.data_files or {}).values():
        for file in map(str, files):
            own = f"hf://datasets/{place.name}@"
            inside = (
                file.startswith(own) if place.path is None else Path(os.path.normpath(file)).is_relative_to(place.path)
            )
            if not inside or "::" in file:
                raise ExplorerError(f"hf:{place.name} names {file!r}, which is not one of its own files: remove that")


def _check_size(builder: Any, place: Place) -> None:
    """Refuses tables in parquet of which one part would take too much memory: a few bytes may stand for many rows."""
    import pyarrow.parquet

    for file in (str(file) for files in (builder.config.data_files or {}).values() for file in files):
        if place.path is not None and file.endswith(".parquet"):
            table = pyarrow.parquet.read_metadata(file)
            for part in map(table.row_group, range(table.num_row_groups)):
                size = max(part.total_byte_size, 8 * part.num_rows * part.num_columns)
                memory.require(size, f"reading {file!r}", "write it in smaller row groups")


def _column(features: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in features), None)


def _classes(splits: Mapping[str, Any], label: str, ref: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 classes with their names, or float32 scores where the column holds fractions."""
    values = [value for split in splits.values() for value in split[label][:]]
    names = getattr(splits["train"].features[label], "names", None)
    if not all(isinstance(value, str | int | float) for value in values):
        raise ExplorerError(f"{ref} has rows in whose {label!r} there is no text or number: name another, ?label=NAME")
    if any(isinstance(value, float) for value in values):
        scores = np.array(values, np.float64)
        if not (np.abs(scores) <= np.finfo(np.float32).max).all():
            raise ExplorerError(f"{ref} has scores that are no numbers, or too large: correct or remove these rows")
        return scores.astype(np.float32), SCORE
    if names is None:
        names, found = np.unique(np.array(values), return_inverse=True)
    else:
        found = np.array(values, np.int64)
    if found.min() < 0 or found.max() >= len(names):
        raise ExplorerError(f"{ref} has examples without a class (a label below 0): choose splits with labels")
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"{ref} has {len(names)} classes: it should have 2 to {_MOST_CLASSES:,}")
    return found.astype(np.int64), tuple(map(str, names))


def _parts(splits: Mapping[str, Any], labels: np.ndarray, ref: str) -> dict[str, np.ndarray]:
    starts = np.cumsum([0, *map(len, splits.values())])
    return split_missing({name: np.arange(*starts[i : i + 2]) for i, name in enumerate(splits)}, labels, ref)
