"""Downloadable data sets, as bytes: torchvision's readers, and the CIFARs from their binary files.

torchvision reads the CIFARs by unpickling; their authors also publish plain records, which are read here.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import download_and_extract_archive

from explorer.errors import ExplorerError
from explorer.sources.refs import network_reason

Part = tuple[Tensor, np.ndarray]  # uint8 pixels (n, C, H, W), labels (n,)
Reader = Callable[[Path], tuple[tuple[str, ...], Part, Part]]

_CIFAR_URL = "https://www.cs.toronto.edu/~kriz/"
_DIGITS = tuple("0123456789")


def data_root() -> Path:
    """Where downloads are kept: `EXPLORER_DATA`, else a folder in the user's cache."""
    return Path(os.environ.get("EXPLORER_DATA") or Path.home() / ".cache" / "pruning-explorer")


def read_dataset(name: str) -> tuple[tuple[str, ...], Part, Part]:
    """Class names, training part and test part of one of `DATASETS`, downloaded at first use.

    Raises:
        ExplorerError: it is neither on disk nor downloadable.
    """
    root = data_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        return DATASETS[name](root)
    except (OSError, RuntimeError, ValueError, EOFError, AssertionError) as error:
        raise ExplorerError(
            f"{name} is not in {root} and could not be downloaded ({network_reason(error)}): check the network,"
            " or put its files there"
        ) from None


def _grey(dataset: type[datasets.MNIST]) -> Reader:
    def read(root: Path) -> tuple[tuple[str, ...], Part, Part]:
        parts = [dataset(root, train=train, download=True) for train in (True, False)]
        train, test = ((part.data[:, None], part.targets.numpy()) for part in parts)
        return tuple(parts[0].classes), train, test

    return read


def _colour(dataset: Callable[..., Any], classes: tuple[str, ...] | None) -> Reader:
    def read(root: Path) -> tuple[tuple[str, ...], Part, Part]:
        parts = [dataset(root, split=split, download=True) for split in ("train", "test")]
        train, test = ((torch.from_numpy(part.data), np.asarray(part.labels)) for part in parts)
        return classes or tuple(parts[0].classes), train, test

    return read


def _cifar(archive: str, md5: str, folder: str, train: tuple[str, ...], test: str, names: str, coarse: int) -> Reader:
    def read(root: Path) -> tuple[tuple[str, ...], Part, Part]:
        directory = root / folder
        if not (directory / test).is_file():
            download_and_extract_archive(_CIFAR_URL + archive, str(root), md5=md5)
        classes = tuple((directory / names).read_text().split())
        parts = [read_cifar_records(directory / name, skip=coarse) for name in train]
        pixels, labels = torch.cat([p for p, _ in parts]), np.concatenate([labels for _, labels in parts])
        return classes, (pixels, labels), read_cifar_records(directory / test, skip=coarse)

    return read


def read_cifar_records(path: Path, skip: int = 0) -> Part:
    """Records of `skip` bytes, one label byte and 3×32×32 pixel bytes.

    Raises:
        ValueError: the file's length is no whole number of records.
    """
    records = np.fromfile(path, np.uint8)
    length = skip + 1 + 3 * 32 * 32
    if len(records) == 0 or len(records) % length:
        raise ValueError(f"{path.name} is damaged: delete it so that it is downloaded again")
    records = records.reshape(-1, length)
    return torch.from_numpy(records[:, skip + 1 :].reshape(-1, 3, 32, 32).copy()), records[:, skip].astype(np.int64)


DATASETS: dict[str, Reader] = {
    "CIFAR10": _cifar(
        "cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
        "cifar-10-batches-bin",
        tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        "test_batch.bin",
        "batches.meta.txt",
        coarse=0,
    ),
    "CIFAR100": _cifar(
        "cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
        "cifar-100-binary",
        ("train.bin",),
        "test.bin",
        "fine_label_names.txt",
        coarse=1,
    ),
    "MNIST": _grey(datasets.MNIST),
    "FashionMNIST": _grey(datasets.FashionMNIST),
    "KMNIST": _grey(datasets.KMNIST),
    "SVHN": _colour(datasets.SVHN, _DIGITS),
    "STL10": _colour(datasets.STL10, None),
}
