"""Reading references: their query options, the folders that they name, and errors in one line."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, one_line
from explorer.registry import Number


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


def local_folder(rest: str) -> Path | None:
    """The folder that the part of a ref after ``hf:`` names; None where it is the id of a repository."""
    name = rest.partition("?")[0]
    path = Path(name).expanduser()
    return path if name and (name.startswith(("/", ".", "~")) or path.is_dir()) else None


def network_reason(error: BaseException) -> str:
    """Why a download failed: the system's words where there was no connection, else the error's."""
    found = re.search(r"<urlopen error (?:\[[^]]*\] )?(.*?)>", str(error))
    return f"no connection: {found[1]}" if found else one_line(error)
