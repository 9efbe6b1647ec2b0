"""Labels as they are written, and the classes that they mean; what is no class is refused by its name."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from explorer.errors import ExplorerError
from explorer.sources.reading.part_names import words_of

SEVERAL = "it is made of several labels for a picture, a kind of task that does not exist here yet"
NUMBERS = "it is made of numbers to be predicted (regression), a kind of task that does not exist here yet for pictures"
MOST_CLASSES = 20_000
_LONGEST = 200  # characters of a name
_FEW_VALUES = 20  # whole numbers up to which they may well be classes
_PER_CLASS = 3  # pictures, fewer of which make a whole number an amount
_JOINTS = re.compile(r"[,;|+&]| and ")
_SURE_MARKS, _MARKS = "|;", ("|", ";", ",", None)  # between labels; None: white space
_AMOUNTS = frozenset(
    "age price score count rating height weight value temperature year angle speed distance size length width area"
    " amount number steering bmi dose volume".split()
)


def classes_of(values: Sequence[Any], what: str, head: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """int64 numbers of the classes, and their names: whole numbers in their order, words in that of the alphabet.

    Args:
        values: a label for each picture.
        what: where they come from, for a person.
        head: what they are called there.

    Raises:
        ExplorerError: they are no classes; it says what they seem to be.
    """
    found = [_single(value, what, head) for value in values]
    numbers = _numbers(found)
    if numbers is not None:
        _refuse_amounts(numbers, what, head)
        names = [str(number) for number in sorted({int(number) for number in numbers})]
        found = [str(int(number)) for number in numbers]
    else:
        found = [str(value).strip() for value in found]
        _refuse_several(found, what, head)
        names = sorted(set(found))
    _check(names, len(found), what, head)
    index = {name: number for number, name in enumerate(names)}
    return np.array([index[value] for value in found], dtype=np.int64), tuple(names)


def refuse_joined(names: Sequence[str], what: str) -> None:
    """Refuses names of classes that are several other names in one: "cat+dog" beside "cat" and "dog".

    Raises:
        ExplorerError: there is one.
    """
    for name in names:
        parts = [part.strip() for part in _JOINTS.split(name)]
        if len(parts) > 1 and set(parts) <= set(names):
            raise ExplorerError(
                f"{what} has the classes {parts[0]!r}, {parts[1]!r} and {name!r}: {SEVERAL}; give each picture one "
                "class, or open such data as a Problem in Python (docs/python.md)"
            )


def one_hot(rows: Sequence[Sequence[Any]], heads: Sequence[str], what: str) -> list[str | None]:
    """The class of each row of zeros and ones; None of a row of zeros only.

    Raises:
        ExplorerError: rows have several ones.
    """
    ones = [[head for head, value in zip(heads, row, strict=True) if float(value) == 1] for row in rows]
    if any(len(found) > 1 for found in ones):
        raise _refusal(what, ", ".join(heads[:3]), SEVERAL)
    return [found[0] if found else None for found in ones]


def is_one_hot(columns: Sequence[Sequence[Any]]) -> bool:
    """Whether columns hold nothing but 0 and 1, or −1 and 1."""
    values = {str(value) for column in columns for value in column}
    return len(columns) > 1 and values <= {"0", "1", "-1", "0.0", "1.0", "-1.0", "True", "False", "true", "false"}


def _single(value: Any, what: str, head: str) -> Any:
    if isinstance(value, list):
        if len(value) != 1:
            raise _refusal(what, head, SEVERAL)
        value = value[0]
    if not isinstance(value, str | int | float):
        raise ExplorerError(f"{what} has a {head!r} that is neither a text nor a number: write one class for a picture")
    return value


def _numbers(values: Sequence[Any]) -> list[float] | None:
    """All of them as numbers, if they are."""
    if any(isinstance(value, bool) for value in values):
        return None
    try:
        found = [float(value) for value in values]
    except (ValueError, OverflowError):
        return None
    return found if np.isfinite(found).all() and max(map(abs, found)) < 2**53 else None


def _refuse_amounts(numbers: Sequence[float], what: str, head: str) -> None:
    if any(number != int(number) for number in numbers):
        raise _refusal(what, head, NUMBERS)
    different = len(set(numbers))
    counted = min(numbers) in (0, 1) and max(numbers) - min(numbers) + 1 == different  # as classes are
    amount = not _AMOUNTS.isdisjoint(words_of(head))
    if different > _FEW_VALUES and (amount or (not counted and len(numbers) < _PER_CLASS * different)):
        raise _refusal(what, head, NUMBERS)


def _refuse_several(values: Sequence[str], what: str, head: str) -> None:
    """Refuses texts that list labels: parts of them return in other company, or alone."""
    kinds = set(values)
    plural = bool({"labels", "tags", "attributes", "classes", "categories"} & set(words_of(head)))
    for mark in _MARKS:
        several = [parts for value in kinds if len(parts := _parts(value, mark)) > 1]
        if not several:
            continue
        alone = {value for value in kinds if len(_parts(value, mark)) == 1}
        uses = Counter(part for parts in several for part in parts)
        known = sum(part in alone or count > 1 for part, count in uses.items())
        listed = set(uses) <= alone if mark is None and not plural else 2 * known >= len(uses)
        if listed or (mark and mark in _SURE_MARKS):
            raise _refusal(what, head, SEVERAL)


def _parts(value: str, mark: str | None) -> list[str]:
    return [part.strip() for part in value.split(mark) if part.strip()]


def _check(names: Sequence[str], rows: int, what: str, head: str) -> None:
    if len(names) > 1 and 2 * len(names) > rows > 2 * _FEW_VALUES:
        raise ExplorerError(
            f"{what} has {len(names):,} different values of {head!r} for {rows:,} pictures, which are no classes: "
            "name the column of classes with ?label=NAME"
        )
    if not 2 <= len(names) <= MOST_CLASSES:
        raise ExplorerError(f"{what} has {len(names)} classes in {head!r}: it should have 2 to {MOST_CLASSES:,}")
    if max(map(len, names)) > _LONGEST:
        raise ExplorerError(
            f"{what} has values of {head!r} with more than {_LONGEST} characters, which are no classes: "
            "name the column of classes with ?label=NAME"
        )


def _refusal(what: str, head: str, why: str) -> ExplorerError:
    return ExplorerError(
        f"{what} can't be read as classes by {head!r}: {why}; give each picture one class, or open such data as a "
        "Problem in Python (docs/python.md)"
    )
