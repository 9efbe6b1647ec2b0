"""Pictures in one subfolder per class, perhaps under `train/`, `val/` and `test/`: a layout of folders."""

from pathlib import Path

import numpy as np

from explorer.errors import ExplorerError, one_line
from explorer.sources.reading.picture_files import EXTENSIONS, NATIVE, PictureFiles, cropped_note, natural
from explorer.sources.reading.splits import FRACTIONS, shares_of, stratified_split
from explorer.sources.refs import Place
from explorer.sources.registries import folder_layout
from explorer.sources.request import InputRequest
from explorer.tasks import PARTS, Task

_VALIDATION = ("val", "valid", "validation")

Files = tuple[list[Path], np.ndarray]  # paths, and the number of each one's class


def anything(path: Path) -> bool:
    """Always: what is wrong with a folder that fits no layout is said as of this one."""
    return True


@folder_layout(
    "classes",
    title="Pictures by class",
    explanation="A subfolder of pictures for each class, perhaps under train, val and test.",
    fits=anything,
    rank=90,
)
def class_folders_task(place: Place, request: InputRequest) -> Task:
    """The pictures under the path, cropped in the middle and resized, read when they are asked for.

    Parts: the subfolders `train`, `val` (or `valid`, `validation`) and `test` where they exist. With `val` but
    without `test`, `val` is the test part, as for ImageNet. What is missing is split off the training pictures,
    stratified and seeded.

    Raises:
        ExplorerError: the folder is missing, unreadable, has fewer than two classes or too few pictures.
    """
    shape = request.image() or NATIVE
    if shape[0] not in (1, 3):
        raise ExplorerError(f"the model wants {shape[0]} channels: pictures have 1 (grey) or 3 (colour)")
    root, (mean, std) = place.file, request.normalised(natural(shape[0]))
    try:
        classes, parts, origin = _parts(root)
    except OSError as error:
        raise ExplorerError(f"can't read the folder {place.name!r}: {error.strerror or one_line(error)}") from None
    images = {name: PictureFiles(*files, shape, mean, std) for name, files in parts.items()}
    note = f"{cropped_note(shape)}; {origin}"
    return Task(place.ref, root.resolve().name, classes, shape, mean, std, **images, note=note)


def _parts(root: Path) -> tuple[tuple[str, ...], dict[str, Files], str]:
    if not (root / "train").is_dir():
        classes, files = _read_classes(root)
        return classes, _split(files, PARTS, FRACTIONS, root), "split at random into four fixed parts"
    classes, train = _read_classes(root / "train")
    validation = next((root / name for name in _VALIDATION if (root / name).is_dir()), None)
    given: dict[str, Files] = {}
    if (root / "test").is_dir():
        given["test"] = _read_classes(root / "test", classes)[1]
    if validation:
        given["validation" if given else "test"] = _read_classes(validation, classes)[1]
    missing = [part for part in PARTS if part not in given]
    origin = f"{', '.join(missing)} taken from {root.name}/train" if missing else ""
    return classes, {**_split(train, missing, shares_of(len(missing)), root), **given}, origin


def _split(files: Files, names: list[str] | tuple[str, ...], shares: tuple[float, ...], root: Path) -> dict[str, Files]:
    paths, labels = files
    indices = stratified_split(labels, shares, seed=0)
    if any(len(index) == 0 for index in indices):
        raise ExplorerError(f"the folder {str(root)!r} has only {len(paths)} pictures: give it 10 a class or more")
    return {n: ([paths[i] for i in index], labels[index]) for n, index in zip(names, indices, strict=True)}


def _is_text(name: str) -> bool:
    """Whether a name can be written down: the system lets folders have any bytes for one."""
    return name.encode(errors="ignore").decode() == name


def _read_classes(folder: Path, expected: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], Files]:
    """The class names under a folder, and its picture files in a fixed order."""
    if not folder.is_dir():
        problem = "it is not a folder" if folder.exists() else "it does not exist"
        raise ExplorerError(f"can't read the folder {str(folder)!r}: {problem}")
    names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if odd := next((name for name in names if not _is_text(name)), None):
        raise ExplorerError(f"the folder {str(folder)!r} has a class called {odd!a}, which is no UTF-8 text: rename it")
    classes = expected or tuple(names)
    if len(classes) < 2:
        raise ExplorerError(
            f"the folder {str(folder)!r} has {len(classes)} class subfolders: give it at least two, one per class"
        )
    strange = sorted(set(names) ^ set(classes))
    if strange:
        raise ExplorerError(f"{str(folder)!r} and its train folder have different classes: {', '.join(strange[:3])}")
    paths, labels = [], []
    for number, name in enumerate(classes):
        pictures = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in EXTENSIONS and p.is_file())
        if not pictures:
            raise ExplorerError(f"the class folder {str(folder / name)!r} has no pictures: fill or remove it")
        paths += pictures
        labels += [number] * len(pictures)
    return classes, (paths, np.array(labels))
