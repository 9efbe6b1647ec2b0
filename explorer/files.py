"""Writing that is whole or not there: files and folders that take their place in one step."""

import contextlib
import os
import secrets
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.strict_json import dumps

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
def replacing_folder(directory: Path, *, dropped: Collection[str] = ()) -> Iterator[Path]:
    """A new folder beside `directory` that takes its place when the block ends well, and vanishes when it doesn't.

    Until the very end an earlier folder there stays as it was; then what it holds and the new one doesn't is taken
    over. Missing parents are made, and removed again when the block fails.

    Args:
        dropped: names of what is not taken over.
    """
    directory = directory.absolute()
    made = _make_parents(directory.parent)
    try:
        partial = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}.partial")
        partial.mkdir()
        try:
            yield partial
            _swap(partial, directory, dropped)
            made = []
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


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


def _swap(partial: Path, directory: Path, dropped: Collection[str]) -> None:
    if not directory.exists():
        partial.rename(directory)
        return
    earlier = partial.with_suffix(".earlier")
    directory.rename(earlier)
    try:
        partial.rename(directory)
    except OSError:
        earlier.rename(directory)
        raise
    for path in earlier.iterdir():
        if path.name not in dropped and not (directory / path.name).exists():
            os.rename(path, directory / path.name)
    shutil.rmtree(earlier, ignore_errors=True)
