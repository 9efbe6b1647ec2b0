"""Writing that is whole or not there: texts, bytes and copies that take a file's place in one step."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.strict_json import dumps


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """A new file beside `path` that takes its place when the block ends well, and vanishes when it doesn't.

    Readers see the old file or the new, never a part.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(descriptor)
    try:
        yield Path(name)
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def write_text(path: Path, text: str) -> None:
    """Replaces the file in one step: readers see the old text or the new, never a part."""
    with replacing_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, document: Any) -> None:
    """Like `write_text`, for a document of plain types."""
    write_text(path, dumps(document, indent=1) + "\n")


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
