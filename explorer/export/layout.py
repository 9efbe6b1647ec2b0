"""Folders that appear whole or not at all."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from explorer.errors import ExplorerError

REPORT = "report.json"
STEPS = "steps"  # the folder of a bundle that holds the models on the way
SPARSE = "sparse.safetensors"  # of a bundle whose weights are zero here and there
PRUNED_AT = "pruned_at.safetensors"


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """A new folder that takes the place of `directory` when the block ends well, and vanishes when it doesn't.

    An earlier bundle there is replaced, its kept steps with it; files beside it that no bundle has are taken over.
    Until the very end the earlier one stays as it was.

    Raises:
        ExplorerError: `directory` is a file or holds something that is no bundle, or writing fails.
    """
    directory = directory.absolute()
    made: list[Path] = []
    try:
        _refuse(directory)
        made = _make_parents(directory.parent)
        partial = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}.partial")
        partial.mkdir()
        try:
            yield partial
            _swap(partial, directory)
            made = []
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(
            f"can't write {directory}: {reason}; choose a folder that you may write, on a disk with room"
        ) from None
    finally:
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()


def foreign(directory: Path) -> bool:
    """Whether a folder holds files but no bundle, so that it must not be replaced."""
    return directory.is_dir() and any(directory.iterdir()) and not (directory / REPORT).is_file()


def _refuse(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ExplorerError(f"{directory} is a file: name a folder")
    if foreign(directory):
        raise ExplorerError(f"{directory} holds other files: name a new or empty folder")


def _make_parents(folder: Path) -> list[Path]:
    """Creates the folder; the ones that were missing, outermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()][::-1]
    folder.mkdir(parents=True, exist_ok=True)
    return missing


def _swap(partial: Path, directory: Path) -> None:
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
        if path.name not in (STEPS, SPARSE, PRUNED_AT) and not (directory / path.name).exists():
            os.rename(path, directory / path.name)
    shutil.rmtree(earlier, ignore_errors=True)
