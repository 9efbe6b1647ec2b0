"""`folder:PATH`: pictures or texts of your own, in one of the layouts that are known."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from explorer.errors import ExplorerError, one_line
from explorer.sources.refs import Place, path_only
from explorer.sources.registries import FOLDER_LAYOUTS, FolderLayout, data_source
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task


def describe_folder(place: Place) -> Description | None:
    """What the folder's texts are labelled with; None where it holds something else."""
    with _readable(place):
        layout = _layout(place.file)
        return layout.describe(place) if layout.describe else None


@data_source(
    "folder",
    title="A folder",
    explanation="Pictures in a folder for each class, beside their masks or with COCO's boxes, or tables of texts.",
    takes="PATH",
    describe=describe_folder,
    place=path_only,
    rank=80,
)
def open_folder(place: Place, request: InputRequest) -> Task:
    with _readable(place):
        return _layout(place.file).function(place, request)


@contextmanager
def _readable(place: Place) -> Iterator[None]:
    """Says in one line what keeps the folder or the table from being read."""
    try:
        yield
    except OSError as error:
        raise ExplorerError(f"can't read {place.name!r}: {error.strerror or one_line(error)}") from None


def _layout(path: Path) -> FolderLayout:
    """The first that what lies at the path has; the last fits everything."""
    return next(layout for layout in FOLDER_LAYOUTS.values() if layout.fits(path))
