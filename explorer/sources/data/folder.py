"""`folder:PATH`: pictures or texts of your own, in one of the layouts that are known."""

from pathlib import Path

from explorer.sources.registries import FOLDER_LAYOUTS, FolderLayout, data_source
from explorer.sources.request import Description, InputRequest
from explorer.tasks import Task


def place(path: str) -> Path:
    """Where the folder or the table lies."""
    return Path(path).expanduser()


def describe_folder(ref: str) -> Description | None:
    """What the folder's texts are labelled with; None where it holds something else."""
    path = ref.partition(":")[2]
    layout = _layout(path)
    return layout.describe(path) if layout.describe else None


@data_source(
    "folder",
    title="A folder",
    explanation="Pictures in a folder for each class, beside their masks or with COCO's boxes, or tables of texts.",
    takes="PATH",
    describe=describe_folder,
    path=place,
    rank=80,
)
def open_folder(ref: str, request: InputRequest) -> Task:
    path = ref.partition(":")[2]
    return _layout(path).function(path, request)


def _layout(path: str) -> FolderLayout:
    """The first that what lies at the path has; the last fits everything."""
    return next(layout for layout in FOLDER_LAYOUTS.values() if layout.fits(path))
