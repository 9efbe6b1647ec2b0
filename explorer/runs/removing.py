"""Runs deleted at a person's word."""

import os
import re
from pathlib import Path

from filelock import FileLock, Timeout

from explorer import owned
from explorer.errors import ExplorerError
from explorer.export.layout import is_bundle
from explorer.runs.folders import LOCK, PARTIAL, holds_steps, partial
from explorer.runs.queue.claims import LOCK as DESK_LOCK
from explorer.runs.queue.job import BUNDLE

_NAMED = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{12}")  # as the app calls the folders of its runs


def remove_run(root: Path, name: str) -> None:
    """Deletes the folder `name` of the runs in `root`, with all that it holds.

    It is one of ours if it has our mark, holds a bundle or finished steps, or is called as the app calls its runs.

    Raises:
        ExplorerError: there is none, it is not directly in `root`, is not ours, or somebody is at it.
    """
    folder = root / name
    if name in ("", ".", "..") or Path(name).name != name or "\0" in name:
        raise ExplorerError(f"{name!r} is no name of a run's folder in {root}: name one that the command runs lists")
    if not os.path.lexists(folder):
        raise ExplorerError(f"there is no {name!r} in {root}: name one that the command runs lists")
    if not _is_run(folder):
        raise ExplorerError(f"{folder} is not certainly a run of this program: look at it, and delete it yourself")
    locks = [folder / DESK_LOCK, *(place / LOCK for place in (folder, partial(folder), partial(folder / BUNDLE)))]
    try:
        for path in locks:
            _nobody_is_at(path, folder)
        owned.mark(folder, owned.RUN)
        owned.remove_folder(folder)
    except OSError as error:
        raise ExplorerError(f"can't delete {folder}: {error.strerror}; delete it yourself") from None


def _is_run(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    if owned.marked(folder) or _NAMED.fullmatch(folder.name) or is_bundle(folder):
        return True
    return folder.name.endswith(PARTIAL) and holds_steps(folder)


def _nobody_is_at(path: Path, folder: Path) -> None:
    if path.is_symlink() or not path.is_file():
        return
    try:
        with FileLock(path, timeout=0):
            pass
    except Timeout:
        raise ExplorerError(f"the run in {folder} is under way: cancel it first") from None
