"""Which part of a task a folder, a file or a word means, by any of its usual names."""

import re
from collections.abc import Iterable
from pathlib import Path

PARTS_BY_WORD = {
    "train": ("train", "training", "trn", "trainset"),
    "validation": ("val", "valid", "validation", "dev", "devel", "development", "valset", "validset"),
    "test": ("test", "testing", "tst", "testset", "eval", "evaluation", "holdout"),
}
"""Part → the words for it, the usual ones first."""
_PART_OF = {word: part for part, words in PARTS_BY_WORD.items() for word in words}
_JOINED = {"trainval": ("train", "val"), "traindata": ("train", "data"), "testdata": ("test", "data")}
_FILLING = frozenset(
    "set sets data dataset image images img imgs picture pictures photo photos jpg jpeg png seg segmentation cls"
    " final split part folder full original raw resized cropped ilsvrc coco imagenet".split()
)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")


def words_of(name: str) -> list[str]:
    """The words of a name in lower case: ``trainLabels``, ``seg_train`` and ``val2017`` have two each."""
    found = [word.lower() for word in _WORD.findall(name)]
    return [part for word in found for part in _JOINED.get(word, (word,))]


def part_of(name: str) -> str | None:
    """The one part that a name speaks of, whatever else it says; training where it is that with validation."""
    parts = {_PART_OF[word] for word in words_of(name) if word in _PART_OF}
    if parts == {"train", "validation"}:
        return "train"
    return parts.pop() if len(parts) == 1 else None


def part_of_file(path: Path, top: Path) -> str:
    """The part that a file is of by its name, or else its folder's below `top`; empty where neither says one."""
    within = path.parent
    return part_of(path.stem) or (within != top and part_of(within.name)) or ""


def parts_among(names: Iterable[str]) -> dict[str, str]:
    """Part → the one of these names that means it; empty where none means training.

    A name that says more than the part ("steam train") counts only where another name says the same of another part
    ("steam test"). Of several names of one part the most usual word wins, and of its names the shortest.
    """
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for name in names:
        part = part_of(name)
        if part is not None:
            rest = tuple(w for w in words_of(name) if w not in _PART_OF and w not in _FILLING and not w.isdecimal())
            found.setdefault(rest, {}).setdefault(part, []).append(name)
    plain = found.get((), {})
    for rest, parts in found.items():
        if rest and "train" not in plain and "train" in parts and len(parts) > 1:
            plain = parts
    if "train" not in plain:
        return {}
    return {part: min(names, key=lambda name, part=part: _rank(name, part)) for part, names in plain.items()}


def _rank(name: str, part: str) -> tuple[bool, int, int, str]:
    """Of several names the plain words come first, in their order."""
    words = words_of(name)
    place = next((number for number, word in enumerate(PARTS_BY_WORD[part]) if word in words), 0)
    return name not in PARTS_BY_WORD[part], place, len(name), name
