"""What a person calls a run: its name, its colour for good, and her notes, in a small file beside it.

A run of the app gets a name of two words and the colour that her latest runs use least; one of the command line is
called as its folder, which a person has named already. Runs without the file, as earlier versions leave them, have a
name and a colour that follow from who they are.
"""

import hashlib
import logging
import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field

from explorer.documents import Document, Text, checked
from explorer.errors import ExplorerError, unknown
from explorer.files import write_json
from explorer.plain import visible
from explorer.runs.given_names import given_name
from explorer.runs.queue.job import BUNDLE, FILE
from explorer.sealed import read_sealed, sealed

LABEL = "label.json"
COLOURS = ("ocean", "amber", "violet", "leaf", "rose", "teal", "rust", "olive", "plum", "slate")
"""The names of the colours, those first that are told apart best; `explorer.ui.charts.colours` shows them."""
LONGEST_NAME, LONGEST_NOTES = 60, 2000  # characters
_APP = re.compile(r"[0-9]{8}-[0-9]{6}-([0-9a-f]{12})")  # as the app calls the folders of its runs
_RECENT = 20  # labels that a new one is told apart from

_LOG = logging.getLogger(__name__)


class LabelFile(Document):
    """The file. `run` is the id of the run in a bundle's folder, which another one may replace; empty in the app's."""

    run: Text
    name: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]
    colour: Text
    notes: Annotated[str, Field(max_length=LONGEST_NOTES)]


@dataclass(frozen=True)
class Label:
    """What a run is called, one of `COLOURS`, and what a person has noted about it."""

    name: str
    colour: str
    notes: str = ""


def home_of(folder: Path) -> Path:
    """The folder that is the run's own: of a bundle of the app the one around it, else the bundle's."""
    around = folder.parent
    return around if folder.name == BUNDLE and os.path.lexists(around / FILE) else folder


def label_of(folder: Path, id: str) -> Label:
    """The label of the run whose bundle lies, or will lie, in `folder`; a damaged one is logged, and not used.

    Args:
        id: the run's, as its report tells it.
    """
    home = home_of(folder)
    found = _kept(home, _owner(home, id))
    return found or Label(_usual_name(home, id), _usual_colour(home, id))


def new_label(folder: Path, id: str, others: Sequence[Label]) -> Label:
    """Writes the label of a run that begins, told apart from `others`, the latest first; and gives it.

    Raises:
        OSError: the folder can't be written.
    """
    home, recent = home_of(folder), others[:_RECENT]
    match = _APP.fullmatch(home.name)
    name = given_name(match[1], {other.name for other in others}) if match else _usual_name(home, id)
    used = Counter(other.colour for other in recent)
    label = Label(name, min(COLOURS, key=lambda colour: (used[colour], COLOURS.index(colour))))
    _keep(home, _owner(home, id), label)
    return label


def relabel(
    folder: Path, id: str, *, name: str | None = None, colour: str | None = None, notes: str | None = None
) -> Label:
    """Changes what is given of a run's label; the rest stays.

    Raises:
        ExplorerError: a name that is empty or too long, a colour that there is not, notes that are too long, a run
            that is not finished, or a folder that can't be written.
    """
    home, changed = home_of(folder), label_of(folder, id)
    if name is not None:
        changed = replace(changed, name=_checked_name(name))
    if colour is not None:
        if colour not in COLOURS:
            raise unknown("colour", colour, COLOURS)
        changed = replace(changed, colour=colour)
    if notes is not None:
        if len(notes) > LONGEST_NOTES:
            raise ExplorerError(f"notes have at most {LONGEST_NOTES:,} characters, these {len(notes):,}: shorten them")
        changed = replace(changed, notes=visible(notes, keep="\n"))
    if home.is_symlink() or not home.is_dir():
        raise ExplorerError(f"the run in {home} has no folder yet: name it once it has finished")
    try:
        _keep(home, _owner(home, id), changed)
    except OSError as error:
        raise ExplorerError(f"can't write {home / LABEL}: {error.strerror}; see to it that you may") from None
    return changed


def beside(folder: Path, count: int = _RECENT) -> list[Label]:
    """The labels in the folders beside a run's, the latest first; folders without one are left out."""
    found = []
    for path in _siblings(home_of(folder).parent):
        try:
            stamp = path.stat().st_mtime
            found.append((stamp, _label(checked(read_sealed(path), LabelFile, path))))
        except (OSError, ExplorerError):
            continue  # gone, or damaged: reading the run itself says so
    return [label for _, label in sorted(found, key=lambda entry: -entry[0])[:count]]


def _siblings(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.glob(f"*/{LABEL}"))
    except OSError:
        return ()


def _owner(home: Path, id: str) -> str:
    """What ties a label to its run: nothing where the folder is one run's alone."""
    return "" if os.path.lexists(home / FILE) else id


def _kept(home: Path, owner: str) -> Label | None:
    path = home / LABEL
    try:
        document = checked(read_sealed(path, required=True), LabelFile, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ExplorerError) as error:
        _LOG.warning("the name of the run in %s is not used: %s; rename it to write a new one", home, error)
        return None
    return _label(document) if document["run"] == owner else None


def _label(document: dict[str, str]) -> Label:
    colour = document["colour"]
    shade = colour if colour in COLOURS else _hashed_colour(document["name"])  # of another version's palette
    return Label(document["name"], shade, document["notes"])


def _keep(home: Path, owner: str, label: Label) -> None:
    document = {"run": owner, "name": label.name, "colour": label.colour, "notes": label.notes}
    write_json(home / LABEL, sealed(document))


def _usual_name(home: Path, id: str) -> str:
    if match := _APP.fullmatch(home.name):
        return given_name(match[1])
    return " ".join(visible(home.name).split())[:LONGEST_NAME] or given_name(id)


def _usual_colour(home: Path, id: str) -> str:
    match = _APP.fullmatch(home.name)
    return _hashed_colour(match[1] if match else id)


def _hashed_colour(text: str) -> str:
    return COLOURS[hashlib.sha256(text.encode("utf-8", "replace")).digest()[0] % len(COLOURS)]


def _checked_name(name: str) -> str:
    shown = " ".join(visible(name).split())
    if not shown:
        raise ExplorerError("a run's name is empty: give it one or two words")
    if len(shown) > LONGEST_NAME:
        raise ExplorerError(f"a run's name has at most {LONGEST_NAME} characters, this one {len(shown)}: shorten it")
    return shown
