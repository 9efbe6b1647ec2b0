"""What a network and its data are made of, as a digest: a row of the comparison holds for these alone."""

import hashlib
from functools import cache
from typing import Any

from torch import Tensor

from explorer.batches import batches
from explorer.sources import load_pair

_AT_ONCE = 256  # samples
_SPLITS = ("train", "calibration", "validation", "test")


@cache
def content_of(model: str, data: str) -> str:
    """Sixteen hexadecimal digits that change with any weight of a network, and any sample or label of its data.

    Of tensors and not of files: a copy of the project in another place, or with other times of writing, has the same.
    It is found once in a process, which plays by what it has loaded.

    Raises:
        ExplorerError: see `explorer.sources.load_pair`.
    """
    loaded, task = load_pair(model, data)
    told = hashlib.sha256()
    for name, tensor in loaded.module.state_dict().items():
        _add(told, name, tensor)
    for split in _SPLITS:
        for inputs, labels in batches(getattr(task, split), _AT_ONCE):
            _add(told, split, inputs)
            _add(told, "labels", labels)
    return told.hexdigest()[:16]


def _add(told: Any, name: str, value: Any) -> None:
    """A tensor, or the tensors of a list of dictionaries, by name, type, shape and numbers."""
    if isinstance(value, Tensor):
        told.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        told.update(value.detach().cpu().contiguous().numpy().tobytes())
        return
    for sample in value:
        for key, tensor in sample.items():
            _add(told, f"{name} {key}", tensor)
