"""Pictures with a class each, however their folder says so, as a task."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explorer.sources.reading.checking import Checked, good_pictures
from explorer.sources.reading.class_trees import ClassTree
from explorer.sources.reading.folders import Folder
from explorer.sources.reading.labels import refuse_joined
from explorer.sources.reading.picture_files import PictureFiles, cropped_note, natural, shape_of
from explorer.sources.reading.splits import origin, places_of, split_missing
from explorer.sources.request import InputRequest
from explorer.tasks import PARTS, Task


@dataclass(frozen=True)
class Labelled:
    """Pictures with their classes.

    Args:
        classes: their names.
        files: the pictures.
        labels: the number of each one's class, int64 (n,).
        parts: train, validation or test of each; empty where it is not said.
        origin: how the labels and parts came about, a clause; empty: all was given.
        remarks: what a person should know, a clause each.
    """

    classes: tuple[str, ...]
    files: list[Path]
    labels: np.ndarray
    parts: list[str]
    origin: str
    remarks: Sequence[str]


def of_class_tree(tree: ClassTree) -> Labelled:
    """The pictures of folders of classes.

    Raises:
        ExplorerError: the folders are of several labels at once.
    """
    refuse_joined(tree.classes, f"the folder {str(tree.top.path)!r}")
    number = {name: place for place, name in enumerate(tree.classes)}
    rows = [
        (path, number[name], part)
        for part, classes in tree.parts.items()
        for name, paths in classes.items()
        for path in paths
    ]
    labels = np.array([label for _, label, _ in rows], dtype=np.int64)
    parts = [part for _, _, part in rows]
    return Labelled(tree.classes, [path for path, _, _ in rows], labels, parts, "", tree.remarks)


def picture_task(folder: Folder, labelled: Labelled, request: InputRequest) -> Task:
    """The pictures as a task, cropped in the middle and resized, read when they are asked for.

    With a validation part but without a test part, it is the test part, as for ImageNet. What is missing is split off
    the training pictures, stratified and seeded; so are all parts where none is given.

    Raises:
        ExplorerError: the model wants other channels, or there are too few pictures.
        BadPicturesError: some can't be read, and the ref does not say to go on without.
    """
    shape = shape_of(request)
    mean, std = request.normalised(natural(shape[0]))
    good, checked = good_pictures(labelled.files, folder.place.ref, skip=folder.skips)
    kept = [number for number, path in enumerate(labelled.files) if path in good]
    files, labels = [labelled.files[number] for number in kept], labelled.labels[kept]
    given = _indices([labelled.parts[number] for number in kept])
    parts = split_missing(given, labels, f"the folder {folder.path!s}", "pictures")
    data = {
        name: PictureFiles([files[i] for i in index], labels[index], shape, mean, std) for name, index in parts.items()
    }
    note = "; ".join(filter(None, (cropped_note(shape), labelled.origin, _split_note(given, folder))))
    masks = [name for branch in folder.tree.walk() for name in branch.aside]
    aside = [f"{', '.join(dict.fromkeys(masks))} beside the images hold masks and are not read"] if masks else []
    same = repeated(checked, dict(zip(files, labels.tolist(), strict=True)), {n: set(data[n].files) for n in parts})
    remarks = (*checked.left_out(), *labelled.remarks, *aside, *checked.remarks(), *same)
    title = folder.path.resolve().name
    return Task(folder.place.ref, title, labelled.classes, shape, mean, std, **data, note=note, remarks=remarks)


def repeated(checked: Checked, labels: Mapping[Path, int], parts: Mapping[str, set[Path]]) -> list[str]:
    """What a person should know of pictures that are there more than once, byte by byte."""
    groups = [[path for path in group if path in labels] for group in checked.same]
    several = sum(len(group) for group in groups if len({labels[path] for path in group}) > 1)
    learnt = parts["train"] | parts["calibration"]
    seen = sum(path in parts["test"] for group in groups if not learnt.isdisjoint(group) for path in group)
    said = []
    if several:
        said.append(f"{several:,} pictures are in several classes at once, of which a network can only answer one")
    if seen:
        said.append(f"{seen:,} pictures of the test part are in training, too: accuracy looks better than it is")
    return said


def _indices(parts: Sequence[str]) -> dict[str, np.ndarray]:
    """Where each part is; one that is not said is for training, which all are where none is."""
    told = [part or "train" for part in parts]
    if "train" not in told:
        told = ["train"] * len(told)
    return places_of(told, dict.fromkeys(told))


def _split_note(given: Mapping[str, np.ndarray], folder: Folder) -> str:
    if set(given) == {"train"}:
        return origin(given)
    known = set(given) if "test" in given else {"train", "test"}  # then validation is the test part
    missing = [part for part in PARTS if part not in known]
    return f"{' and '.join(missing)} taken from the training pictures of {folder.path.name}"
