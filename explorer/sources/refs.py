"""Reading references: the paths that they name, their query options, and errors in one line."""

import ast
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, one_line
from explorer.registry import Number

_FUNCTION = re.compile(r"[A-Za-z]\w*(\?[^#]*)?")
FOLDER_OPTIONS = ("skip", "label")
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")  # control characters, bytes that are no text, ends of lines


@dataclass(frozen=True)
class Place:
    """What a ref says that can name a path, read once: for whoever checks it and for whoever opens it.

    Args:
        ref: the whole of it.
        name: the path or the id, as it was written.
        path: the file or folder, absolute and with links followed; None where `name` is the id of a repository.
        rest: what stands behind the name: a model ref after ``#``, or options after ``?``.
    """

    ref: str
    name: str
    path: Path | None
    rest: str = ""

    @property
    def file(self) -> Path:
        """The path of a place that is no repository."""
        assert self.path is not None
        return self.path


def path_only(ref: str) -> Place:
    """``scheme:PATH``; every character after the colon is the path's.

    Raises:
        ExplorerError: that can be no path.
    """
    name = check_text(ref).partition(":")[2]
    return Place(ref, name, resolved(name, ref))


def path_and_ref(ref: str) -> Place:
    """``scheme:PATH#REF``; the path goes up to the last ``#``.

    Raises:
        ExplorerError: see `path_only`.
    """
    rest = check_text(ref).partition(":")[2]
    name, _, base = rest.rpartition("#") if "#" in rest else (rest, "", "")
    return Place(ref, name, resolved(name, ref), base)


def path_and_options(ref: str) -> Place:
    """``scheme:PATH?options``; a path may have question marks of its own.

    Options are what follows the last question mark, if all of it is options of folders, and no file or folder has the
    whole for its name.

    Raises:
        ExplorerError: see `path_only`.
    """
    whole = path_only(ref)
    name, mark, options = whole.name.rpartition("?")
    keys = {item.partition("=")[0] for item in options.split("&")}
    if not mark or not keys <= {*FOLDER_OPTIONS} or whole.file.exists():
        return whole
    return Place(ref, name, resolved(name, ref), options)


def folder_or_id(ref: str) -> Place:
    """``scheme:NAME?options``; NAME is a path where it begins as paths do or there is one, else a repository's id.

    Raises:
        ExplorerError: see `path_only`.
    """
    name, _, options = check_text(ref).partition(":")[2].partition("?")
    path = resolved(name, ref) if name else None
    return Place(ref, name, path if name.startswith(("/", ".", "~")) or (path and path.exists()) else None, options)


def path_and_function(ref: str) -> Place:
    """``scheme:FILE.py:FUNCTION?options``; the path goes up to the last ``.py:``.

    Raises:
        ExplorerError: see `path_only`; or no function is named.
    """
    name, ending, function = check_text(ref).partition(":")[2].rpartition(".py:")
    if not ending or not _FUNCTION.fullmatch(function):
        raise ExplorerError(f"{_short(ref)} names no function of a Python file: write FILE.py:FUNCTION?key=value")
    name += ".py"
    return Place(ref, name, resolved(name, ref), function)


def function_and_options(place: Place) -> tuple[str, dict[str, str]]:
    """The function that a place names, and its options as they are written.

    Raises:
        ExplorerError: an option is given twice, or has no value.
    """
    name, _, query = place.rest.partition("?")
    keys = {item.partition("=")[0]: str for item in query.split("&") if query}
    return name, split_query(place.rest, keys)[1]


def python_value(text: str) -> Any:
    """A number, a truth value, None, or a list of such, as Python writes them; else the text itself."""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    value = list(value) if isinstance(value, tuple) else value
    entries = value if isinstance(value, list) else [value]
    return value if all(map(_is_plain, entries)) else text


def _is_plain(value: Any) -> bool:
    """Whether JSON keeps it as it is."""
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def check_text(ref: str) -> str:
    """The ref, if it is one line of text.

    Raises:
        ExplorerError: it has characters that can't be shown.
    """
    if odd := next((letter for letter in ref if unicodedata.category(letter) in _UNPRINTABLE), None):
        raise ExplorerError(f"the ref {ref[:80]!a} has the character {odd!a}, which can't be shown: rename it")
    return ref


def resolved(name: str, ref: str) -> Path:
    """The absolute path that is meant by `name`, with ``~`` and links followed.

    Raises:
        ExplorerError: it can't be one: it is empty or too long, or its user is not known.
    """
    if not name.strip():
        raise ExplorerError(f"{_short(ref)} names no path: write one after the colon")
    try:
        path = Path(name).expanduser().resolve()
        path.exists()  # too long names, which resolving lets through
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise ExplorerError(f"can't use the path {_short(name)} ({reason}): check how it is written") from None
    return path


def _short(name: str) -> str:
    return repr(name if len(name) <= 120 else f"{name[:117]}…")


def split_query(ref: str, options: Mapping[str, Callable[[str], Any]]) -> tuple[str, dict[str, Any]]:
    """``name?key=value&…`` → the name, and the values read by the options' parsers.

    Raises:
        ExplorerError: an option is unknown, given twice, or its value is not accepted.
    """
    name, mark, query = ref.partition("?")
    values: dict[str, Any] = {}
    for item in query.split("&") if mark else ():
        key, equals, text = item.partition("=")
        if key not in options:
            known = f"its options are {', '.join(options)}" if options else "it takes no options"
            raise ExplorerError(f"unknown option {key!r} in {ref!r}: {known}")
        if not equals or key in values:
            raise ExplorerError(f"option {key!r} in {ref!r} needs exactly one value: write {key}=VALUE once")
        try:
            values[key] = options[key](text)
        except ValueError as error:
            raise ExplorerError(f"{key}={text} in {ref!r} does not work: {error}") from None
    return name, values


def integer(low: int, high: int) -> Callable[[str], int]:
    """A parser of whole numbers from `low` to `high`."""

    def parse(text: str) -> int:
        if not text.isdecimal() or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return int(text)

    return parse


def one_of(*words: str) -> Callable[[str], str]:
    """A parser of one of some words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"give {', '.join(words[:-1])}{' or ' * (len(words) > 1)}{words[-1]}")
        return text

    return parse


def number(low: float, high: float) -> Callable[[str], float]:
    """A parser of numbers from `low` to `high`."""

    def parse(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not low <= value <= high:
            raise ValueError(f"give a number from {low:g} to {high:g}")
        return value

    return parse


def read_options(ref: str, settings: Mapping[str, Number]) -> dict[str, Any]:
    """The values of a ref's options; those that it leaves out at their defaults.

    Raises:
        ExplorerError: see `split_query`.
    """
    parsers = {
        name: integer(int(setting.low), int(setting.high)) if setting.whole else number(setting.low, setting.high)
        for name, setting in settings.items()
    }
    return {name: setting.default for name, setting in settings.items()} | split_query(ref, parsers)[1]


def network_reason(error: BaseException) -> str:
    """Why a download failed: the system's words where there was no connection, else the error's."""
    found = re.search(r"<urlopen error (?:\[[^]]*\] )?(.*?)>", str(error))
    return f"no connection: {found[1]}" if found else one_line(error)
