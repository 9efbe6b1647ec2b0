"""Files of weights, told apart by what they hold and not by their names."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from explorer.errors import ExplorerError, one_line
from explorer.sources.weights.archives import Archive, is_archive, open_archive, read_declared, require_room
from explorer.sources.weights.foreign import refuse_foreign
from explorer.sources.weights.pickles import Declared, Storage

_LONGEST_HEADER = 100_000_000  # of safetensors, as its own library has it
_TYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "C64": torch.complex64,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U64": torch.uint64,
    "U32": torch.uint32,
    "U16": torch.uint16,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


class Container(Protocol):
    """An open file of weights.

    Args:
        path, file: where it lies, and the path as a person wrote it.
        content: what it holds, with a `Declared` in the place of every tensor.
        ordered: whether the tensors stand in the order of the network that they come from.
    """

    path: Path
    file: str
    content: Any
    ordered: bool

    def read(self, tensors: Mapping[str, Declared]) -> dict[str, Tensor]:
        """The values of tensors of `content`, on the CPU, under the names that are given to them here.

        Raises:
            ExplorerError: the file is damaged, or they don't fit into memory.
        """
        ...


def open_container(path: Path, name: str | None = None) -> Container:
    """The file at `path`, of which nothing is unpickled and no number is read yet.

    Args:
        name: the path as a person wrote it.

    Raises:
        ExplorerError: the file is missing, damaged, too large, of another kind, or could run code.
    """
    name = name or str(path)
    try:
        if path.is_dir():
            raise ExplorerError(f"{name!r} is a folder: name the file with the weights in it")
        if not path.is_file():
            raise ExplorerError(f"there is no file {name!r}: check the path")
        if _is_safetensors(path):
            return _Safetensors(path, name)
        refuse_foreign(path, name)
        return _Safetensors(path, name) if _is_called_so(path, name) else _Saved(path, name)
    except OSError as error:
        raise ExplorerError(f"can't read {name!r}: {error.strerror or one_line(error)}") from None


def _is_safetensors(path: Path) -> bool:
    """Whether a file begins with the length of a header, and the header."""
    with path.open("rb") as file:
        size, brace = int.from_bytes(file.read(8), "little"), file.read(1)
    return brace == b"{" and size <= min(_LONGEST_HEADER, path.stat().st_size - 8)


def _is_called_so(path: Path, name: str) -> bool:
    """Whether what is no file of safetensors was meant to be one."""
    return Path(name).suffix.lower() == ".safetensors" and not is_archive(path)


class _Saved:
    """A file of `torch.save`."""

    ordered = True

    def __init__(self, path: Path, file: str) -> None:
        self.path, self.file = path, file
        self._archive: Archive = open_archive(path)
        self.content = self._archive.content

    def read(self, tensors: Mapping[str, Declared]) -> dict[str, Tensor]:
        return read_declared(self._archive, tensors, self.path)


class _Safetensors:
    """A file of safetensors, which stand in the order of their names."""

    ordered = False

    def __init__(self, path: Path, file: str) -> None:
        require_room(path.stat().st_size, path)
        self.path, self.file = path, file
        self.content: dict[str, Declared] = {}
        with _telling(path), safe_open(path, "pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - it is no mapping
                part = opened.get_slice(name)
                shape, dtype = tuple(part.get_shape()), _TYPES.get(part.get_dtype())
                odd = "" if dtype is not None else f"of the type {part.get_dtype()}"
                storage = Storage(name, dtype or torch.uint8, prod(shape))
                self.content[name] = Declared(odd, shape, storage.dtype, storage)

    def read(self, tensors: Mapping[str, Declared]) -> dict[str, Tensor]:
        with _telling(self.path), safe_open(self.path, "pt") as file:
            return {name: file.get_tensor(tensor.storage.key) for name, tensor in tensors.items() if tensor.storage}


@contextmanager
def _telling(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file of safetensors is read, in a line."""
    try:
        yield
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError, OverflowError) as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}; fetch or write it again") from None
