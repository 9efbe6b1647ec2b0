"""Where a bundle lies, which folders may become one, and the names in it that others ask for."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from explorer import owned
from explorer.errors import ExplorerError
from explorer.export.registry import FORMATS
from explorer.files import replacing_folder
from explorer.reading import read_object

REPORT = "report.json"
STEPS = "steps"  # the folder of a bundle that holds the models on the way
SPARSE = "sparse.safetensors"  # of a bundle whose weights are zero here and there
PRUNED_AT = "pruned_at.safetensors"
PLAN = "plan.json"
WEIGHTS = "weights.safetensors"


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """A new folder that takes the place of `directory` when the block ends well, and vanishes when it doesn't.

    An earlier bundle there is replaced, with all that it has in any format; files that no bundle has are taken over.
    Until the very end the earlier one stays as it was.

    Raises:
        ExplorerError: `directory` may not become a bundle, see `check_place`, or writing fails.
    """
    check_place(directory)
    try:
        files = [entry.file.rstrip("/") for entry in FORMATS.declared().values()]
        with replacing_folder(directory, owned.BUNDLE, is_bundle, dropped=files) as partial:
            yield partial
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(
            f"can't write {directory.absolute()}: {reason}; choose a folder that you may write, on a disk with room"
        ) from None


def check_place(directory: Path, said: str = "") -> None:
    """Refuses a folder that may not become a bundle; nothing is changed.

    A bundle's place is free, or an earlier bundle, see `is_bundle`. It has a name of its own, is no link, and lies in
    no folder that this program deletes by itself: that of finished steps, or of a bundle's parts.

    Args:
        said: what a person called it by, such as "--out".

    Raises:
        ExplorerError: it may not, or can't be looked at.
    """
    named = f"{said} {directory}".lstrip()
    try:
        if directory.name in ("", ".."):
            raise ExplorerError(f"{named} has no name of its own: name a new folder in it")
        if directory.is_symlink():
            raise ExplorerError(f"{named} is a link: name the folder that it leads to, or a new one")
        if directory.exists() and not directory.is_dir():
            raise ExplorerError(f"{named} is a file: name a folder")
        if not owned.free(directory) and not is_bundle(directory):
            raise ExplorerError(f"{named} holds other files: name a new or empty folder")
        parts = {entry.file.rstrip("/") for entry in FORMATS.declared().values() if entry.file.endswith("/")}
        for path in directory.absolute().parents:
            if owned.marked(path, owned.STEPS) or (path.name in parts and is_bundle(path.parent)):
                raise ExplorerError(f"{named} lies in {path}, which goes with its run: name a folder elsewhere")
    except (OSError, ValueError) as error:  # it can't be looked at, has a NUL or is too long
        reason = getattr(error, "strerror", None) or error
        raise ExplorerError(f"can't write to {named}: {reason}; name a folder that you may write") from None


def is_bundle(directory: Path) -> bool:
    """Whether a folder is a bundle of this program.

    It has our mark; or, made by a version without it, weights and a report that is ours: a JSON object with the `model`
    that was cut, the `attributes` that its layers were given, and either what `run:` refs read (`architecture` with its
    family and name, `title`, `input_shape`) or the `change` that the Python interface tells of.
    """
    if owned.marked(directory, owned.BUNDLE):
        return True
    if directory.is_symlink() or not (directory / WEIGHTS).is_file():
        return False
    try:
        report = read_object(directory / REPORT)
    except (OSError, ExplorerError):
        return False
    loads = (
        isinstance(report.get("architecture"), dict)
        and {"family", "name"} <= report["architecture"].keys()
        and isinstance(report.get("title"), str)
        and isinstance(report.get("input_shape"), list)
    )
    told = isinstance(report.get("model"), str) and isinstance(report.get("attributes"), dict)
    return told and (loads or isinstance(report.get("change"), dict))
