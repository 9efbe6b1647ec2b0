"""Folders of pictures that are named after classes, in any of the ways in which published sets arrange them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.reading.part_names import part_of, parts_among
from explorer.sources.reading.picture_trees import Branch

Classes = dict[str, list[Path]]  # pictures by class

_TEXT_TABLES = ("train.csv", "train.tsv", "train.jsonl")


@dataclass
class ClassTree:
    """Pictures by class.

    Args:
        top: the folder at which the classes or the parts begin.
        parts: train, and what else there is; only ``""`` where the pictures come as one.
        remarks: what a person should know, a clause each.
    """

    top: Branch
    parts: dict[str, Classes]
    remarks: list[str] = field(default_factory=list)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes that are learnt."""
        return tuple(self.parts["train" if "train" in self.parts else ""])

    @cached_property
    def class_of(self) -> dict[Path, str]:
        """The class of each picture."""
        return {path: name for part in self.parts.values() for name, paths in part.items() for path in paths}


def class_tree(tree: Branch) -> ClassTree | None:
    """The classes of a folder's pictures by the names of its subfolders; None where these name no two classes.

    Raises:
        ExplorerError: a part has classes of its own, or a folder holds pictures of a format that is not read.
    """
    top = tree.unwrapped()
    parts = part_folders(top)
    if parts and parts["train"].unwrapped().filled:
        return _with_parts(top, parts)
    if parts and len(parts) == len(top.filled):
        return None  # pictures in heaps
    inner = {name: part_folders(folder) for name, folder in top.filled.items()}
    if len(inner) > 1 and all(_are_all(folder, inner[name]) for name, folder in top.filled.items()):
        return _class_first(top, inner)
    if len(top.filled) < 2:
        return None
    return ClassTree(top, {"": _classes(top)}, _same_inside(top))


def part_folders(branch: Branch) -> dict[str, Branch]:
    """The subfolders that are parts; empty where none is for training."""
    return {part: branch.folders[name] for part, name in parts_among(branch.filled).items()}


def opens_plainly(tree: Branch) -> bool:
    """Whether classes are at the top or in `train`, with pictures in each, and there is no table of texts."""
    if any(path.name in _TEXT_TABLES for path in tree.others):
        return False
    base = tree.folders.get("train", tree)
    if len(base.folders) < 2 or len(base.folders) > len(base.filled):
        return False
    if base is tree:
        return not part_folders(tree)
    others = [tree.folders[name] for name in ("val", "valid", "validation", "test") if name in tree.folders]
    return all(set(folder.filled) == set(base.filled) for folder in others)


def are_numbered(tree: Branch) -> bool:
    """Whether the folders at the top are pieces of one: their names differ only in a number."""
    names = {"".join(letter for letter in name if not letter.isdigit()) for name in tree.unwrapped().filled}
    return len(tree.unwrapped().filled) > 1 and len(names) == 1 and bool(names.pop().strip(" -_."))


def _are_all(folder: Branch, parts: Mapping[str, Branch]) -> bool:
    return len(parts) > 1 and len(parts) == len(folder.filled) and not folder.pictures


def _with_parts(top: Branch, parts: Mapping[str, Branch]) -> ClassTree:
    train = parts["train"].unwrapped()
    tree = ClassTree(top, {"train": _classes(train)})
    for part, folder in parts.items():
        if part == "train":
            continue
        inner = folder.unwrapped()
        if inner.filled and (len(inner.filled) > 1 or set(inner.filled) <= set(tree.classes)):
            tree.parts[part] = _renamed(_classes(inner), tree.classes, folder)
        else:
            tree.remarks.append(f"{folder.name} has no folders of classes and is not read")
    others = sorted(set(top.filled) - {folder.name for folder in parts.values()})
    if others:
        tree.remarks.append(f"{', '.join(others[:5])} {'is' if len(others) == 1 else 'are'} no part and not read")
    return tree


def _renamed(found: Classes, classes: tuple[str, ...], folder: Branch) -> Classes:
    """The classes of another part under the names that they have in training, whatever their case."""
    known = {name.casefold(): name for name in classes}
    if strange := sorted(name for name in found if name not in classes and name.casefold() not in known):
        told = sorted(set(strange) | (set(classes) - set(found)))
        raise ExplorerError(f"{str(folder.path)!r} and its train folder have different classes: {', '.join(told[:3])}")
    return {name if name in classes else known[name.casefold()]: paths for name, paths in found.items()}


def _class_first(top: Branch, inner: Mapping[str, Mapping[str, Branch]]) -> ClassTree:
    parts: dict[str, Classes] = {}
    for name, folders in inner.items():
        for part, folder in folders.items():
            parts.setdefault(part, {})[name] = folder.everything()
    return ClassTree(top, parts, ["every class has its own folders of parts"])


def _classes(branch: Branch) -> Classes:
    """The pictures of each subfolder."""
    check_folders(branch)
    return {name: folder.everything() for name, folder in branch.filled.items()}


def check_folders(branch: Branch) -> None:
    """Refuses subfolders that can be no classes.

    Raises:
        ExplorerError: one is empty, has other files than pictures only, or its name can't be written.
    """
    for name in branch.folders:
        if name.encode(errors="ignore").decode() != name:  # the system lets folders have any bytes for a name
            raise ExplorerError(
                f"the folder {str(branch.path)!r} has a class called {name!a}, which is no UTF-8 text: rename it"
            )
    for folder in branch.folders.values():
        if not folder.count and (others := folder.unread()):
            raise ExplorerError(
                f"the class folder {str(folder.path)!r} has only {', '.join(others)} files, which are not read: save "
                "them as PNG or JPEG"
            )
        if folder.is_empty:
            raise ExplorerError(f"the class folder {str(folder.path)!r} has no pictures: fill or remove it")


def _same_inside(top: Branch) -> list[str]:
    inside = [tuple(folder.filled) for folder in top.filled.values()]
    if len(inside[0]) < 2 or len(set(inside)) > 1 or any(map(part_of, inside[0])):
        return []
    return [
        f"{', '.join(list(top.filled)[:4])} have the same subfolders ({', '.join(inside[0][:3])}, …) and are read as "
        "the classes: if the subfolders are, open one of these folders alone"
    ]
