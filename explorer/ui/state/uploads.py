"""Files from browsers: a folder for each workspace, which goes with it, and limits over all of them."""

import contextlib
import os
import re
import secrets
import threading
import time
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from filelock import FileLock, Timeout

from explorer import owned
from explorer.errors import ExplorerError
from explorer.files import replacing_file, replacing_folder
from explorer.memory import in_words
from explorer.progress import Report, silent
from explorer.runs.queue.limits import UPLOADS, Limits, require_room, share, size_of
from explorer.sources.reading.picture_files import EXTENSIONS
from explorer.sources.reading.zipped_pictures import zipped_pictures
from explorer.sources.suffixes import WEIGHTS
from explorer.sources.weights.foreign import foreign
from explorer.ui.state.workspace import TOKEN

LARGEST = 200 * 2**20
KEPT = 5  # of one workspace
PICTURES = (".zip",)  # suffixes of archives of pictures
_NO_PICTURES = "the upload is no ZIP: pack the folder of pictures as a .zip"
_OURS = re.compile(  # also those that never became whole
    rf"\.?[0-9a-f]{{16}}(?:{'|'.join(map(re.escape, (*WEIGHTS, *PICTURES)))})(?:\.[0-9a-f]{{8}})?"
)
_UNFINISHED = re.compile(r"\.[0-9a-f]{16}\.[0-9a-f]{8}\.partial")
_ID = re.compile(r"[0-9a-f]{16}")
_LOCK = ".lock"
_LOOK = 0.5  # seconds after which a line is told that it waits
_TITLE = 40  # characters


