"""Where a bundle lies, which folders may become one, and the names in it that others ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from explorer.errors import ExplorerError
from explorer.export.registry import FORMATS
from explorer.files import replacing_folder

REPORT = "report.json"
STEPS = "steps"  # the folder of a bundle that holds the models on the way
SPARSE = "sparse.safetensors"  # of a bundle whose weights are zero here and there
PRUNED_AT = "pruned_at.safetensors"


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """A new folder that takes the place of `directory` when the block ends well, and vanishes when it doesn't.

    An earlier bundle there is replaced, with all that it has in any format; files that no bundle has are taken over.
    Until the very end the earlier one stays as it was.

    Raises:
        ExplorerError: `directory` is a file or holds something that is no bundle, or writing fails.
    """
    try:
        _refuse(directory.absolute())
        files = [entry.file.rstrip("/") for entry in FORMATS.declared().values()]
        with replacing_folder(directory, dropped=files) as partial:
            yield partial
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(
            f"can't write {directory.absolute()}: {reason}; choose a folder that you may write, on a disk with room"
        ) from None


def foreign(directory: Path) -> bool:
    """Whether a folder holds files but no bundle, so that it must not be replaced."""
    return directory.is_dir() and any(directory.iterdir()) and not (directory / REPORT).is_file()


def _refuse(directory: Path) -> None:
    if directory.exists() and not directory.is_dir():
        raise ExplorerError(f"{directory} is a file: name a folder")
    if foreign(directory):
        raise ExplorerError(f"{directory} holds other files: name a new or empty folder")
