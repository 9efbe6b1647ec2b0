"""Lessons from their files."""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from explorer.documents import checked
from explorer.errors import ExplorerError, unknown
from explorer.learning.lessons.lesson import Lesson, Why
from explorer.learning.lessons.recorded import read_recording
from explorer.places import ASSETS
from explorer.reading import DamagedError

FOLDER = ASSETS / "lessons"
RECORDS, PICTURES = "records", "pictures"
OPENING = "two-minutes"  # the look that the first visit is offered
_NAMED = re.compile(r"(\d{2})-([a-z0-9-]+)\.toml")


def read_lesson(path: Path) -> Lesson:
    """A lesson, with its recorded runs.

    Raises:
        ExplorerError: the file can't be read, or is no lesson; the message names the place in it.
    """
    named = _NAMED.fullmatch(path.name)
    if named is None:
        raise ExplorerError(f"{path.name!r} is no name of a lesson: call it 04-some-words.toml")
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ExplorerError(f"the lesson {str(path)!r} can't be read: {error.strerror}") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DamagedError(f"{str(path)!r} is no TOML: {error}") from None
    document |= {"number": int(named[1]), "name": named[2]}
    document["card"] = [_with_recording(card, path.parent) for card in document.get("card", [])]
    checked(document, Lesson, path)
    lesson = Lesson.model_validate(document)
    for picture in (card.picture for card in lesson.cards if isinstance(card, Why) and card.picture):
        if not (path.parent / PICTURES / picture).is_file():
            raise ExplorerError(f"{path.name} shows {picture!r}, which is not in {path.parent / PICTURES}")
    return lesson


def _with_recording(card: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A card with the recorded run that it names."""
    name = card.get("record")
    plain = isinstance(name, str) and re.fullmatch(r"[a-z0-9][a-z0-9._-]*", name)
    return {**card, "recording": read_recording(folder / RECORDS / name)} if plain else dict(card)


def lessons() -> dict[str, Lesson]:
    """All lessons by name, in the order of their numbers, the look at the beginning first.

    Raises:
        ExplorerError: one of the files is damaged.
    """
    paths = sorted(FOLDER.glob("*.toml"))
    return dict(_all(tuple((path, path.stat().st_mtime_ns) for path in paths)))


@lru_cache(2)
def _all(files: tuple[tuple[Path, int], ...]) -> tuple[tuple[str, Lesson], ...]:
    found = [read_lesson(path) for path, _ in files]
    return tuple((lesson.name, lesson) for lesson in found)


def find_lesson(name: str) -> Lesson:
    """The lesson of a name.

    Raises:
        ExplorerError: there is none.
    """
    found = lessons()
    if name not in found:
        raise unknown("lesson", name, found)
    return found[name]


def open_lesson(named: str) -> Lesson:
    """The lesson of a name, or of a file, where the text ends in ``.toml``.

    Raises:
        ExplorerError: there is none, or its file is damaged.
    """
    return read_lesson(Path(named)) if named.endswith(".toml") else find_lesson(named)