@dataclass(frozen=True)
class Archive:
    """Pictures that were uploaded in a ZIP, which is to be unpacked.

    Args:
        path: of the ZIP among the uploads.
        name: that a person calls it by.
    """

    path: Path
    name: str

    @property
    def folder(self) -> Path:
        """Where its pictures will lie, in the upload's own folder: called as the ZIP, as far as that is harmless."""
        words = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", Path(self.name).stem))
        return self.path.with_suffix("") / (words.strip("-_")[:_TITLE] or "pictures")


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
        self._unpacking = threading.Lock()  # one archive at a time, so that pages stay quick; never under the turn
        self._coming: dict[Path, int] = {}  # folders that are being unpacked, and the bytes that they will have
        self._left: set[str] = set()  # workspaces that have left meanwhile
        self._whole: dict[Path, int] = {}  # folders that were unpacked, which never change, and their bytes
        self._aside: list[Path] = []  # folders that are no upload any more, to be deleted without the turn
        self._clearing = threading.Lock()  # taken before the turn, never under it

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
        taken: Collection[str] = WEIGHTS,
    ) -> Path:
        """Writes an upload under a generated name, keeping only the suffix of `name`; the newest few are kept.

        Folders that leave for it are only put aside, which is quick: `clear` deletes them.

        Args:
            near: tokens of the workspaces at the same address.
            used: refs of what is still needed.
            taken: the suffixes that it may have: those of state dicts, or `PICTURES`.

        Raises:
            ExplorerError: it has another suffix, the file is empty or too large, there is no room for it, or it can't
                be written.
        """
        suffix = Path(name).suffix.lower()
        if suffix not in taken:
            raise ExplorerError(_not_taken(suffix) if taken is WEIGHTS else _NO_PICTURES)
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
                raise ExplorerError(_not_kept(error)) from None
            return path

    def unpack(
        self, archive: Archive, limits: Limits, near: Collection[str] = (), report: Report = silent
    ) -> tuple[Path, int]:
        """Unpacks an archive into a folder that takes its place among the uploads, whole or not at all.

        The archive goes, also where it can't be unpacked; one whose unpacking was interrupted can be unpacked again.

        Args:
            near: tokens of the workspaces at the same address.

        Returns:
            where the pictures lie, and how many files in the archive were left out.

        Raises:
            ExplorerError: it is not one of pictures (see `zipped_pictures`), there is no room for it, or it can't be
                written.
        """
        with self._in_line(report):
            if archive.folder.is_dir():  # unpacked before what came next was interrupted
                return archive.folder, 0
            try:
                others = self._unpacked(archive, limits, near, report)
            except OSError as error:
                archive.path.unlink(missing_ok=True)
                raise ExplorerError(_not_kept(error)) from None
            except ExplorerError:
                archive.path.unlink(missing_ok=True)
                raise
            archive.path.unlink(missing_ok=True)
            return archive.folder, others

    def pictures(self, token: str) -> list[Path]:
        """The folders that a workspace's archives were unpacked into, newest first."""
        with contextlib.suppress(OSError):
            found = [path for path in self._files(token) if _ID.fullmatch(path.name)]
            return [inner for path in reversed(found) for inner in path.iterdir() if inner.is_dir()]
        return []

    def forget(self, token: str) -> None:
        """Deletes the uploads of a workspace that is gone; those of another server stay, and whatever is not ours.

        What is being unpacked for it goes as soon as that is noticed, with all the rest.
        """
        if self._put_aside(token):
            self.clear()
            self._release(token)

    def sweep(self, wanted: Collection[str]) -> None:
        """Deletes what earlier servers have left: all, but for the workspaces that are `wanted` only what is not whole.

        It may take a while, and go on beside everything else.
        """
        for folder in list(self._place.iterdir()) if self._place.is_dir() else ():
            token, leaves = folder.name, False
            with self._turn, contextlib.suppress(OSError):
                if token in self._locks:  # of a workspace of this server
                    continue
                if token not in wanted:
                    leaves = self._put_aside(token)
                elif TOKEN.fullmatch(token) and not folder.is_symlink() and self._take(token):
                    self._locks.pop(token).release()
            self.clear()
            if leaves:
                self._release(token)

    def clear(self) -> None:
        """Deletes the folders that were put aside; it may take a while, and go on beside everything else.

        What can't be deleted is left to the next server.
        """
        with self._clearing:
            with self._turn:
                aside, self._aside = self._aside, []
            for path in aside:
                with contextlib.suppress(OSError):
                    _delete(path)

    @contextlib.contextmanager
    def _in_line(self, report: Report) -> Iterator[None]:
        while not self._unpacking.acquire(timeout=_LOOK):
            report(0.0, "waiting until another upload is unpacked")
        try:
            yield
        finally:
            self._unpacking.release()

    def _unpacked(self, archive: Archive, limits: Limits, near: Collection[str], report: Report) -> int:
        """How many files were left out of an archive that is now unpacked.

        Raises:
            ExplorerError, OSError: see `unpack`.
        """
        folder = archive.folder.parent
        with (
            zipped_pictures(archive.path) as pictures,
            self._reserved(folder, pictures.size, near, limits),
            replacing_folder(folder, owned.UPLOAD, lambda _: False) as partial,
        ):
            partial.chmod(0o700)  # as uploaded files are: their owner's alone
            pictures.unpack(partial / archive.folder.name, report)
            self._whole[folder] = size_of(partial)
        return pictures.others

    @contextlib.contextmanager
    def _reserved(self, folder: Path, size: int, near: Collection[str], limits: Limits) -> Iterator[None]:
        """Keeps room for a folder, and whoever thins out or forgets away from it, until it is whole or given up."""
        token = folder.parent.name
        with self._turn:
            self._require_room(size, near, limits)
            self._coming[folder] = size
        try:
            yield
        finally:
            with self._turn:
                del self._coming[folder]
                gone = token in self._left
                self._left.discard(token)
            if gone:
                self.forget(token)
        if gone:
            raise ExplorerError("this workspace has made room for others: reload the page and upload the ZIP again")

    def _take(self, token: str) -> bool:
        """Whether the workspace's folder is this server's; it is made where there is none.

        What a server that was killed had not unpacked, or not deleted, to the end goes with the next `clear`.
        """
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
        self._aside += [path for path in folder.iterdir() if _UNFINISHED.fullmatch(path.name)]
        return True

    def _put_aside(self, token: str) -> bool:
        """Takes all uploads away from a workspace, quickly; `clear` and `_release` then do the rest.

        Returns:
            whether there is a rest: not where the folder isn't ours, nor while something is unpacked into it.
        """
        with self._turn, contextlib.suppress(OSError):
            folder = self.folder(token)
            if not TOKEN.fullmatch(token) or folder.is_symlink() or not folder.is_dir() or not self._take(token):
                return False
            if any(path.parent == folder for path in self._coming):
                self._left.add(token)
                return False
            for path in self._files(token):
                self._drop(path)
            return True
        return False

    def _release(self, token: str) -> None:
        """Gives up the folder of a workspace that has left, unless it has come back with an upload meanwhile."""
        with self._turn, contextlib.suppress(OSError):
            if token in self._locks and not self._files(token):
                lock, folder = self._locks.pop(token), self.folder(token)
                (folder / _LOCK).unlink()
                lock.release()
                folder.rmdir()  # where nothing else is in it

    def _drop(self, upload: Path) -> None:
        """Deletes a file; a folder, which may hold very many, is put aside under the name of what is not whole.

        Raises:
            OSError: it can't be deleted or renamed.
        """
        if upload.is_dir():
            aside = upload.with_name(f".{upload.name}.{secrets.token_hex(4)}.partial")
            os.rename(upload, aside)
            self._aside.append(aside)
        else:
            upload.unlink()

    def _files(self, token: str) -> list[Path]:
        """The uploads of a workspace, oldest first."""
        found = [path for path in self.folder(token).iterdir() if _is_upload(path)]
        return sorted(found, key=lambda path: path.lstat().st_mtime_ns)

    def _thin_out(self, token: str, used: Collection[str]) -> None:
        """Makes room for one more; what is still needed, or comes just now, stays."""
        needed = [*used, *(path.name for path in self._coming)]
        for old in self._files(token)[: -KEPT + 1]:
            if not any(_id(old) in ref for ref in needed):
                self._drop(old)

    def _require_room(self, needed: int, near: Collection[str], limits: Limits) -> None:
        """Refuses what there is no room for.

        Raises:
            ExplorerError: the uploads of an address or of all would be too large, or the folder of runs or its disk
                full; there what is unpacked just now counts as if none of it were on the disk yet.
        """
        coming, sizes = sum(self._coming.values()), self._sizes()
        everybody = sizes.total()
        here = sum(sizes[token] for token in set(near))
        for taken, most, whose in (
            (here, share(limits.uploads), "from your address"),
            (everybody, limits.uploads, "on this server"),
        ):
            if taken + needed > most:
                raise ExplorerError(
                    f"the uploads {whose} take {in_words(taken)} of the {in_words(most)} that they may have: "
                    f"use a smaller file, or set {UPLOADS} to more"
                )
        require_room(self._root, limits, needed + coming)

    def _sizes(self) -> Counter[str]:
        """Bytes of each workspace's uploads: of what is being unpacked, all that it will have; of what leaves, none."""
        sizes, whole = Counter[str](), {}
        for folder in _within(self._place):
            for path in _within(folder):
                if path in self._coming or (folder.name in self._locks and _UNFINISHED.fullmatch(path.name)):
                    continue
                size = self._whole[path] if path in self._whole else _bytes(path)
                if _ID.fullmatch(path.name):
                    whole[path] = size
                sizes[folder.name] += size
        self._whole = whole
        for path, size in self._coming.items():
            sizes[path.parent.name] += size
        return sizes


