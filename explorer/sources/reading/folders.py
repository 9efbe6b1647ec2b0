"""A folder that a ref names, with what can be seen of it."""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.reading.class_trees import ClassTree, class_tree
from explorer.sources.reading.coco_files import ANNOTATIONS, find_coco_files
from explorer.sources.reading.label_columns import Listing, listing_of
from explorer.sources.reading.label_files import read_label_file
from explorer.sources.reading.part_names import part_of, words_of
from explorer.sources.reading.picture_names import PictureNames
from explorer.sources.reading.picture_trees import Branch, tree_of
from explorer.sources.refs import FOLDER_OPTIONS, Place, split_query
from explorer.sources.suffixes import TABLES

_MOST_TABLES = 40  # that are looked into; folders with more files of text have one for each picture
_DUMMIES = {"submission", "submissions"}  # of competitions: labels that mean nothing


@dataclass(frozen=True)
class Folder:
    """What ``folder:PATH?options`` names; its tree is walked, and its tables are read, once and only if asked for."""

    place: Place
    options: dict[str, str] = field(default_factory=dict)
    _names: dict[Path, PictureNames] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def at(cls, place: Place) -> "Folder":
        """The folder of a ref.

        Raises:
            ExplorerError: its options can't be.
        """
        before, _, options = place.name.rpartition("?")
        if not place.rest and "=" in options and not place.file.exists() and Path(before).expanduser().exists():
            return cls(place, split_query(f"folder:…?{options}", _PARSERS)[1])  # says which options there are
        return cls(place, split_query(f"folder:…?{place.rest}", _PARSERS)[1] if place.rest else {})

    @property
    def path(self) -> Path:
        return self.place.file

    @property
    def skips(self) -> bool:
        """Whether files that can't be read are left out."""
        return "skip" in self.options

    @cached_property
    def tree(self) -> Branch:
        """What can be seen of it; of a table, of the folder in which it lies.

        Raises:
            ExplorerError, OSError: see `tree_of`.
        """
        return tree_of(self.path.parent if self.path.suffix.lower() in TABLES and self.path.is_file() else self.path)

    def tree_at(self, path: Path) -> Branch:
        """What can be seen of one of its folders."""
        return next((branch for branch in self.tree.walk() if branch.path == path), Branch(path))

    def names_in(self, branch: Branch) -> PictureNames:
        """What the pictures in one of its folders, at any depth, may be called; an index that is built once."""
        if branch.path not in self._names:
            self._names[branch.path] = PictureNames(branch.everything())
        return self._names[branch.path]

    @cached_property
    def classes(self) -> ClassTree | None:
        """Its pictures by the folders that they lie in; None where these are no classes.

        Raises:
            ExplorerError: see `class_tree`.
        """
        return class_tree(self.tree)

    @cached_property
    def coco_files(self) -> dict[str, Path]:
        """Its files of COCO's boxes by part, that of training first; empty where there is none."""
        of_all = self.path / ANNOTATIONS
        return {"train": of_all} if of_all.is_file() else find_coco_files(self.tree)

    @cached_property
    def listings(self) -> tuple[list[Listing], list[ExplorerError]]:
        """What its tables say of its pictures, and what is wrong with those that could not be understood."""
        if not self.tree.count:
            return [], []
        found, wrong = [], []
        for path, branch in self._tables():
            try:
                listing = self._listing(path, branch)
            except ExplorerError as error:
                wrong.append(error)
                continue
            if listing is not None:
                found.append(listing)
        return found, wrong

    def _listing(self, path: Path, branch: Branch) -> Listing | None:
        """What one table says, of pictures in a folder that it seems to mean, or else of any."""
        for within in (branch,) if branch is self.tree else (branch, self.tree):
            names = self.names_in(within)
            listing = listing_of(read_label_file(path, names), names, self.options.get("label"))
            if listing is not None:
                return listing
        return None

    def _tables(self) -> list[tuple[Path, Branch]]:
        """Files that may say which picture has which label, each with the folder whose pictures it seems to mean."""
        if self.path.is_file():
            return [(self.path, self.tree)]
        found: list[tuple[Path, Branch]] = []
        for branch in self.tree.walk():
            tables = [path for path in branch.others if path.suffix.lower() in TABLES]
            if len(tables) > _MOST_TABLES:
                continue
            for path in tables:
                if _DUMMIES.isdisjoint(words_of(path.stem)):
                    near = branch if branch.count else self.tree
                    found.append((path, _meant(self.tree, part_of(path.stem)) or near))
        return sorted(found, key=lambda item: len(item[0].parts))[:_MOST_TABLES]


def _meant(tree: Branch, part: str | None) -> Branch | None:
    """The folder at the top that is of the same part."""
    return next((folder for name, folder in tree.unwrapped().filled.items() if part and part_of(name) == part), None)


def _only_bad(text: str) -> str:
    if text != "bad":
        raise ValueError("write skip=bad, which leaves out what can't be read")
    return text


def _name(text: str) -> str:
    if not text:
        raise ValueError("give the name of a column")
    return text


_PARSERS = dict(zip(FOLDER_OPTIONS, (_only_bad, _name), strict=True))
