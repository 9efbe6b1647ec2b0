"""Which column of a table names pictures, which has their label, and which their part."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.sources.reading.label_files import SPLIT, Table
from explorer.sources.reading.labels import is_one_hot, one_hot
from explorer.sources.reading.part_names import part_of, words_of
from explorer.sources.reading.picture_names import PictureNames, is_picture

_FILES = frozenset(
    "file filename files filepath filenames path paths image images imageid imagename imagepath imagefile img imgid"
    " imgname imgpath imgfile picture pictureid photo photoid id idcode name fname uuid index sample".split()
)
_LABELS = (
    "label labels class classname classlabel category categoryname target classid labelid labelname categoryid classes"
    " tag tags y breed species diagnosis dx variety type kind"
).split()
_LABEL_WORDS = frozenset("label labels class category target tags".split())
_NAMES = ("classname", "labelname", "categoryname", "name", "category", "class", "label")  # of what has numbers besides
_SPLITS = frozenset((SPLIT, "splits", "part", "set", "subset", "usage", "partition", "phase", "datasplit", "dataset"))
_FLAGS = {"isvalid": "validation", "isvalidation": "validation", "istrain": "train", "istraining": "train"}
_FLAGS |= {"istest": "test", "istesting": "test", "istrainingimage": "train"}
_CORNERS = frozenset(("xmin", "ymin", "xmax", "ymax"))
_BOXES = frozenset(("bbox", "bboxes", "boundingbox", "box", "boxes", "segmentation", "encodedpixels", "rle"))
_PROBED = 200  # rows


@dataclass(frozen=True)
class Listing:
    """What a table says of pictures.

    Args:
        path: of the table.
        heads: of all its columns.
        head: what its column of labels is called; empty: it has none.
        pictures: of each row that means one.
        labels: of each of them, as they are written; None where there is none.
        parts: train, validation or test; None where the table does not say.
        missing: what other rows name.
    """

    path: Path
    heads: tuple[str, ...]
    head: str
    pictures: list[Path]
    labels: list[Any]
    parts: list[str | None]
    missing: list[str]


def names_pictures(table: Table, names: PictureNames) -> int | None:
    """The column that names pictures; None where there is none."""
    probed = table.rows[:_PROBED]
    best, place = (0, 0), None
    for number, head in enumerate(table.heads):
        cells = [row[number] for row in probed]
        known = _plain(head) in _FILES
        if not known and table.named and not any(map(is_picture, cells)) and not _are_words(cells):
            continue  # numbers that happen to be names of pictures, too
        score = len({found for cell in cells if (found := names.find(cell)) is not None}), int(known)
        if score > best:
            best, place = score, number
    return place if place is not None and 10 * best[0] >= len(probed) else None


def listing_of(table: Table, names: PictureNames, label: str | None) -> Listing | None:
    """What the table says of pictures; None where it names none.

    Args:
        label: the column of labels that a person named; None: it is found.

    Raises:
        ExplorerError: it is of boxes or of several labels, or has no telling which column is the label.
    """
    file = names_pictures(table, names)
    if file is None:
        return None
    if label is None:
        _refuse_boxes(table)
    labels, head = _labels(table, file, label)
    part = _parts(table, file)
    found = [names.find(row[file]) for row in table.rows]
    kept = [number for number, picture in enumerate(found) if picture is not None]
    missing = [str(row[file]) for row, picture in zip(table.rows, found, strict=True) if picture is None]
    return Listing(
        table.path,
        table.heads,
        head,
        [found[number] for number in kept],
        [None if labels[number] in (None, "") else labels[number] for number in kept],
        [part[number] for number in kept],
        missing,
    )


def _labels(table: Table, file: int, asked: str | None) -> tuple[list[Any], str]:
    """The label of every row, and what the column is called; empty where there is none."""
    if asked is not None:
        if asked not in table.heads:
            told = ", ".join(table.heads)
            raise ExplorerError(f"the table {str(table.path)!r} has no column {asked!r}: it has {told}")
        return _column(table, table.heads.index(asked)), asked
    others = [n for n, head in enumerate(table.heads) if n != file and not _says_part(table, n)]
    by_head = {_plain(table.heads[n]): n for n in others}
    known = [by_head[head] for head in _LABELS if head in by_head]
    if not known:
        known = [n for n in others if table.named and not _LABEL_WORDS.isdisjoint(words_of(table.heads[n]))]
        known = known if len(known) == 1 else []
    if known:
        return _named(table, known, by_head)
    columns = [_column(table, number) for number in others]
    if is_one_hot(columns):
        heads = [table.heads[number] for number in others]
        return list(one_hot(list(zip(*columns, strict=True)), heads, _told(table))), ", ".join(heads[:3])
    if len(others) == 1:
        return columns[0], table.heads[others[0]]
    if not others:
        return [None] * len(table.rows), ""
    if not table.named:
        place = next((n for n in others if _are_words(_column(table, n)[:_PROBED])), others[0])
        return _column(table, place), table.heads[place]
    told = ", ".join(table.heads[:12])
    raise ExplorerError(f"{_told(table)} has columns {told}: say which is the label of a picture, with ?label=NAME")


def _named(table: Table, known: Sequence[int], by_head: dict[str, int]) -> tuple[list[Any], str]:
    """The first column of labels, by its names where another one says what its numbers are called."""
    first = _column(table, known[0])
    for head in _NAMES:
        if head in by_head and by_head[head] != known[0]:
            second = _column(table, by_head[head])
            if not _are_words(first[:_PROBED]) and _are_words(second[:_PROBED]) and _same(first, second):
                return second, table.heads[by_head[head]]
    return first, table.heads[known[0]]


def _same(first: Sequence[Any], second: Sequence[Any]) -> bool:
    """Whether two columns say the same in other words."""
    pairs = {(str(one), str(other)) for one, other in zip(first, second, strict=True)}
    return len(pairs) == len({one for one, _ in pairs}) == len({other for _, other in pairs})


def _parts(table: Table, file: int) -> list[str | None]:
    place = next((n for n in range(len(table.heads)) if n != file and _says_part(table, n)), None)
    if place is None:
        return [None] * len(table.rows)
    flag = _FLAGS.get(_plain(table.heads[place]))
    values = _column(table, place)
    if flag is None:
        return [part_of(str(value)) for value in values]
    other = "test" if flag == "train" else "train"
    return [flag if str(value).lower() in ("1", "true", "yes", "1.0") else other for value in values]


def _says_part(table: Table, number: int) -> bool:
    head = _plain(table.heads[number])
    if head in _FLAGS:
        return True
    values = {str(value) for value in _column(table, number)[:_PROBED]}
    return head in _SPLITS and all(part_of(value) for value in values)


def _refuse_boxes(table: Table) -> None:
    heads = {_plain(head) for head in table.heads}
    if heads >= _CORNERS or heads & _BOXES:
        raise ExplorerError(
            f"{_told(table)} has boxes or outlines ({', '.join(table.heads[:8])}), which are not read from tables: "
            "export them as COCO (annotations.json beside images/) or YOLO (images/, labels/ and data.yaml), or name "
            "the column of a class for each whole picture with ?label=NAME"
        )


def _column(table: Table, number: int) -> list[Any]:
    return [row[number] for row in table.rows]


def _are_words(cells: Sequence[Any]) -> bool:
    """Whether any of them is more than a number."""
    return any(isinstance(cell, str) and cell and not re.fullmatch(r"[-+]?[\d.eE+-]+", cell) for cell in cells)


def _plain(head: str) -> str:
    return re.sub(r"[^a-z0-9]", "", head.lower())


def _told(table: Table) -> str:
    return f"the table {str(table.path)!r}"
