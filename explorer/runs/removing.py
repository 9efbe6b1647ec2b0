"""Runs deleted at a person's word, and nothing else with them."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from explorer import owned
from explorer.errors import ExplorerError
from explorer.export.layout import is_bundle
from explorer.export.registry import FORMATS
from explorer.runs.folders import LOCK, PARTIAL, holds_steps, kept, partial
from explorer.runs.history.lineage import RunRecord
from explorer.runs.identity import folder_of
from explorer.runs.labels import LABEL, home_of
from explorer.runs.queue.claims import LOCK as DESK_LOCK
from explorer.runs.queue.job import AGREEMENT, BUNDLE, EVENTS, FILE, SCORES

UNDER_WAY = ("queued", "running")  # states of a run that is not to be disturbed
_NAMED = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{12}")  # as the app calls the folders of its runs
_TORN = re.compile(r"\.[\w.-]+\.[0-9a-f]{8}")  # a file that was being written when its process was killed
_UNFINISHED = re.compile(rf"\.{BUNDLE}\.[0-9a-f]{{8}}\.(partial|earlier)")  # a bundle of which the same is true
_JOB_PARTS = {LABEL, FILE, EVENTS, DESK_LOCK, BUNDLE, BUNDLE + PARTIAL, SCORES, AGREEMENT}


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
    _check_free(folder)
    try:
        owned.mark(folder, owned.RUN)
        owned.remove_folder(folder)
    except OSError as error:
        raise ExplorerError(f"can't delete {folder}: {error.strerror}; delete it yourself") from None


def remove(runs: Sequence[RunRecord], others: Sequence[RunRecord]) -> list[Path]:
    """Deletes runs with all that they hold, and gives the folders that went; nothing goes where one of them may not.

    Args:
        runs: as they were read.
        others: all runs that may have started from them.

    Raises:
        ExplorerError: somebody is at one, a run that is under way started from it, its folder is not certainly ours, or
            holds what no run has written; or one could not be deleted, with those that are gone already.
    """
    folders = [_checked(run, others) for run in runs]
    gone: list[Path] = []
    for folder in folders:
        try:
            remove_run(folder.parent, folder.name)
        except ExplorerError as error:
            told = f"; deleted already: {', '.join(map(str, gone))}" if gone else ""
            raise ExplorerError(f"{error}{told}") from None
        gone.append(folder)
    return gone


def _checked(run: RunRecord, others: Sequence[RunRecord]) -> Path:
    """The folder that goes with a run.

    Raises:
        ExplorerError: it must not go.
    """
    home = home_of(run.folder)
    folder = home if os.path.lexists(home) else partial(home)
    for other in others:
        if other.state in UNDER_WAY and other.parent and folder_of(other.parent).is_relative_to(folder.absolute()):
            raise ExplorerError(f"{other.name} is under way and began with {run.name}: wait for it, or cancel it first")
    _check_free(folder)
    if (foreign := _foreign(folder)) is not None:
        raise ExplorerError(f"{foreign.parent} also holds {foreign.name!r}, which no run writes: move that away first")
    return folder


def _check_free(folder: Path) -> None:
    """Refuses a folder that is not certainly a run of ours, and one at which somebody is."""
    if not _is_run(folder):
        raise ExplorerError(f"{folder} is not certainly a run of this program: look at it, and delete it yourself")
    locks = [folder / DESK_LOCK, *(place / LOCK for place in (folder, partial(folder), partial(folder / BUNDLE)))]
    try:
        for path in locks:
            _nobody_is_at(path, folder)
    except OSError as error:
        raise ExplorerError(f"can't look at {folder}: {error.strerror}; delete it yourself") from None


def _foreign(folder: Path) -> Path | None:
    """Something in a run's folder, or in those of its parts, that no run writes; None where there is nothing."""
    if os.path.lexists(folder / FILE):
        bundle = folder / BUNDLE
        return _other(folder, _of_job) or _other(bundle, _of_bundle) or _other(partial(bundle), _of_steps)
    return _other(folder, _of_steps if folder.name.endswith(PARTIAL) and not is_bundle(folder) else _of_bundle)


def _other(folder: Path, own: Callable[[str], bool]) -> Path | None:
    """The first thing in a folder that is not called as its `own`; None also where there is no folder."""
    if folder.is_symlink() or not folder.is_dir():
        return None
    try:
        names = sorted(os.listdir(folder))
    except OSError as error:
        raise ExplorerError(f"can't look into {folder}: {error.strerror}; delete it yourself") from None
    return next((folder / name for name in names if name != owned.MARK and not own(name)), None)


def _of_job(name: str) -> bool:
    return name in _JOB_PARTS or bool(_TORN.fullmatch(name) or _UNFINISHED.fullmatch(name))


def _of_bundle(name: str) -> bool:
    files = (entry.file.rstrip("/") for entry in FORMATS.declared().values())
    return name in (LABEL, LOCK, *files) or bool(_TORN.fullmatch(name))


def _of_steps(name: str) -> bool:
    return name == LOCK or kept(name)


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
