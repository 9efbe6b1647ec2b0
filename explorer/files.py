"""Writing that is whole or not there: files and folders that take their place in one step."""

import contextlib
import errno
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

from explorer import owned
from explorer.errors import ExplorerError
from explorer.strict_json import dumps

_UNFINISHED, _EARLIER = ".partial", ".earlier"  # how the hidden folders end that become another, or were it
_OWNER, _ALL = 0o600, 0o666  # modes of a file that is made: its owner's alone, or as the umask has it


@contextlib.contextmanager
def replacing_file(path: Path, *, private: bool = True) -> Iterator[Path]:
    """A new file beside `path` that takes its place when the block ends well, and vanishes when it doesn't.

    Readers see the old file or the new, never a part.

    Args:
        private: whether only the owner may read it; else the umask decides, as for any file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER if private else _ALL))
    try:
        yield temporary
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


@contextlib.contextmanager
def replacing_folder(
    directory: Path, what: str, ours: Callable[[Path], bool], *, dropped: Collection[str] = ()
) -> Iterator[Path]:
    """A new folder beside `directory` that takes its place when the block ends well, and vanishes when it doesn't.

    Until the very end an earlier folder there stays as it was; then what it holds and the new one doesn't is taken
    over. Missing parents are made, and removed again when the block fails.

    Args:
        what: the new folder is, see `explorer.owned`.
        ours: whether a folder that stands there is ours to replace; an empty one always is.
        dropped: names of what is not taken over.

    Raises:
        ExplorerError: what stands there is not ours; it stays as it was.
    """
    directory = directory.absolute()
    made = _make_parents(directory.parent)
    try:
        partial = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}{_UNFINISHED}")
        owned.make_folder(partial, what)
        try:
            yield partial
            _swap(partial, directory, what, ours, dropped)
            made = []
        finally:
            _try_to_remove(partial)
    finally:
        for folder in reversed(made):
            owned.drop_empty(folder)


def remove_unfinished(directory: Path) -> None:
    """Deletes what processes that were killed in `replacing_folder` have left beside a directory.

    An earlier folder that had been moved away, and not been replaced yet, is put back.
    """
    left = re.compile(re.escape(f".{directory.name}.") + r"[0-9a-f]{8}" + f"({_UNFINISHED}|{_EARLIER})")
    for entry in sorted(os.listdir(directory.parent)):
        found = left.fullmatch(entry)
        if found is None:
            continue
        if found[1] == _EARLIER and not os.path.lexists(directory):
            os.rename(directory.with_name(entry), directory)
        elif owned.marked(directory.with_name(entry)):
            _try_to_remove(directory.with_name(entry))


def json_text(document: Any) -> str:
    """A document of plain types as it stands in a file."""
    return dumps(document, indent=1) + "\n"


def write_text(path: Path, text: str) -> None:
    """Replaces the file in one step: readers see the old text or the new, never a part."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Like `write_text`, for a document of plain types."""
    write_text(path, json_text(document))


def check_file(path: Path, ours: Callable[[Path], bool], said: str = "--out") -> None:
    """Refuses a place where no file may be written; nothing is changed.

    Args:
        ours: whether a file that stands there was written by this program, so that it may be replaced.
        said: what a person called the place by.

    Raises:
        ExplorerError: a folder, a link or another file is there, its folder is missing, or can't be written.
    """
    try:
        if path.is_symlink():
            raise ExplorerError(f"{said} {path} is a link: name a file")
        if path.is_dir():
            raise ExplorerError(f"{said} {path} is a folder: name a file in it")
        if path.exists() and not (path.is_file() and ours(path)):
            raise ExplorerError(f"{said} {path} is there already and not of this program: name a new file")
        with tempfile.TemporaryFile(dir=path.absolute().parent):
            pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(f"can't write {said} {path}: {reason}; name a file in a folder of your own") from None


def place(source: Path, path: Path) -> None:
    """Copies a finished file to `path` in one step.

    Raises:
        ExplorerError: the place can't be written; whatever was there is still there.
    """
    try:
        with replacing_file(path) as temporary:
            shutil.copy(source, temporary)  # with its mode: a temporary file is its owner's alone
    except OSError as error:
        raise ExplorerError(f"can't write {path}: {error.strerror}; choose another place") from None


def _make_parents(folder: Path) -> list[Path]:
    """Creates the folder; the ones that were missing, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _swap(partial: Path, directory: Path, what: str, ours: Callable[[Path], bool], dropped: Collection[str]) -> None:
    try:
        os.rename(partial, directory)  # nothing stands there, or an empty folder
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    earlier = partial.with_suffix(_EARLIER)
    os.rename(directory, earlier)
    try:
        if not ours(earlier):  # judged where nobody else puts anything
            raise ExplorerError(f"{directory} holds other files: name a new or empty folder")
        owned.mark(earlier, what)
        os.rename(partial, directory)
    except BaseException:
        os.rename(earlier, directory)
        raise
    for entry in sorted(os.listdir(earlier)):
        if entry not in dropped and not os.path.lexists(directory / entry):
            os.rename(earlier / entry, directory / entry)
    _try_to_remove(earlier)


def _try_to_remove(folder: Path) -> None:
    """Removes a folder that we made; one that can't be removed is hidden, and in nobody's way."""
    with contextlib.suppress(OSError):
        owned.remove_folder(folder)
