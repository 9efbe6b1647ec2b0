"""What can be seen of a folder: its subfolders, pictures and other files, without what systems hide in it."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.reading.part_names import words_of
from explorer.sources.reading.picture_files import EXTENSIONS

_OF_SYSTEMS = {"__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"}
_FILES_OF_SYSTEMS = {"thumbs.db", "desktop.ini", "ehthumbs.db"}
ARCHIVES = frozenset(".zip .tar .gz .tgz .bz2 .xz .7z .rar .zst".split())
UNREAD = frozenset(
    ".heic .heif .avif .jp2 .j2k .jxl .svg .psd .eps .ico .tga .exr .hdr .dds .raw .cr2 .nef .arw .dng .dcm .nii .mha"
    " .npy".split()
)
"""Extensions of pictures in other formats."""
_IMAGES = frozenset(("image", "images", "img", "imgs"))
_MASKS = frozenset("mask masks trimap trimaps segmentation segmentations annotation annotations groundtruth gt".split())
_LINKED_TO = 3  # levels down to which a link to a folder is followed
DEEPEST = 40  # levels
_MOST_OTHERS = 100_000  # files that are no pictures, before the folder is taken for the wrong one


@dataclass
class Branch:
    """A folder as a person sees it.

    Args:
        path: where it is.
        folders: its subfolders by name, in order.
        pictures: the picture files directly in it.
        others: the other files directly in it.
        count: how many picture files it has at any depth.
        aside: its subfolders of masks, which lie beside those of images: their pictures are left out.
    """

    path: Path
    folders: "dict[str, Branch]" = field(default_factory=dict)
    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    count: int = 0
    aside: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def filled(self) -> "dict[str, Branch]":
        """Its subfolders in which there are pictures."""
        return {name: folder for name, folder in self.folders.items() if folder.count}

    def everything(self) -> list[Path]:
        """Its picture files at any depth, in a fixed order."""
        return sorted(path for branch in self.walk() for path in branch.pictures)

    def walk(self) -> "Iterator[Branch]":
        """Itself and all folders below it."""
        yield self
        for folder in self.folders.values():
            yield from folder.walk()

    def unwrapped(self) -> "Branch":
        """The folder within it, or itself, at which something begins.

        A single subfolder with subfolders is a wrapper, unless there is an empty one beside it, which somebody forgot
        to fill.
        """
        branch = self
        while len(branch.filled) == 1 and (inner := next(iter(branch.filled.values()))).filled:
            if any(folder.is_empty for folder in branch.folders.values()):
                break
            branch = inner
        return branch

    @property
    def is_empty(self) -> bool:
        """Whether no file is in it, at any depth."""
        return not any(branch.pictures or branch.others for branch in self.walk())

    def unread(self) -> dict[str, int]:
        """How many pictures it has in formats that are not read, by their extension."""
        files = (path.suffix.lower() for branch in self.walk() for path in branch.others)
        return dict(Counter(suffix for suffix in files if suffix in UNREAD))


def tree_of(root: Path) -> Branch:
    """All that can be seen below a folder.

    Raises:
        ExplorerError: it is no folder, or has too many files that are no pictures.
        OSError: it, or a folder in it, can't be read.
    """
    if not root.is_dir():
        problem = "it is not a folder" if root.exists() else "it does not exist"
        if root.suffix.lower() in ARCHIVES and root.exists():
            problem = "it is an archive, unpack it"
        raise ExplorerError(f"can't read the folder {str(root)!r}: {problem}")
    return _read(root, (root.resolve(),), Counter())


def is_hidden(name: str) -> bool:
    """Whether a system keeps a file or folder of this name for itself."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS or name.lower() in _FILES_OF_SYSTEMS


def _read(path: Path, above: tuple[Path, ...], seen: Counter) -> Branch:
    if len(above) > DEEPEST:
        raise ExplorerError(f"{str(above[0])!r} has folders {DEEPEST} levels deep: name the folder of pictures")
    branch = Branch(path)
    with os.scandir(path) as entries:
        listed = sorted((entry for entry in entries if not is_hidden(entry.name)), key=lambda entry: entry.name)
    for entry in listed:
        below = path / entry.name
        if entry.is_dir():
            if (inner := _within(entry, below, above)) is not None:
                branch.folders[entry.name] = _read(below, inner, seen)
        elif below.suffix.lower() in EXTENSIONS and entry.is_file():
            branch.pictures.append(below)
            seen["pictures"] += 1
        else:
            branch.others.append(below)
            seen["others"] += 1
    if seen["others"] > max(_MOST_OTHERS, seen["pictures"]):
        raise ExplorerError(
            f"{str(above[0])!r} has more than {_MOST_OTHERS:,} files that are no pictures: name the folder of pictures"
        )
    if any(map(says_images, branch.filled)):
        branch.aside = [name for name in branch.filled if _says(name, _MASKS) and not _says(name, _IMAGES)]
        for folder in (inner for name in branch.aside for inner in branch.folders[name].walk()):
            folder.pictures, folder.count = [], 0
    branch.count = len(branch.pictures) + sum(folder.count for folder in branch.folders.values())
    return branch


def says_images(name: str) -> bool:
    """Whether a folder's name says no more than that there are images in it."""
    return _says(name, _IMAGES)


def _says(name: str, words: frozenset[str]) -> bool:
    return not words.isdisjoint(words_of(name))


def _within(entry: os.DirEntry, path: Path, above: tuple[Path, ...]) -> tuple[Path, ...] | None:
    """The folders around those in a subfolder; None where it is a link in a circle, or a link far below."""
    if not entry.is_symlink():
        return (*above, path)
    target = path.resolve()
    return None if len(above) > _LINKED_TO or target in above else (*above, target)
