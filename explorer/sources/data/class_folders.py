"""Pictures in one subfolder per class, perhaps in parts: a layout of folders."""

from explorer.sources.reading.folders import Folder
from explorer.sources.reading.labelled_pictures import of_class_tree, picture_task
from explorer.sources.reading.unread_layouts import refusal
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest
from explorer.tasks import Task


def anything(folder: Folder) -> bool:
    """Always: what is wrong with a folder that fits no layout is said as of this one."""
    return True


@folder_layout(
    "classes",
    title="Pictures by class",
    explanation="A subfolder of pictures for each class, perhaps in folders of parts (train, val, test, under "
    "any of their usual names), or with such folders in each.",
    fits=anything,
    options=("skip",),
    rank=90,
)
def class_folders_task(folder: Folder, request: InputRequest) -> Task:
    """See `explorer.sources.reading.class_trees` and `picture_task`.

    Raises:
        ExplorerError: the folder is missing, holds no classes, or too few pictures; see `picture_task`.
    """
    tree = folder.classes
    if tree is None or len(tree.classes) < 2:
        raise refusal(folder.tree)
    return picture_task(folder, of_class_tree(tree), request)
