"""Files from browsers: a folder for each workspace, which goes with it, and limits over all of them."""

import contextlib
import re
import secrets
import threading
from collections.abc import Collection
from pathlib import Path

from filelock import FileLock, Timeout

from explorer.errors import ExplorerError
from explorer.files import replacing_file
from explorer.memory import in_words
from explorer.runs.queue.limits import UPLOADS, Limits, require_room, share, size_of
from explorer.sources.suffixes import WEIGHTS
from explorer.sources.weights.foreign import foreign
from explorer.ui.state.workspace import TOKEN

LARGEST = 200 * 2**20
KEPT = 5  # of one workspace
_OURS = re.compile(  # also those that never became whole
    rf"\.?[0-9a-f]{{16}}(?:{'|'.join(map(re.escape, WEIGHTS))})(?:\.[0-9a-f]{{8}})?"
)
_LOCK = ".lock"


class Uploads:
    """The uploads of one server, each workspace's in ``root/uploads/<token>/``.

    Several servers may share the folder: a lock in each workspace's says that its server lives.

    Args:
        root: the folder of runs.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._place = root / "uploads"
        self._locks: dict[str, FileLock] = {}
        self._turn = threading.RLock()

    def folder(self, token: str) -> Path:
        """Where a workspace's uploads lie."""
        return self._place / token

    def save(
        self,
        name: str,
        content: bytes,
        token: str,
        limits: Limits,
        near: Collection[str] = (),
        used: Collection[str] = (),
    ) -> Path:
        """Writes an upload under a generated name, keeping only the suffix of `name`; the newest few are kept.

        Args:
            near: tokens of the workspaces at the same address.
            used: refs of what is still needed.

        Raises:
            ExplorerError: the suffix is not one of a state dict, the file is empty or too large, there is no room for
                it, or it can't be written.
        """
        suffix = Path(name).suffix.lower()
        if suffix not in WEIGHTS:
            raise ExplorerError(_not_taken(suffix))
        if not 0 < len(content) <= LARGEST:
            raise ExplorerError(
                f"the upload has {len(content):,} bytes: it must be between 1 byte and {in_words(LARGEST)}"
            )
        with self._turn:
            try:
                self._take(token)
                self._thin_out(token, used)
                self._require_room(len(content), near, limits)
                path = self.folder(token) / f"{secrets.token_hex(8)}{suffix}"
                with replacing_file(path) as file:
                    file.write_bytes(content)
            except OSError as error:
                raise ExplorerError(f"the upload can't be kept: {error.strerror}; tell who runs this server") from None
            return path

    def forget(self, token: str) -> None:
        """Deletes the uploads of a workspace that is gone; those of another server stay, and whatever is not ours."""
        with self._turn, contextlib.suppress(OSError):
            folder = self.folder(token)
            if not TOKEN.fullmatch(token) or folder.is_symlink() or not folder.is_dir() or not self._take(token):
                return
            for path in self._files(token):
                path.unlink()
            lock = self._locks.pop(token)
            (folder / _LOCK).unlink()
            lock.release()
            folder.rmdir()  # where nothing else is in it

    def sweep(self, wanted: Collection[str]) -> None:
        """Deletes what earlier servers have left, but for the workspaces that are `wanted`."""
        with contextlib.suppress(OSError):
            for folder in self._place.iterdir():
                if folder.name not in wanted:
                    self.forget(folder.name)

    def _take(self, token: str) -> bool:
        """Whether the workspace's folder is this server's; it is made where there is none."""
        if token in self._locks:
            return True
        folder = self.folder(token)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, thread_local=False)
        try:
            lock.acquire(blocking=False)
        except Timeout:
            return False
        self._locks[token] = lock
        return True

    def _files(self, token: str) -> list[Path]:
        """The uploads of a workspace, oldest first."""
        found = [path for path in self.folder(token).iterdir() if _OURS.fullmatch(path.name) and not path.is_dir()]
        return sorted(found, key=lambda path: path.lstat().st_mtime_ns)

    def _thin_out(self, token: str, used: Collection[str]) -> None:
        """Makes room for one more; what is still needed stays."""
        for old in self._files(token)[: -KEPT + 1]:
            if not any(old.name in ref for ref in used):
                old.unlink()

    def _require_room(self, needed: int, near: Collection[str], limits: Limits) -> None:
        everybody = size_of(self._place)
        here = sum(size_of(self.folder(token)) for token in near)
        for taken, most, whose in (
            (here, share(limits.uploads), "from your address"),
            (everybody, limits.uploads, "on this server"),
        ):
            if taken + needed > most:
                raise ExplorerError(
                    f"the uploads {whose} take {in_words(taken)} of the {in_words(most)} that they may have: "
                    f"use a smaller file, or set {UPLOADS} to more"
                )
        require_room(self._root, limits, needed)


def _not_taken(suffix: str) -> str:
    """Why a file is not taken, by the ending of its name."""
    if told := foreign(suffix):
        return f"the upload can't be opened as a state dict: it is {told}"
    return (
        f"{suffix or 'a file without suffix'} is no state dict: upload what torch.save or safetensors wrote, such as"
        " .pth, .pt, .ckpt, .bin or .safetensors"
    )
