"""Pictures in folders: one subfolder per class, perhaps under `train/`, `val/` and `test/`."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

from explorer.errors import ExplorerError
from explorer.sources.refs import one_line
from explorer.sources.task import PARTS, Task, stratified_split

EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"}
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, which torchvision's weights expect
_VALIDATION = ("val", "valid", "validation")

Files = tuple[list[Path], np.ndarray]  # paths, and the number of each one's class


def natural(channels: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of photographs, per channel."""
    return (_MEAN, _STD) if channels == 3 else ((float(np.mean(_MEAN)),), (float(np.mean(_STD)),))


def folder_task(
    path: str, shape: tuple[int, int, int], normalisation: tuple[tuple[float, ...], tuple[float, ...]]
) -> Task:
    """The pictures under `path`, cropped in the middle and resized to `shape`, read when they are asked for.

    Parts: the subfolders `train`, `val` (or `valid`, `validation`) and `test` where they exist. With `val` but
    without `test`, `val` is the test part, as for ImageNet. What is missing is split off the training pictures,
    stratified and seeded.

    Raises:
        ExplorerError: the folder is missing, unreadable, has fewer than two classes or too few pictures.
    """
    if shape[0] not in (1, 3):
        raise ExplorerError(f"the model wants {shape[0]} channels: pictures have 1 (grey) or 3 (colour)")
    root = Path(path).expanduser()
    try:
        classes, parts, origin = _parts(root)
    except OSError as error:
        raise ExplorerError(f"can't read the folder {path!r}: {error.strerror or one_line(error)}") from None
    mean, std = normalisation
    images = {name: FolderImages(*files, shape, mean, std) for name, files in parts.items()}
    note = f"pictures cropped in the middle and resized to {shape[1]}×{shape[2]}; {origin}"
    return Task(f"folder:{path}", root.resolve().name, classes, shape, mean, std, **images, note=note)


class FolderImages(Dataset):
    """Picture files, read one at a time."""

    def __init__(
        self,
        files: list[Path],
        labels: np.ndarray,
        shape: tuple[int, int, int],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        self._files, self._labels, self._shape = files, labels, shape
        self._mean, self._std = torch.tensor(mean).view(-1, 1, 1), torch.tensor(std).view(-1, 1, 1)

    def __len__(self) -> int:
        return len(self._files)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        pixels = torch.from_numpy(read_picture(self._files[index], self._shape)).float() / 255
        return (pixels - self._mean) / self._std, int(self._labels[index])


def read_picture(path: Path, shape: tuple[int, int, int]) -> np.ndarray:
    """A picture file as uint8 (C, H, W): upright, cropped in the middle to the wanted proportions, resized.

    Raises:
        ExplorerError: it is no picture that can be read, or has an absurd number of pixels.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Image.DecompressionBombError(f"{image.width}×{image.height} pixels are too many")
            upright = ImageOps.exif_transpose(image).convert("RGB" if shape[0] == 3 else "L")
        pixels = np.array(ImageOps.fit(upright, (shape[2], shape[1]), Image.Resampling.BILINEAR))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ExplorerError(f"can't read the picture {path}: {one_line(error)}; repair or remove it") from None
    return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[None]


def _parts(root: Path) -> tuple[tuple[str, ...], dict[str, Files], str]:
    if not (root / "train").is_dir():
        classes, files = _read_classes(root)
        shares = (0.60, 0.10, 0.15, 0.15)
        return classes, _split(files, PARTS, shares, root), "split at random into four fixed parts"
    classes, train = _read_classes(root / "train")
    validation = next((root / name for name in _VALIDATION if (root / name).is_dir()), None)
    given: dict[str, Files] = {}
    if (root / "test").is_dir():
        given["test"] = _read_classes(root / "test", classes)[1]
    if validation:
        given["validation" if given else "test"] = _read_classes(validation, classes)[1]
    missing = [part for part in PARTS if part not in given]
    shares = {1: (1.0,), 2: (0.9, 0.1), 3: (0.8, 0.1, 0.1), 4: (0.60, 0.10, 0.15, 0.15)}[len(missing)]
    origin = f"{', '.join(missing)} taken from {root.name}/train" if missing else ""
    return classes, {**_split(train, missing, shares, root), **given}, origin


def _split(files: Files, names: list[str] | tuple[str, ...], shares: tuple[float, ...], root: Path) -> dict[str, Files]:
    paths, labels = files
    indices = stratified_split(labels, shares, seed=0)
    if any(len(index) == 0 for index in indices):
        raise ExplorerError(f"the folder {str(root)!r} has only {len(paths)} pictures: give it 10 a class or more")
    return {n: ([paths[i] for i in index], labels[index]) for n, index in zip(names, indices, strict=True)}


def _read_classes(folder: Path, expected: tuple[str, ...] | None = None) -> tuple[tuple[str, ...], Files]:
    """The class names under a folder, and its picture files in a fixed order."""
    if not folder.is_dir():
        problem = "it is not a folder" if folder.exists() else "it does not exist"
        raise ExplorerError(f"can't read the folder {str(folder)!r}: {problem}")
    found = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    classes = expected or tuple(found)
    if len(classes) < 2:
        raise ExplorerError(
            f"the folder {str(folder)!r} has {len(classes)} class subfolders: give it at least two, one per class"
        )
    strange = sorted(set(found) ^ set(classes))
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
