"""What a folder is that is read in no way, and what to do about it."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.sources.reading.class_trees import check_folders, part_folders
from explorer.sources.reading.picture_trees import ARCHIVES, Branch, says_images

_ADVICE = (
    "put the pictures of each class into a subfolder of its name, or write a labels.csv with columns file and label"
)
_STORES = {
    ".tfrecord": "TensorFlow's records",
    ".tfrecords": "TensorFlow's records",
    ".parquet": "tables of the Hugging Face hub, which hf:FOLDER reads",
    ".arrow": "tables of the Hugging Face hub, which hf:FOLDER reads",
    ".npz": "arrays of numpy",
    ".npy": "arrays of numpy",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".mat": "MATLAB's arrays",
    ".pkl": "pickles, which could run anything",
    ".pickle": "pickles, which could run anything",
    ".pt": "pickles, which could run anything",
    ".lmdb": "an LMDB database",
    ".mdb": "an LMDB database",
    ".rec": "MXNet's records",
    ".bin": "binary records",
    ".mp4": "videos",
    ".avi": "videos",
    ".mov": "videos",
}
_SHEETS = frozenset((".xlsx", ".xls", ".ods", ".mat", ".npy", ".npz"))
_MNIST = re.compile(r"idx\d[-.]ubyte", re.IGNORECASE)
_BATCHES = re.compile(r"(data|test)_batch(_\d)?$")
_BEGINNING = re.compile(r"^([A-Za-z]+)[ ._-]*\(?\d")
_CAMERAS = frozenset(("img", "dsc", "dscn", "image", "photo", "picture", "pic", "frame", "scan"))
_MOST_BEGINNINGS = 200


def refusal(tree: Branch) -> ExplorerError:
    """Why a folder is not read as pictures by class, and what to do.

    Raises:
        ExplorerError: a subfolder is to blame, see `check_folders`.
    """
    for known in (_annotated, _stored, _without_labels, _by_name):
        if (found := known(tree)) is not None:
            return ExplorerError(f"the folder {str(tree.path)!r} {found}")
    top = tree.unwrapped()
    check_folders(top if len(top.folders) > 1 else tree)
    return ExplorerError(
        f"the folder {str(tree.path)!r} has {len(top.filled)} class subfolders with pictures: give it at least two, "
        "one per class"
    )


def _annotated(tree: Branch) -> str | None:
    """Annotations in formats that are not read."""
    if any(path.suffix.lower() == ".xml" for branch in tree.walk() for path in branch.others):
        return (
            "has annotations in .xml (Pascal VOC or CVAT), which are not read: export it as COCO (annotations.json "
            "beside images/) or YOLO (images/, labels/ and data.yaml)"
        )
    pairs = {path.with_suffix("") for branch in tree.walk() for path in branch.pictures}
    beside = [
        p for branch in tree.walk() for p in branch.others if p.suffix.lower() == ".json" and p.with_suffix("") in pairs
    ]
    if beside:
        return (
            f"has a .json for each picture (LabelMe, as {beside[0].name}), which is not read: export it as COCO "
            "(annotations.json beside images/) or YOLO (images/, labels/ and data.yaml)"
        )
    return None


def _stored(tree: Branch) -> str | None:
    """Files of other kinds in place of pictures."""
    if tree.count:
        return None
    files = [path for branch in tree.walk() for path in branch.others]
    if others := tree.unread():
        return f"has only {', '.join(sorted(others))} files, which are not read: save them as PNG or JPEG"
    if found := next((path for path in files if _MNIST.search(path.name)), None):
        return f"holds MNIST's own files ({found.name}): use torchvision:MNIST, or save them as pictures"
    if found := next((path for path in files if _BATCHES.match(path.name)), None):
        return f"holds pickles of CIFAR ({found.name}), which could run anything: use torchvision:CIFAR10"
    if found := next((path for path in files if path.suffix.lower() in ARCHIVES), None):
        return f"has no pictures but the archive {found.name}: unpack it"
    kinds = Counter(path.suffix.lower() for path in files if path.suffix.lower() in _STORES)
    if kinds:
        suffix, count = kinds.most_common(1)[0]
        return f"has no pictures but {count} {suffix} files ({_STORES[suffix]}), which are not read here: {_ADVICE}"
    return None


def _without_labels(tree: Branch) -> str | None:
    """Parts without classes in them."""
    parts = part_folders(tree.unwrapped())
    if not parts:
        return None
    train = parts["train"].unwrapped()
    if not train.filled:
        return f"has parts ({', '.join(folder.name for folder in parts.values())}) but no classes in them: {_ADVICE}"
    return f"has only the class {next(iter(train.filled))!r} in {parts['train'].name}: give it at least two"


def _by_name(tree: Branch) -> str | None:
    """Pictures in one heap."""
    top = tree.unwrapped()
    if (top.filled and len(top.filled) > 1) or not tree.count:
        return None
    heap = tree.everything()
    named = len(top.filled) == 1 and not top.pictures and not says_images(next(iter(top.filled)))
    if named and _beginnings(heap, str.lower) is None:
        return None  # one class
    said = ""
    if sheet := next((p for branch in tree.walk() for p in branch.others if p.suffix.lower() in _SHEETS), None):
        said = f"; {sheet.name} is not read: if it has the labels, save it as CSV"
    if (names := _beginnings(heap, str)) is not None:
        said = f"; their names begin with {', '.join(names[:4])}: if these are the classes, move them"
    return f"has 0 class subfolders and {len(heap):,} pictures without a label: {_ADVICE}{said}"


def _beginnings(pictures: list[Path], told: Callable[[str], str]) -> list[str] | None:
    """The words that names begin with before a number, where they may be classes."""
    found = [match[1] for path in pictures if (match := _BEGINNING.match(path.name))]
    counts = Counter(map(told, found))
    fits = len(found) == len(pictures) and 2 <= len(counts) <= _MOST_BEGINNINGS and len(found) > 2 * len(counts)
    return sorted(counts) if fits and not {name.lower() for name in counts} <= _CAMERAS else None
