"""Texts with classes or scores as tasks: token ids of one length."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from explorer.errors import ExplorerError
from explorer.sources.refs import one_line
from explorer.sources.task import PARTS, Task, stratified_split

TABLES = (".csv", ".tsv", ".jsonl")
_TEXTS, _LABELS = ("text", "sentence", "review", "content"), ("label", "class", "score", "target")
_MOST_CLASSES = 1000
_LARGEST = 200 * 2**20  # bytes of one table


class Tokenizer:
    """Texts → int64 token ids (texts, length), cut at `length` and padded on the right.

    Wraps a tokenizer of transformers. `padding` is the id that fills up.
    """

    def __init__(self, inner: Any, length: int) -> None:
        if inner.pad_token_id is None:
            inner.pad_token = inner.eos_token or inner.unk_token
        inner.padding_side = "right"
        self._inner, self.length, self.padding = inner, length, inner.pad_token_id

    def __call__(self, texts: list[str]) -> Tensor:
        found = self._inner(list(texts), padding="max_length", truncation=True, max_length=self.length)
        return torch.tensor(found["input_ids"], dtype=torch.int64)

    def save(self, folder: Path) -> None:
        """Writes its files, which `AutoTokenizer.from_pretrained` reads."""
        self._inner.save_pretrained(folder)


@dataclass(frozen=True)
class Texts:
    """Texts with an int64 class or a float32 score each; `classes` are the names, of scores only ``("score",)``.

    `parts` are the indices of train, calibration, validation and test.
    """

    title: str
    texts: list[str]
    labels: np.ndarray
    classes: tuple[str, ...]
    parts: dict[str, np.ndarray]
    note: str = ""

    @property
    def kind(self) -> str:
        return "text-regression" if self.labels.dtype.kind == "f" else "text-classification"


def text_task(ref: str, found: Texts, tokenizer: Tokenizer | None) -> Task:
    """The texts as a task for the model that the tokenizer belongs to.

    Raises:
        ExplorerError: there is no tokenizer.
    """
    if tokenizer is None:
        raise ExplorerError(f"{ref} is made of texts, and the model has no tokenizer: choose a Hugging Face text model")
    labels = torch.from_numpy(found.labels)
    tokens = tokenizer(found.texts)
    data = {name: TensorDataset(tokens[index], labels[index]) for name, index in found.parts.items()}
    shown = {name: tuple(found.texts[i] for i in index) for name, index in found.parts.items()}
    metric = "pearson" if found.kind == "text-regression" else "accuracy"
    note = ", ".join(filter(None, [found.note, f"texts cut or padded to {tokenizer.length} tokens"]))
    return Task(
        ref,
        found.title,
        found.classes,
        (tokenizer.length,),
        (),
        (),
        **data,
        note=note,
        metric=metric,
        kind=found.kind,
        texts=shown,
    )


def read_tables(path: Path) -> Texts:
    """Texts from a table, or from a folder's `train`, `val` and `test` tables: .csv, .tsv or .jsonl.

    A table has a column of texts and one of labels (named as in `_TEXTS` and `_LABELS`, or the only two). Labels that
    are all numbers with a fraction are scores, others are classes.

    Raises:
        ExplorerError: a table is missing, damaged, too large or has no such columns.
    """
    if path.is_file():
        tables = {"train": _rows(path)}
    else:
        files = {file.stem: file for file in sorted(path.iterdir()) if file.suffix in TABLES}
        names = {"train": "train", "val": "validation", "valid": "validation", "validation": "validation"}
        tables = {part: _rows(files[stem]) for stem, part in (names | {"test": "test"}).items() if stem in files}
        if "train" not in tables:
            raise ExplorerError(f"the folder {str(path)!r} has no table train.csv, train.tsv or train.jsonl")
    texts = [text for rows in tables.values() for text, _ in rows]
    raw = [label for rows in tables.values() for _, label in rows]
    labels, classes = _labels(raw, path)
    starts = np.cumsum([0, *(len(rows) for rows in tables.values())])
    given = {part: np.arange(*starts[i : i + 2]) for i, part in enumerate(tables)}
    parts = split_missing(given, labels, str(path))
    return Texts(path.stem, texts, labels, classes, parts)


def split_missing(given: dict[str, np.ndarray], labels: np.ndarray, source: str) -> dict[str, np.ndarray]:
    """Indices of all four parts: those that are not given are split off `train`, stratified and seeded.

    With a validation part but no test part, it is the test part.

    Raises:
        ExplorerError: there are too few examples.
    """
    given = dict(given)
    if "validation" in given and "test" not in given:
        given["test"] = given.pop("validation")
    train = given.pop("train")
    missing = [part for part in PARTS if part not in given]
    shares = {1: (1.0,), 2: (0.9, 0.1), 3: (0.8, 0.1, 0.1), 4: (0.60, 0.10, 0.15, 0.15)}[len(missing)]
    strata = labels[train] if labels.dtype.kind == "i" else np.zeros(len(train), dtype=int)
    split = [train[index] for index in stratified_split(strata, shares, seed=0)]
    parts = given | dict(zip(missing, split, strict=True))
    if any(len(index) == 0 for index in parts.values()):
        raise ExplorerError(f"{source!r} has only {len(train)} training examples: give it 10 a class or more")
    return {part: parts[part] for part in PARTS}


def _rows(path: Path) -> list[tuple[str, Any]]:
    try:
        if path.stat().st_size > _LARGEST:
            raise ExplorerError(f"the table {str(path)!r} is larger than {_LARGEST >> 20} MB: give a part of it")
        with path.open(encoding="utf-8", newline="") as file:
            if path.suffix == ".jsonl":
                rows = [json.loads(line) for line in file if line.strip()]
            else:
                rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise ExplorerError(f"the table {str(path)!r} is damaged: {one_line(error)}") from None
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ExplorerError(f"the table {str(path)!r} has no rows with named columns")
    text, label = _columns(list(rows[0]), path)
    found = [(row.get(text), row.get(label)) for row in rows]
    if not all(isinstance(sentence, str) and value not in (None, "") for sentence, value in found):
        raise ExplorerError(f"the table {str(path)!r} has rows without a {text!r} or a {label!r}: fill or remove them")
    return found


def _columns(names: list[str], path: Path) -> tuple[str, str]:
    text = next((name for name in _TEXTS if name in names), None)
    label = next((name for name in _LABELS if name in names), None)
    if len(names) == 2:
        text = text or next((name for name in names if name != label), None)
        label = label or next((name for name in names if name != text), None)
    if text is None or label is None:
        raise ExplorerError(f"the table {str(path)!r} has columns {', '.join(names)}: name two of them text and label")
    return text, label


def _labels(raw: list[Any], path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 classes with their names, or float32 scores where every label is a number and one has a fraction."""
    try:
        numbers = np.array([float(value) for value in raw])
    except (TypeError, ValueError):
        numbers = None
    if numbers is not None and not np.isfinite(numbers).all():
        raise ExplorerError(f"{str(path)!r} has labels that are no finite numbers")
    if numbers is not None and (numbers != np.rint(numbers)).any():
        return numbers.astype(np.float32), ("score",)
    names = sorted({str(value) for value in raw}, key=lambda name: (float(name) if numbers is not None else 0, name))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"{str(path)!r} has {len(names)} classes: it should have 2 to {_MOST_CLASSES}")
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[str(value)] for value in raw], dtype=np.int64), tuple(names)