def told(folder: Path) -> str:
    """What tells unpacked folders of one name apart: how many pictures they hold, and since when."""
    try:
        when = folder.parent.stat().st_mtime
    except OSError:
        return "deleted meanwhile"
    return f"{_count(folder):,} pictures, uploaded {time.strftime('%d %b %H:%M:%S', time.localtime(when))}"


@lru_cache(1000)
def _count(folder: Path) -> int:
    """The pictures below a folder that was unpacked, which never changes."""
    return sum(Path(name).suffix.lower() in EXTENSIONS for _, _, names in os.walk(folder) for name in names)


def _id(upload: Path) -> str:
    """What all names of one upload have in common: the archive's, and the folder's that it is unpacked into."""
    return upload.name.lstrip(".")[:16]


def _within(folder: Path) -> list[Path]:
    """What lies in a folder; nothing where it is a link, or can't be seen."""
    with contextlib.suppress(OSError):
        return [] if folder.is_symlink() else list(folder.iterdir())
    return []


def _bytes(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where it has been deleted meanwhile."""
    with contextlib.suppress(OSError):
        return size_of(path) if path.is_dir() and not path.is_symlink() else path.lstat().st_size
    return 0


def _is_upload(path: Path) -> bool:
    """Whether a path is a file that a browser has uploaded, or a folder that one was unpacked into."""
    if path.is_dir():
        return _ID.fullmatch(path.name) is not None and owned.marked(path, owned.UPLOAD)
    return _OURS.fullmatch(path.name) is not None


def _delete(path: Path) -> None:
    """Deletes an upload, or what was unpacked of one.

    Raises:
        OSError: it can't be deleted.
    """
    if not path.is_dir() or path.is_symlink():
        path.unlink()
    elif owned.marked(path, owned.UPLOAD):
        owned.remove_folder(path)
    else:
        owned.drop_empty(path)  # made, and not marked yet


def _not_kept(error: OSError) -> str:
    return f"the upload can't be kept: {error.strerror}; tell who runs this server"


def _not_taken(suffix: str) -> str:
    """Why a file is not taken, by the ending of its name."""
    if told := foreign(suffix):
        return f"the upload can't be opened as a state dict: it is {told}"
    return (
        f"{suffix or 'a file without suffix'} is no state dict: upload what torch.save or safetensors wrote, such as"
        " .pth, .pt, .ckpt, .bin or .safetensors"
    )
