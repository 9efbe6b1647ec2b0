"""Pictures with YOLO's boxes: a layout of folders, as its training programs and annotation tools have it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError, one_line
from explorer.reading import read_text
from explorer.sources.reading.boxed_pictures import Boxed, boxed_task, boxes_of
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.part_names import part_of
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest
from explorer.tasks import Task

_LISTS = ("classes.txt", "obj.names", "_darknet.labels", "class_names.txt", "names.txt", "labels.txt")
_LARGEST = 2**20  # bytes of a file of names, or of labels
_PROBED = 20  # files of labels
_SLACK = 1e-3  # by which a box may reach out of its picture
_NUMBERS = 5  # of a box: class, centre x, centre y, width, height


def is_yolo_folder(folder: Folder) -> bool:
    """Whether pictures have files of numbers under labels/, or beside them, as YOLO reads them."""
    if not folder.path.is_dir() or not folder.tree.count:
        return False
    files = [path for path in _label_files(folder) if path.name not in _LISTS][:_PROBED]
    return bool(files) and all(_are_numbers(path) for path in files)


@folder_layout(
    "yolo",
    title="Pictures with YOLO's boxes",
    explanation="Pictures under images/ with their boxes in a .txt of the same name under labels/, and the names of "
    "classes in data.yaml or classes.txt, as YOLO reads them; in parts or as one.",
    fits=is_yolo_folder,
    options=("skip",),
    rank=2,
)
def yolo_folder(folder: Folder, request: InputRequest) -> Task:
    """Pictures with YOLO's boxes; in their parts, else split at random into four fixed ones.

    Classes are those of `data.yaml` or `classes.txt`, after the background. A picture without a file shows nothing.

    Raises:
        ExplorerError: a file is damaged, holds outlines or key points, or a class without a name; or there are too few.
    """
    labels = {_key(path): path for path in _label_files(folder)}
    names = _names(folder)
    top = folder.tree.unwrapped().path
    given: dict[str, list[Boxed]] = {}
    empty, highest = 0, -1
    for picture in folder.tree.everything():
        label = labels.get(_key(picture))
        corners, numbers = _boxes(label) if label is not None else ([], [])
        empty += label is None
        highest = max([highest, *numbers])
        item = Boxed(picture, boxes_of(corners, [number + 1 for number in numbers]), None)
        given.setdefault(_part(picture, top if picture.is_relative_to(top) else folder.tree.path), []).append(item)
    if names and highest >= len(names):
        raise ExplorerError(
            f"{folder.place.name!r} has boxes of class {highest}, but names for {len(names)} only: add it"
        )
    classes = names or [f"class {number}" for number in range(highest + 1)]
    if not classes:
        raise ExplorerError(f"the files under labels/ in {folder.place.name!r} hold no box: fill them")
    remarks = [f"{empty:,} pictures have no file of boxes and count as empty"] if empty else []
    if "train" not in given or "" in given:
        given = {"train": [item for items in given.values() for item in items]}
    return boxed_task(folder, ("background", *classes), given, request, remarks)


def _label_files(folder: Folder) -> Iterator[Path]:
    """Files of text under a folder called labels, or with a picture of the same name beside them."""
    for branch in folder.tree.walk():
        inside = "labels" in branch.path.relative_to(folder.tree.path).parts
        beside = {picture.stem for picture in branch.pictures}
        yield from (p for p in branch.others if p.suffix.lower() == ".txt" and (inside or p.stem in beside))


def _key(path: Path) -> tuple[str, ...]:
    """What a picture and its file of labels have in common."""
    return tuple(part for part in path.with_suffix("").parts if part not in ("images", "labels"))


def _part(picture: Path, root: Path) -> str:
    """The part that a picture's folders below `root` say; empty where they say none."""
    for name in picture.relative_to(root).parts[:-1]:
        if (part := part_of(name)) is not None:
            return part
    return ""


def _are_numbers(path: Path) -> bool:
    try:
        rows = [line.split() for line in read_text(path, _LARGEST).splitlines() if line.strip()]
        return all(len(row) >= _NUMBERS and row[0].isdecimal() and list(map(float, row)) for row in rows)
    except (OSError, ValueError, ExplorerError):
        return False


def _boxes(path: Path) -> tuple[list[list[float]], list[int]]:
    """Corners in fractions of the picture, and classes from 0.

    Raises:
        ExplorerError: a line is something else than a box.
    """
    corners, numbers = [], []
    for number, line in enumerate(read_text(path, _LARGEST).splitlines(), start=1):
        row = line.split()
        if not row:
            continue
        if len(row) > _NUMBERS:
            raise ExplorerError(
                f"{str(path)!r} has {len(row)} numbers in line {number}: YOLO's outlines, turned boxes and key points "
                "are not read, only boxes of 5 numbers; export the set for detection"
            )
        try:
            x, y, width, height = map(float, row[1:])
            inside = all(-_SLACK <= value <= 1 + _SLACK for value in (x, y, width, height))
            if not inside or not row[0].isdecimal():
                raise ValueError("a class and four numbers from 0 to 1 are wanted")
        except ValueError as error:
            raise ExplorerError(f"{str(path)!r} is damaged in line {number}: {one_line(error)}") from None
        if width > 0 and height > 0:
            low = [max(0.0, middle - size / 2) for middle, size in ((x, width), (y, height))]
            high = [min(1.0, middle + size / 2) for middle, size in ((x, width), (y, height))]
            corners.append([*low, *high])
            numbers.append(int(row[0]))
    return corners, numbers


def _names(folder: Folder) -> list[str]:
    """The names of the classes, by `data.yaml` or a list; empty where there is none.

    Raises:
        ExplorerError: they are damaged.
    """
    near = [path for branch in folder.tree.walk() for path in branch.others]
    for path in sorted(near, key=lambda path: (len(path.parts), path.name != "data.yaml", path.name)):
        if path.suffix.lower() in (".yaml", ".yml") and (found := _of_yaml(path)):
            return found
    for path in near:
        if path.name in _LISTS:
            return [line.strip() for line in read_text(path, _LARGEST).splitlines() if line.strip()]
    return []


def _of_yaml(path: Path) -> list[str]:
    import yaml

    try:
        document = yaml.safe_load(read_text(path, _LARGEST))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None
    names: Any = document.get("names") if isinstance(document, dict) else None
    if isinstance(names, dict) and all(isinstance(number, int) for number in names):
        if sorted(names) != list(range(len(names))):
            raise ExplorerError(f"{str(path)!r} has names for classes {sorted(names)[:5]}…: number them from 0")
        names = [names[number] for number in range(len(names))]
    if isinstance(names, list) and all(isinstance(name, str | int | float) for name in names):
        return [str(name) for name in names]
    return []
