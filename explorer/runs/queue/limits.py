"""What all people of one server may take together, and one of them alone: asked before anything is taken."""

import os
import re
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.memory import amount, in_words

WAITING, WORKSPACES, PAGES = "EXPLORER_WAITING", "EXPLORER_WORKSPACES", "EXPLORER_PAGES"
UPLOADS, DISK = "EXPLORER_UPLOADS", "EXPLORER_DISK"
_FRESH = 10.0  # seconds for which the size of a folder is taken as known
_FLOOR = 2**30  # bytes of a disk that are left free, or 2 % of a small one


@dataclass(frozen=True)
class Limits:
    """Of one server. From one address may come half of each: a class of forty behind one router has room in that.

    Args:
        waiting: jobs that wait, of all people.
        own_waiting: those of one workspace.
        workspaces: kept in memory; beyond it those leave that hold nothing, then those unused for longest.
        pages: open at once in browsers.
        uploads: bytes of uploaded files on the disk; a quarter of it may be in memory at once.
        disk: bytes that the folder of runs may have; None for half of its disk.
    """

    waiting: int = 640
    own_waiting: int = 8
    workspaces: int = 500
    pages: int = 600
    uploads: int = 8 * 2**30
    disk: int | None = None

    @classmethod
    def of_environment(cls) -> "Limits":
        """The usual ones, except for those that the environment says.

        Raises:
            ExplorerError: a variable holds no number, or no amount.
        """
        counts = {"waiting": WAITING, "workspaces": WORKSPACES, "pages": PAGES}
        found = {name: _count(switch) for name, switch in counts.items()}
        found |= {"uploads": amount(UPLOADS), "disk": amount(DISK)}
        return cls(**{name: value for name, value in found.items() if value is not None})


def share(limit: int) -> int:
    """What of a limit may come from one address."""
    return max(1, limit // 2)


def require_room(root: Path, limits: Limits, needed: int = 0) -> None:
    """Refuses what would fill the folder of runs, or its disk, before any of it is written.

    Args:
        needed: bytes that will be written, where that is known.

    Raises:
        ExplorerError: there is no room.
    """
    place = next(path for path in (root, *root.parents) if path.exists())
    disk = shutil.disk_usage(place)
    most = disk.total // 2 if limits.disk is None else limits.disk
    advice = f"delete folders of old runs in {root}"
    if (taken := _taken(root)) + needed >= most:
        raise ExplorerError(
            f"the runs on this server take {in_words(taken)} of the {in_words(most)} that they may have: "
            f"{advice}, or set {DISK} to more"
        )
    if disk.free - needed < min(_FLOOR, disk.total // 50):
        raise ExplorerError(f"the server's disk has only {in_words(disk.free)} left: {advice}")


def size_of(folder: Path) -> int:
    """Bytes of all files below a folder, as far as they can be seen; no link is followed."""
    size, folders = 0, [str(folder)]
    while folders:
        try:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except OSError:  # deleted meanwhile, or not ours to see
            continue
    return size


_sizes: dict[Path, tuple[float, int]] = {}
_measuring = threading.Lock()


def _taken(root: Path) -> int:
    """The folder's size, measured again where that was a while ago: with thousands of runs it takes a moment."""
    with _measuring:
        when, size = _sizes.get(root, (-_FRESH, 0))
        if time.monotonic() - when >= _FRESH:
            size = size_of(root)
            _sizes[root] = time.monotonic(), size
        return size


def _count(switch: str) -> int | None:
    text = os.environ.get(switch, "").strip()
    if not text:
        return None
    if not re.fullmatch("0*[1-9][0-9]{0,8}", text):
        raise ExplorerError(f"{switch}={text!r} is no number of one or more: write 100, for example")
    return int(text)
