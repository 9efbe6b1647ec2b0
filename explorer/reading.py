"""The one way in which text and JSON are read from files: within limits, or with one line that says what is wrong."""

import json
import math
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, one_line

LARGEST = 64 * 2**20  # bytes of a document; a report of a thousand steps has a fiftieth of that
DEEPEST = 64  # lists and objects within one another
_HALF = re.compile(r"\\u[dD][89a-fA-F]")  # what such a character is written with: two of them are one
_WIDEST = 2**63  # whole numbers beyond it fit nowhere


class DamagedError(ExplorerError):
    """A file is there and can be read, but does not hold what it should."""


def read_text(path: Path, largest: int = LARGEST) -> str:
    """The text of a UTF-8 file.

    Raises:
        FileNotFoundError, NotADirectoryError: there is none; callers know best what that means.
        DamagedError: it is no ordinary file, larger than `largest` bytes, or not UTF-8.
        ExplorerError: it can't be read.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for, a device has no end
            raise DamagedError(f"{str(path)!r} is no ordinary file: name a file")
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise ExplorerError(f"can't read {str(path)!r}: {error.strerror or one_line(error)}") from None
    if len(content) > largest:
        raise DamagedError(f"{str(path)!r} is damaged: it has more than the {largest:,} bytes that it may have")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DamagedError(f"{str(path)!r} is damaged: it is no UTF-8 text ({error.reason})") from None


def read_json(path: Path, largest: int = LARGEST, *, strict: bool = True) -> Any:
    """A JSON document from a file; see `parse_json` for what is accepted.

    Raises:
        FileNotFoundError, NotADirectoryError, DamagedError, ExplorerError: see `read_text`; or it is no JSON.
    """
    try:
        return parse_json(read_text(path, largest), strict=strict)
    except ValueError as error:
        raise DamagedError(f"{str(path)!r} is damaged: {one_line(error)}") from None


def read_object(path: Path, largest: int = LARGEST) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        FileNotFoundError, NotADirectoryError, DamagedError, ExplorerError: see `read_json`; or it holds no object.
    """
    document = read_json(path, largest)
    if not isinstance(document, dict):
        raise DamagedError(f"{str(path)!r} is damaged: it should hold a JSON object")
    return document


def read_lines(path: Path, largest: int = LARGEST) -> Iterator[Any]:
    """The documents of a file with one JSON document per line; lines that are empty or torn are left out.

    Raises:
        FileNotFoundError, NotADirectoryError, DamagedError, ExplorerError: see `read_text`.
    """
    for line in read_text(path, largest).splitlines():
        try:
            yield parse_json(line)
        except ValueError:
            continue


def parse_json(text: str | bytes, *, strict: bool = True) -> Any:
    """A JSON document of at most 64 levels, its whole numbers within 64 bits; half characters in it become ``?``.

    Args:
        strict: whether numbers that JSON has no word for (NaN, infinities, 1e999) are refused.

    Raises:
        ValueError: it is something else; the message says what.
    """
    hooks = {"parse_float": _finite, "parse_constant": _no_constant} if strict else {}
    try:
        document = json.loads(text, parse_int=_whole, **hooks)
    except RecursionError:
        raise ValueError(f"it is nested more than {DEEPEST} levels deep") from None
    _check_depth(document)
    if _HALF.search(text if isinstance(text, str) else text.decode("utf-8", "replace")):
        document = json.loads(json.dumps(document, ensure_ascii=False).encode(errors="replace"))
    return document


def _whole(text: str) -> int:
    value = int(text) if len(text) <= 20 else _WIDEST
    if not -_WIDEST <= value < _WIDEST:
        raise ValueError("it has a whole number of more than 64 bits")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("it has a number that is too large")
    return value


def _no_constant(name: str) -> float:
    raise ValueError(f"it has {name} for a number")


def _check_depth(document: Any) -> None:
    level = [document]
    for _ in range(DEEPEST):
        level = [
            item
            for value in level
            if isinstance(value, Mapping | list)
            for item in (value.values() if isinstance(value, Mapping) else value)
            if isinstance(item, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"it is nested more than {DEEPEST} levels deep")
