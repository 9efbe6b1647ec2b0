"""Folders of this program: marked as they are made, and the only ones that it ever empties, replaces or deletes.

Nothing else in the program deletes a folder. A folder is opened once, without following a link, and what is read of its
mark and what is deleted below it go through that one descriptor, so that nothing can be put in its place in between.
Folders of versions before the mark are marked once their content has proved them ours: a bundle by its report (see
`explorer.export.layout.is_bundle`), finished steps by their spec (`explorer.runs.folders.holds_steps`).
"""

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from explorer.errors import ExplorerError

MARK = ".pruning-explorer"
# What folders are.
BUNDLE, STEPS, RUN = "a pruned model", "the finished steps of a run", "a run of the app"
UPLOAD = "pictures that were uploaded"
_SIGN = "Pruning Explorer keeps {} in this folder. It may replace or delete what it put here.\n"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def make_folder(folder: Path, what: str) -> None:
    """Makes a folder, and those above it that are missing, and marks it.

    Raises:
        OSError: it can't be made, or is there already.
    """
    folder.mkdir(parents=True)
    mark(folder, what)


def mark(folder: Path, what: str) -> None:
    """Marks a folder that is ours; one that has a mark keeps it.

    Raises:
        OSError: it is a link or no folder, or can't be written.
    """
    with _opened(folder) as descriptor, contextlib.suppress(FileExistsError):
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        with os.fdopen(os.open(MARK, flags, 0o666, dir_fd=descriptor), "w", encoding="utf-8") as file:
            file.write(_SIGN.format(what))


def marked(folder: Path, what: str | None = None) -> bool:
    """Whether a folder has our mark, as `what` if that is given; a link to one has none."""
    try:
        with _opened(folder) as descriptor:
            return _has_mark(descriptor, what)
    except OSError:
        return False


def free(folder: Path) -> bool:
    """Whether nothing of anybody's lies at a path: nothing at all, or an empty folder that is no link.

    Raises:
        OSError: what is there can't be looked into.
    """
    try:
        with _opened(folder) as descriptor:
            return not os.listdir(descriptor)
    except FileNotFoundError:
        return not os.path.lexists(folder)
    except OSError:
        if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir()):
            return False
        raise


def remove_folder(folder: Path) -> None:
    """Deletes a marked folder with all that it holds, the mark last; nothing happens where there is none.

    Raises:
        ExplorerError: it is a link, or has no mark.
        OSError: something in it can't be deleted.
    """
    with contextlib.suppress(FileNotFoundError), _ours(folder) as descriptor:
        for entry in _entries(descriptor):
            if stat.S_ISDIR(os.stat(entry, dir_fd=descriptor, follow_symlinks=False).st_mode):
                shutil.rmtree(entry, dir_fd=descriptor)
            else:
                os.unlink(entry, dir_fd=descriptor)
        _drop(folder, descriptor)


def remove_files(folder: Path, which: Callable[[str], bool]) -> None:
    """Deletes those files of a marked folder, and the folder with its mark where nothing else is in it.

    Raises:
        ExplorerError: it is a link, or has no mark.
        OSError: something in it can't be deleted.
    """
    with contextlib.suppress(FileNotFoundError), _ours(folder) as descriptor:
        for entry in filter(which, _entries(descriptor)):
            if not stat.S_ISDIR(os.stat(entry, dir_fd=descriptor, follow_symlinks=False).st_mode):
                os.unlink(entry, dir_fd=descriptor)
        if not _entries(descriptor):
            _drop(folder, descriptor)


def drop_empty(folder: Path) -> None:
    """Deletes a folder if it is empty."""
    with contextlib.suppress(OSError):
        folder.rmdir()


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    """The descriptor of a folder that is no link."""
    descriptor = os.open(folder, _FOLDER)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _ours(folder: Path) -> Iterator[int]:
    """The descriptor of a folder with our mark.

    Raises:
        ExplorerError: it is a link, no folder, or has no mark.
    """
    if folder.is_symlink() or not folder.is_dir():
        if not os.path.lexists(folder):
            raise FileNotFoundError(folder)
        raise ExplorerError(f"{folder} is no folder of this program: it stays as it is")
    with _opened(folder) as descriptor:
        if not _has_mark(descriptor):
            raise ExplorerError(f"{folder} was not made by this program: it stays as it is")
        yield descriptor


def _has_mark(descriptor: int, what: str | None = None) -> bool:
    start, end = _SIGN.split("{}")
    try:
        file = os.open(MARK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    except OSError:
        return False
    with os.fdopen(file, "rb") as opened:
        text = opened.read(400).decode("utf-8", "replace") if stat.S_ISREG(os.fstat(file).st_mode) else ""
    return text == _SIGN.format(what) if what else text.startswith(start) and text.endswith(end)


def _entries(descriptor: int) -> list[str]:
    """What a folder holds besides the mark."""
    return [entry for entry in os.listdir(descriptor) if entry != MARK]


def _drop(folder: Path, descriptor: int) -> None:
    """Deletes a folder that holds nothing but its mark."""
    os.unlink(MARK, dir_fd=descriptor)
    folder.rmdir()
