"""Tensors as files."""

from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from torch import Tensor

from explorer.evaluation import METADATA


def save_tensors(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors as safetensors, readable by whom the umask lets: the library lets only the owner read."""
    path.touch()
    mode = path.stat().st_mode
    safetensors.torch.save_file(dict(tensors), path, METADATA)
    path.chmod(mode)
