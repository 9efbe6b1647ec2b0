"""Tables of texts with a class or a score each: a layout of folders."""

import csv
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.reading import parse_json
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.splits import split_missing
from explorer.sources.reading.texts import MOST_TEXTS, SCORE, Texts, text_task
from explorer.sources.registries import folder_layout
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task

TABLES = (".csv", ".tsv", ".jsonl")
TEXTS, _LABELS = ("text", "sentence", "review", "content"), ("label", "class", "score", "target")
_MOST_CLASSES, _LONGEST_NAME = 1000, 200
_LARGEST = 200 * 2**20  # bytes of one table
_GROWTH = 10  # bytes in memory of a byte of a table
_LONGEST_LINE = 2**20  # characters


def is_table(folder: Folder) -> bool:
    """Whether there is a table, or a folder with one of training data."""
    path = folder.path
    if path.is_dir():
        return any((path / f"train{suffix}").is_file() for suffix in TABLES)
    return path.suffix in TABLES and path.is_file()


def describe_table(folder: Folder) -> Description:
    """What its texts are labelled with."""
    held = read_tables(folder.path)
    return Description(held.kind, held.classes)


@folder_layout(
    "tables",
    title="Tables of texts",
    explanation="A table .csv, .tsv or .jsonl with a text and a label in each row, or a folder with such tables called "
    "train, val and test.",
    fits=is_table,
    describe=describe_table,
    rank=10,
)
def tables_task(folder: Folder, request: InputRequest) -> Task:
    return text_task(folder.place.ref, read_tables(folder.path), request.tokenizer)


def read_tables(path: Path) -> Texts:
    """Texts from a table, or from a folder's `train`, `val` and `test` tables: .csv, .tsv or .jsonl.

    A table has a column of texts and one of labels (named as in `TEXTS` and `_LABELS`, or the only two). Labels that
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


def _rows(path: Path) -> list[tuple[str, Any]]:
    """The text and the label of every row.

    Raises:
        ExplorerError: see `read_tables`.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ExplorerError(f"the table {str(path)!r} is larger than {_LARGEST >> 20} MB: give a part of it")
        memory.require(_GROWTH * path.stat().st_size, f"reading {str(path)!r}", "give a part of it")
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = _records(file, path)
            first = next(rows, None)
            if first is None:
                raise ExplorerError(f"the table {str(path)!r} has no rows with named columns")
            text, label = _columns(list(first), path)
            pairs = [(row.get(text), row.get(label)) for row in islice(chain([first], rows), MOST_TEXTS + 1)]
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror}") from None
    except (ValueError, csv.Error) as error:
        raise ExplorerError(f"the table {str(path)!r} is damaged: {one_line(error)}") from None
    if len(pairs) > MOST_TEXTS:
        raise ExplorerError(f"the table {str(path)!r} has more than {MOST_TEXTS:,} rows: give a part of it")
    if not all(isinstance(sentence, str) and value not in (None, "") for sentence, value in pairs):
        raise ExplorerError(f"the table {str(path)!r} has rows without a {text!r} or a {label!r}: fill or remove them")
    if not all(isinstance(value, str | int | float) for _, value in pairs):
        raise ExplorerError(f"the table {str(path)!r} has a {label!r} that is neither a text nor a number: write one")
    return pairs


def _records(file: Iterable[str], path: Path) -> Iterator[dict[str, Any]]:
    """The rows of an open table, as they are read.

    Raises:
        ValueError, csv.Error: there is something else.
    """
    if path.suffix == ".jsonl":
        for number, line in enumerate(_lines(file), start=1):
            row = parse_json(line, strict=False) if line.strip() else {}
            if not isinstance(row, dict):
                raise ValueError(f"line {number} should hold a JSON object")
            if row:
                yield row
        return
    rows = csv.DictReader(_lines(file), delimiter="\t" if path.suffix == ".tsv" else ",")
    if len(set(rows.fieldnames or ())) < len(rows.fieldnames or ()):
        raise ValueError("it has two columns of one name")
    for row in rows:
        if None in row:
            raise ValueError(f"line {rows.line_num} has more fields than there are columns")
        yield row


def _lines(file: Iterable[str]) -> Iterator[str]:
    for number, line in enumerate(file, start=1):
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"line {number} has more than {_LONGEST_LINE:,} characters")
        yield line


def _columns(names: list[str], path: Path) -> tuple[str, str]:
    text = next((name for name in TEXTS if name in names), None)
    label = next((name for name in _LABELS if name in names), None)
    if len(names) == 2:
        text = text or next((name for name in names if name != label), None)
        label = label or next((name for name in names if name != text), None)
    if text is None or label is None:
        told = one_line(ValueError(", ".join(names)))
        raise ExplorerError(f"the table {str(path)!r} has columns {told}: name two of them text and label")
    return text, label


def _labels(raw: list[Any], path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 classes with their names, or float32 scores where every label is a number and one has a fraction."""
    try:
        numbers = None if bool in map(type, raw) else np.array([float(value) for value in raw])
    except (ValueError, OverflowError):
        numbers = None
    if numbers is not None and not (np.abs(numbers) <= np.finfo(np.float32).max).all():
        raise ExplorerError(
            f"{str(path)!r} has labels that are no finite numbers of 32 bits: correct or remove these rows"
        )
    if numbers is not None and (numbers != np.rint(numbers)).any():
        return numbers.astype(np.float32), SCORE
    if max(len(str(value)) for value in raw) > _LONGEST_NAME:
        raise ExplorerError(
            f"{str(path)!r} has labels of more than {_LONGEST_NAME} characters: name the column of labels"
        )
    names = sorted({str(value) for value in raw}, key=lambda name: (float(name) if numbers is not None else 0, name))
    if not 2 <= len(names) <= _MOST_CLASSES:
        raise ExplorerError(f"{str(path)!r} has {len(names)} classes: it should have 2 to {_MOST_CLASSES}")
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[str(value)] for value in raw], dtype=np.int64), tuple(names)
