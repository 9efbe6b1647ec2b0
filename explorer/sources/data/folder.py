"""`folder:PATH`: pictures or texts of your own, in one of the layouts that are known."""

from collections.abc import Iterator
from contextlib import contextmanager

from explorer.errors import ExplorerError, one_line
from explorer.sources.reading.folders import Folder
from explorer.sources.refs import Place, path_and_options
from explorer.sources.registries import FOLDER_LAYOUTS, FolderLayout, data_source
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task


def describe_folder(place: Place) -> Description | None:
    """What the folder's texts are labelled with; None where it holds something else."""
    with _readable(place):
        folder = Folder.at(place)
        layout = _layout(folder)
        return layout.describe(folder) if layout.describe else None


@data_source(
    "folder",
    title="A folder",
    explanation="Pictures in a folder for each class, with a table of labels, beside their masks, or with boxes of "
    "COCO or YOLO; or tables of texts; options skip=bad (leave out what can't be read) and label=COLUMN (of a table).",
    takes="PATH",
    describe=describe_folder,
    place=path_and_options,
    rank=80,
)
def open_folder(place: Place, request: InputRequest) -> Task:
    with _readable(place):
        folder = Folder.at(place)
        return _layout(folder).function(folder, request)


@contextmanager
def _readable(place: Place) -> Iterator[None]:
    """Says in one line what keeps the folder or the table from being read."""
    try:
        yield
    except OSError as error:
        raise ExplorerError(f"can't read the folder {place.name!r}: {error.strerror or one_line(error)}") from None


def _layout(folder: Folder) -> FolderLayout:
    """The first that what lies at the path has; the last fits everything.

    Raises:
        ExplorerError: it takes no such options.
    """
    layout = next(layout for layout in FOLDER_LAYOUTS.values() if layout.fits(folder))
    for option in folder.options:
        if option not in layout.options:
            known = f"its options are {', '.join(layout.options)}" if layout.options else "it takes no options"
            raise ExplorerError(
                f"{folder.place.ref!r} is read as {layout.title!r} (a layout of folders), where the option {option!r} "
                f"means nothing: {known}"
            )
    return layout
