"""Pictures with COCO's boxes: a layout of folders, as the exports of COCO, Roboflow, CVAT and Label Studio have it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.reading import DamagedError, read_json
from explorer.sources.reading.boxed_pictures import Boxed, boxed_task, boxes_of
from explorer.sources.reading.checking import refusal
from explorer.sources.reading.coco_files import ANNOTATIONS, GROWTH
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.part_names import part_of
from explorer.sources.reading.picture_names import PictureNames
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest
from explorer.tasks import Task

_FARTHEST = 1e6  # pixels
_BROKEN = (DamagedError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError)


@dataclass(frozen=True)
class _File:
    """What a file of annotations says: the names of its categories, its pictures, and those that are not there."""

    categories: list[str]
    pictures: list[Boxed]
    missing: list[str]


def is_boxes_folder(folder: Folder) -> bool:
    """Whether there are COCO's annotations of boxes."""
    return folder.path.is_dir() and bool(folder.coco_files)


@folder_layout(
    "boxes",
    title="Pictures with COCO's boxes",
    explanation="Pictures with their boxes in annotations.json, or in a file for each part, as COCO writes them.",
    fits=is_boxes_folder,
    options=("skip",),
    rank=1,
)
def boxes_folder(folder: Folder, request: InputRequest) -> Task:
    """Pictures with COCO's annotations; in the parts that the files are of, else split at random into four fixed ones.

    Classes are the categories in the order of their ids, after the background. Crowds are left out.

    Raises:
        ExplorerError: the annotations are damaged, disagree, name pictures that are missing, or there are too few.
    """
    files = folder.coco_files
    read = {part: _read(path, _pictures(folder, path, part)) for part, path in files.items()}
    categories = read["train"].categories
    for part, found in read.items():
        if found.categories != categories:
            raise ExplorerError(
                f"{str(files[part])!r} has other categories than {files['train'].name}: make them alike"
            )
    missing = [name for found in read.values() for name in found.missing]
    if missing and not folder.skips:
        total = len(missing) + sum(len(found.pictures) for found in read.values())
        raise refusal(missing, total, folder.place.ref, "pictures that COCO's annotations name are not under images/")
    remarks = [f"{len(missing):,} pictures that the annotations name are not there and left out"] if missing else []
    given = {part: found.pictures for part, found in read.items()}
    return boxed_task(folder, ("background", *categories), given, request, remarks)


def _pictures(folder: Folder, path: Path, part: str) -> PictureNames:
    """The pictures that a file may mean."""
    within = folder.tree.folders.get("images")
    if path == folder.path / ANNOTATIONS and within is not None:
        return folder.names_in(within)
    near = next((b for b in folder.tree.walk() if part_of(b.name) == part and b.count and b is not folder.tree), None)
    return folder.names_in(near or folder.tree)


def _read(path: Path, names: PictureNames) -> _File:
    try:
        document = read_json(path, memory.limit() // GROWTH)
        categories = sorted(_used(document), key=lambda category: category["id"])
        label = {category["id"]: number for number, category in enumerate(categories, start=1)}
        by_picture: dict[Any, list[tuple[list[float], int]]] = {entry["id"]: [] for entry in document["images"]}
        for entry in document["annotations"]:
            x, y, width, height = map(float, entry["bbox"])
            if not all(abs(value) <= _FARTHEST for value in (x, y, width, height)):
                raise ValueError(f"a box reaches to {max(map(abs, (x, y, width, height))):g}")
            if width > 0 and height > 0 and not entry.get("iscrowd"):
                by_picture[entry["image_id"]].append(([x, y, x + width, y + height], label[entry["category_id"]]))
        pictures, missing = [], []
        for entry in document["images"]:
            name, found = str(entry["file_name"]), by_picture[entry["id"]]
            picture = None if ".." in Path(name).parts else names.find(name)
            if picture is None:
                missing.append(name)
            else:
                size = int(entry.get("width") or 0), int(entry.get("height") or 0)
                boxes = boxes_of([box for box, _ in found], [number for _, number in found])
                pictures.append(Boxed(picture, boxes, size))
        return _File([str(category["name"]) for category in categories], pictures, missing)
    except _BROKEN as error:
        raise ExplorerError(f"{str(path)!r} is no COCO file: {one_line(error)}") from None


def _used(document: Any) -> list[Any]:
    """The categories, without the one that Roboflow puts above them and never uses."""
    categories, used = document["categories"], {str(entry["category_id"]) for entry in document["annotations"]}
    above = {category.get("supercategory") for category in categories}
    return [c for c in categories if str(c["id"]) in used or c["name"] not in above or c.get("supercategory") != "none"]
