"""What changes when the files behind a ref do."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.own_code import code_places, stamp
from explorer.sources.registries import places

MOST_FILES = 20_000  # of a folder, that are looked at one by one
_FRESH = 1.0  # seconds for which a folder is not walked again
_SPARED = 20  # times what the walk took, for which it is not either
_FOLDERS = 64  # whose walks are remembered


def stamp_of(ref: str) -> str:
    """Changes when a file behind a ref does, so that a cache never answers for an older one.

    Of a file it tells name, size and time of writing; of a folder the same for every file at any depth, and the time of
    every folder in it. Where there are more than `MOST_FILES` files only the folders tell: what is added, removed or
    renamed is noticed, what is overwritten in its place is not. A folder is walked at most once a second, and a walk
    that takes long less often, so that a change deep in it is noticed that much later.
    """
    code = [place.file for place in code_places(ref)]
    paths = [place.path for place in places(ref) if place.path is not None and place.path not in code]
    try:
        return " ".join([*map(stamp, code), *map(_told, paths)])
    except (OSError, ExplorerError):
        return "missing"


def _told(path: Path) -> str:
    return _walk_of(path).stamp() if path.is_dir() else _line(path.name, path.stat())


def _line(name: str, found: os.stat_result) -> str:
    return f"{name} {found.st_size} {found.st_mtime_ns}"


class _Walk:
    """A folder's stamp, which is found anew when the last one is old; threads that ask meanwhile wait for it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._stamp, self._changed, self._until = "", -1, 0.0

    def stamp(self) -> str:
        """The stamp.

        Raises:
            OSError: the folder can't be looked into.
        """
        with self._lock:
            start, changed = time.monotonic(), self._folder.stat().st_mtime_ns
            if changed != self._changed or start >= self._until:
                self._stamp, self._changed = _walked(self._folder), changed
                end = time.monotonic()
                self._until = end + max(_FRESH, _SPARED * (end - start))
            return self._stamp


_walk_of = lru_cache(maxsize=_FOLDERS)(_Walk)


def _walked(root: Path) -> str:
    """A digest of all folders below one, itself among them, and of their files where these are not too many."""
    folders: list[str] = []
    files: list[str] = []
    count = 0
    for folder, found, inside in _below(root):
        folders.append(f"{folder} {found.st_mtime_ns}")
        for entry in inside:
            count += 1
            if count <= MOST_FILES:
                files.append(_stated(entry))
    lines = sorted(folders) + (sorted(files) if count <= MOST_FILES else [])
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _stated(entry: os.DirEntry[str]) -> str:
    try:
        return _line(entry.path, entry.stat())
    except OSError:  # a link that leads nowhere, or a file that has gone meanwhile
        return f"{entry.path} missing"


def _below(root: Path) -> Iterator[tuple[str, os.stat_result, list[os.DirEntry[str]]]]:
    """Every folder below one, itself first, with what lies in it but folders; links are followed, each folder once.

    Raises:
        OSError: the first can't be looked into. One below it that can't be is left out.
    """
    known: set[tuple[int, int]] = set()
    waiting = [os.fspath(root)]
    while waiting:
        folder = waiting.pop()
        try:
            found = os.stat(folder)
            entries = _entries(folder)
        except OSError:
            if not known:
                raise
            continue  # gone meanwhile, or not ours to read: loading it says so
        if (found.st_dev, found.st_ino) in known:
            continue
        known.add((found.st_dev, found.st_ino))
        below = [entry.path for entry in entries if _is_folder(entry)]
        waiting += sorted(below, reverse=True)
        yield folder, found, [entry for entry in entries if not _is_folder(entry)]


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return list(entries)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False
