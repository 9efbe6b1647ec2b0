"""What was measured once is kept between runs: small JSON files that may be deleted at any time."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.errors import ExplorerError
from explorer.files import replacing_file
from explorer.sealed import read_sealed, sealed
from explorer.strict_json import dumps

if TYPE_CHECKING:
    from torch import Tensor, nn


def folder() -> Path:
    """``$EXPLORER_CACHE``, else ``~/.cache/pruning-explorer``."""
    return Path(os.environ.get("EXPLORER_CACHE") or Path.home() / ".cache" / "pruning-explorer")


def changed(kind: str) -> int:
    """A number that differs when an entry of that kind was written."""
    try:
        return (folder() / kind).stat().st_mtime_ns
    except OSError:
        return 0


class Entry:
    """One JSON object in the cache, found by everything that it depends on."""

    def __init__(self, kind: str, key: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:24]
        self.path = folder() / kind / f"{digest}.json"

    def read(self) -> dict[str, Any]:
        """What was kept; empty where nothing is, or not what was written: then it is measured again."""
        try:
            return read_sealed(self.path, required=True)
        except (OSError, ExplorerError):
            return {}

    def write(self, document: Mapping[str, Any]) -> None:
        """Keeps the document in the place of what was there: whole or not at all.

        Raises:
            ExplorerError: the folder can't be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with replacing_file(self.path) as file:
                file.write_text(dumps(sealed(document)), encoding="utf-8")
        except OSError as error:
            raise ExplorerError(
                f"can't write to the cache {self.path.parent}: {error.strerror}; set EXPLORER_CACHE to another folder"
            ) from None

    def forget(self) -> None:
        """Deletes what was kept."""
        self.path.unlink(missing_ok=True)


def weights_digest(module: "nn.Module") -> str:
    """Changes when any parameter or buffer does."""
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in module.state_dict().items():
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        found.update(_bytes(tensor))
    return found.hexdigest()


def tensor_digest(*tensors: "Tensor") -> str:
    """Changes when any value does."""
    found = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        found.update(_bytes(tensor))
    return found.hexdigest()


def _bytes(tensor: "Tensor") -> memoryview:
    import torch  # most of the cache is read without it

    return memoryview(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
