"""Finding the files of a folder that hold COCO's boxes, one for each part."""

from pathlib import Path

from explorer import memory
from explorer.errors import ExplorerError
from explorer.reading import read_text
from explorer.sources.reading.part_names import part_of_file
from explorer.sources.reading.picture_trees import Branch

ANNOTATIONS = "annotations.json"  # beside images/, for all of them
GROWTH = 16  # bytes in memory of a byte of JSON
_DEEPEST = 2  # levels below the folder at which there may be annotations
_WORDS = ("images", "annotations", "categories", "bbox")


def find_coco_files(tree: Branch) -> dict[str, Path]:
    """The files of boxes by part, that of training first; a single one is of training. Empty where there is none."""
    found: dict[str, list[Path]] = {}
    near = (branch for branch in tree.walk() if len(branch.path.relative_to(tree.path).parts) <= _DEEPEST)
    for path in (path for branch in near for path in branch.others):
        if path.suffix.lower() == ".json" and _has_boxes(path):
            found.setdefault(part_of_file(path, tree.path), []).append(path)
    best = {part: min(paths, key=_rank) for part, paths in found.items()}
    if "train" in best:
        best.pop("", None)
        return dict(sorted(best.items(), key=lambda item: item[0] != "train"))
    return {"train": min(best.values(), key=_rank)} if best else {}


def _rank(path: Path) -> tuple[bool, int, str]:
    """Of several files of one part, that of instances comes first, not that of key points."""
    return "instances" not in path.name, len(path.name), path.name


def _has_boxes(path: Path) -> bool:
    try:
        text = read_text(path, memory.limit() // GROWTH)
    except (OSError, ExplorerError):
        return False
    return all(f'"{word}"' in text for word in _WORDS)
