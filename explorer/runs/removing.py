"""Runs deleted at a person's word, and nothing else with them."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from explorer import owned
from explorer.errors import ExplorerError
from explorer.export.layout import is_bundle
from explorer.export.registry import FORMATS
from explorer.runs.folders import LOCK, PARTIAL, holds_steps, partial
from explorer.runs.history.lineage import RunRecord
from explorer.runs.identity import folder_of
from explorer.runs.labels import LABEL, home_of
from explorer.runs.queue.claims import LOCK as DESK_LOCK
from explorer.runs.queue.job import BUNDLE

UNDER_WAY = ("queued", "running")  # states of a run that is not to be disturbed
_NAMED = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{12}")  # as the app calls the folders of its runs
_TORN = re.compile(r"\.[\w.-]+\.[0-9a-f]{8}")  # a file that was being written when its process was killed


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


def remove(run: RunRecord, others: Sequence[RunRecord]) -> Path:
    """Deletes a run with all that it holds, and gives the folder that went.

    Args:
        run: as it was read.
        others: all runs that may have started from it.

    Raises:
        ExplorerError: somebody is at it, a run that is under way started from it, its folder is not certainly ours, or
            holds what no run has written.
    """
    home = home_of(run.folder)
    folder = home if os.path.lexists(home) else partial(home)
    for other in others:
        if other.state in UNDER_WAY and other.parent and folder_of(other.parent).is_relative_to(folder.absolute()):
            raise ExplorerError(f"{other.name} is under way and began with {run.name}: wait for it, or cancel it first")
    if is_bundle(folder) and (foreign := _foreign(folder)):
        raise ExplorerError(f"{folder} also holds {foreign!r}, which no run writes: move that away first")
    remove_run(folder.parent, folder.name)
    return folder


def _foreign(bundle: Path) -> str | None:
    """Something in a bundle that is not of it; None where there is nothing."""
    parts = {owned.MARK, LABEL, LOCK, *(entry.file.rstrip("/") for entry in FORMATS.declared().values())}
    return next((name for name in sorted(os.listdir(bundle)) if name not in parts and not _TORN.fullmatch(name)), None)


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
