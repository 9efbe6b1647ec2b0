"""Files that say which picture has which label, read into rows: CSV, TSV, lists, JSON, JSON lines."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from explorer import memory
from explorer.reading import DamagedError, parse_json, read_text
from explorer.sources.reading.part_names import part_of
from explorer.sources.reading.picture_files import EXTENSIONS
from explorer.sources.reading.picture_names import PictureNames
from explorer.sources.suffixes import TABLES

FILE, LABEL, SPLIT = "file", "label", "split"  # heads of the columns of files that name none
_GROWTH = 16  # bytes in memory of a byte of a file
_LARGEST = 200 * 2**20
_PROBED = 100  # rows
_HEAD = 2**16  # bytes
_NAMES = re.compile(
    r"\.(?:" + "|".join(sorted(suffix[1:] for suffix in EXTENSIONS)) + r")\b|\b(?:image|img)_?(?:id|name|path)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Table:
    """Rows of a file, of equal length.

    Args:
        path: of the file.
        heads: the names of the columns.
        named: whether the file itself gives them names.
        rows: texts of CSV, any values of JSON.
    """

    path: Path
    heads: tuple[str, ...]
    named: bool
    rows: list[tuple[Any, ...]]


def may_list(path: Path) -> bool:
    """Whether a file by itself looks like a list of pictures, without a look at any of them."""
    if path.suffix.lower() not in TABLES or not path.is_file():
        return False
    with path.open("rb") as file:
        return _NAMES.search(file.read(_HEAD).decode(errors="replace")) is not None


def read_label_file(path: Path, names: PictureNames) -> Table:
    """The rows of a file, of which none may name a picture.

    Raises:
        DamagedError, ExplorerError: it is damaged, too large, or can't be read.
    """
    text = read_text(path, min(_LARGEST, memory.limit() // _GROWTH))
    suffix = path.suffix.lower()
    try:
        if suffix == ".json":
            return _of_json(path, parse_json(text, strict=False), names)
        if suffix in (".jsonl", ".ndjson"):
            documents = [parse_json(line, strict=False) for line in text.splitlines() if line.strip()]
            return _of_records(path, [document for document in documents if isinstance(document, dict)])
        return _of_text(path, text, names)
    except (ValueError, csv.Error) as error:
        raise DamagedError(f"{str(path)!r} is damaged: {error}") from None


def _of_text(path: Path, text: str, names: PictureNames) -> Table:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    mark = _delimiter(path, lines)
    if mark:
        cells = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
        rows = [tuple(map(str.strip, row)) for row in cells if any(row) and not row[0].startswith("#")]
    else:
        rows = _words(lines, names)
    if not rows:
        return Table(path, (), False, [])
    named = mark is not None and not any(names.find(cell) for cell in rows[0]) and len(rows) > 1
    width = max(map(len, rows[:_PROBED]))
    filled = [(*row, *[""] * (width - len(row)))[:width] for row in rows]
    if named:
        return Table(path, tuple(head or f"column {n}" for n, head in enumerate(filled[0], 1)), True, filled[1:])
    heads = (FILE, LABEL) if width == 2 else tuple(f"column {number}" for number in range(1, width + 1))
    return Table(path, heads, False, filled)


def _delimiter(path: Path, lines: Sequence[str]) -> str | None:
    """What separates the cells of most lines; None where only white space can."""
    marks = "\t,;|" if path.suffix.lower() in (".tsv", ".txt", ".lst") else ",;\t|"
    head = lines[:_PROBED]
    found = max(marks, key=lambda mark: (sum(mark in line for line in head), -marks.index(mark)))
    if sum(found in line for line in head) > len(head) / 2:
        return found
    return "," if path.suffix.lower() == ".csv" else None


def _words(lines: Sequence[str], names: PictureNames) -> list[tuple[str, ...]]:
    """The cells of lines without a delimiter: a picture alone, before its label, or before several numbers."""
    head = [line for line in lines if line.strip()][:_PROBED]
    ways = (_whole, _first, _last)
    way = max(ways, key=lambda way: (sum(names.find(way(line)[0]) is not None for line in head), -ways.index(way)))
    if way is _first and len({len(line.split()) for line in head[2:]}) == 1 and _numbers(head[-1]) > 1:
        width = len(head[-1].split())  # the first lines may be a count and a line of heads
        return [tuple(line.split()) for line in lines if len(line.split()) == width]
    return [way(line) for line in lines]


def _whole(line: str) -> tuple[str, ...]:
    return (line.strip(),)


def _first(line: str) -> tuple[str, ...]:
    return tuple(line.split(maxsplit=1)) if line.strip() else ("",)


def _last(line: str) -> tuple[str, ...]:
    return tuple(line.rsplit(maxsplit=1))


def _numbers(line: str) -> int:
    return sum(word.lstrip("+-").replace(".", "", 1).isdecimal() for word in line.split()[1:])


def _of_json(path: Path, document: Any, names: PictureNames) -> Table:
    if isinstance(document, Mapping):
        if {"images", "annotations", "categories"} <= document.keys():
            return _of_records(path, _categorised(document))
        parts = {key: value for key, value in document.items() if isinstance(value, list) and part_of(key)}
        if parts and all(part_of(key) for key, value in document.items() if isinstance(value, list)):
            rows = [[*_row(item), key] for key, items in parts.items() for item in items]
            return _unnamed(path, rows, split=True)
        lists = [value for value in document.values() if isinstance(value, list) and value]
        if rows := [value for value in lists if isinstance(value[0], dict | list)]:
            return _of_json(path, max(rows, key=len), names)
        return _of_pairs(path, document, names)
    if isinstance(document, list) and document and all(isinstance(item, dict) for item in document):
        return _of_records(path, document)
    if isinstance(document, list):
        return _unnamed(path, [_row(item) for item in document])
    return Table(path, (), False, [])


def _of_pairs(path: Path, document: Mapping[str, Any], names: PictureNames) -> Table:
    """An object with a label, or what is known, for each picture; or with pictures for each class."""
    if all(isinstance(value, dict) for value in document.values()) and document:
        return _of_records(path, [{FILE: key, **value} for key, value in document.items()])
    if not any(names.find(key) for key in list(document)[:_PROBED]):
        lists = {key: value for key, value in document.items() if isinstance(value, list)}
        if lists:
            return _unnamed(path, [[file, key] for key, files in lists.items() for file in files])
    return _unnamed(path, [[key, value] for key, value in document.items()])


def _categorised(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """COCO's document without boxes, as of iNaturalist: a category for each picture.

    Raises:
        ValueError: it is something else.
    """
    try:
        files = {entry["id"]: entry["file_name"] for entry in document["images"]}
        classes = {entry["id"]: entry.get("name", entry["id"]) for entry in document["categories"]}
        return [
            {FILE: files[entry["image_id"]], LABEL: classes[entry["category_id"]]} for entry in document["annotations"]
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"its images, annotations and categories don't fit each other ({error})") from None


def _of_records(path: Path, records: Sequence[Mapping[str, Any]]) -> Table:
    heads = tuple(dict.fromkeys(str(key) for record in records[:_PROBED] for key in record))
    return Table(path, heads, True, [tuple(record.get(head) for head in heads) for record in records])


def _unnamed(path: Path, rows: Sequence[Sequence[Any]], *, split: bool = False) -> Table:
    """Rows of a picture, its label or labels, and perhaps the part."""
    width = max(map(len, rows), default=0)
    middle = [LABEL] if width - split == 2 else [f"column {number}" for number in range(2, width - split + 1)]
    heads = (FILE, *middle, *((SPLIT,) if split else ()))[:width]
    ends = [(*row[:-1], *[None] * (width - len(row)), row[-1]) if split else row for row in rows]
    filled = [tuple(value for value, _ in zip_longest(row, heads)) for row in ends]
    return Table(path, heads, False, filled)


def _row(item: Any) -> list[Any]:
    return list(item) if isinstance(item, list) else list(item.values()) if isinstance(item, dict) else [item]
