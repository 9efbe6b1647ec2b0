"""Files of `torch.save`, in both of its formats: what they say that they hold, and single tensors of it.

Nothing in them is unpickled: `pickles` reads what they say, that is held against the file, and the numbers of those
tensors that are asked for are read where it says that they lie.
"""

import mmap
import pickletools
import struct
import sys
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor

from explorer import memory
from explorer.errors import ExplorerError, one_line
from explorer.sources.weights.inert import RefusedError
from explorer.sources.weights.pickles import Declared, Reader, Storage

_ZIP = b"PK\x03\x04"  # as torch tells its two formats apart
_PICKLES = (b"\x80", b"L")  # of protocol 2 and above, and a number in those below
_LARGEST_PICKLE = 8 * 2**20  # bytes; a state dict of a thousand tensors has 200 kB
_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the old format
_LEGACY_PICKLES = 5  # magic number, version, machine, content, keys; then the storages' bytes, each after its length
_PLAIN_PICKLE = (
    "it is a plain pickle, which only its own program can read: load it there, and save with"
    " torch.save(model.state_dict(), PATH)"
)


class Archive(Protocol):
    """An open file.

    Args:
        content: what it holds, with a `Declared` in the place of every tensor.
    """

    content: Any

    def numbers(self, storage: Storage) -> torch.UntypedStorage:
        """The numbers of a storage, on the CPU."""
        ...


def open_archive(path: Path) -> Archive:
    """A file of `torch.save`.

    Raises:
        ExplorerError: it is damaged, would take too much memory, or calls something else than tensors and plain values.
    """
    if not is_archive(path):
        raise ExplorerError(
            f"{str(path)!r} is damaged, or no file of weights: it begins neither as those of torch.save nor as"
            " safetensors; fetch or write it again"
        )
    with telling(path):
        return _Zip(path) if _begins(path, _ZIP) else _Legacy(path)


def is_archive(path: Path) -> bool:
    """Whether a file begins as those of `torch.save` do: as a zip archive or as a pickle."""
    return _begins(path, _ZIP, *_PICKLES)


def _begins(path: Path, *beginnings: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(4).startswith(beginnings)


def read_declared(archive: Archive, tensors: Mapping[str, Declared], path: Path) -> dict[str, Tensor]:
    """The values of some tensors, each with memory of its own.

    Raises:
        ExplorerError: the file is damaged, or all of them side by side, none a view of another, don't fit into memory.
    """
    require_room(sum(tensor.bytes for tensor in tensors.values()), path)
    held: dict[str, torch.UntypedStorage] = {}
    found = {}
    with telling(path):
        for name, tensor in tensors.items():
            assert tensor.storage is not None
            if tensor.storage.key not in held:
                held[tensor.storage.key] = archive.numbers(tensor.storage)
            whole = torch.empty(0, dtype=tensor.dtype).set_(  # a view, which is checked against the storage's size
                held[tensor.storage.key], tensor.offset, tensor.shape, tensor.stride
            )
            found[name] = whole.clone(memory_format=torch.contiguous_format)
    return found


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Whatever goes wrong while a file is read, in a line: a pickle can ask for any operation on anything."""
    try:
        yield
    except ExplorerError:
        raise
    except RefusedError as error:
        raise ExplorerError(
            f"{str(path)!r} holds more than tensors and plain values, {_short(str(error))}, which could run code, so it"
            " was not opened: save the state dict alone, torch.save(model.state_dict(), PATH)"
        ) from None
    except Exception as error:
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None


def require_room(size: int, path: Path) -> None:
    """See `memory.require`: as it is read, and in the network."""
    memory.require(2 * size, f"reading {str(path)!r}", "save fewer tensors in it")


class _Zip:
    """As written since PyTorch 1.6: a zip archive with a pickle and a record for every storage."""

    def __init__(self, path: Path) -> None:
        with zipfile.ZipFile(path) as archive:
            require_room(sum(entry.file_size for entry in archive.infolist()), path)
        self._file = torch._C.PyTorchFileReader(str(path))  # the sizes as they are seen by what will read them
        sizes = {name: self._file.get_record_size(name) for name in self._file.get_all_records()}
        require_room(sum(sizes.values()), path)
        if sizes["data.pkl"] > _LARGEST_PICKLE:
            raise ValueError("its list of tensors is too large")
        order = self._file.get_record("byteorder") if "byteorder" in sizes else b"little"
        _require_order(order.decode("latin1"))
        found = Reader(self._file.get_record("data.pkl")).load()
        for storage in found.storages.values():
            if sizes[f"data/{storage.key}"] != storage.bytes:
                raise ValueError(f"tensor data {storage.key} has another size than is told")
        self.content = found.content

    def numbers(self, storage: Storage) -> torch.UntypedStorage:
        record = self._file.get_storage_from_record(f"data/{storage.key}", storage.bytes, torch.uint8)
        return record.untyped_storage()


class _Legacy:
    """As written before: five pickles, then the numbers of all storages."""

    def __init__(self, path: Path) -> None:
        self._path, size = path, path.stat().st_size
        require_room(size, path)
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            if Reader(_next_pickle(content)).load().content != _MAGIC:
                raise ExplorerError(f"{str(path)!r} was not opened: {_PLAIN_PICKLE}")
            _, machine, held, keys = [Reader(_next_pickle(content)).load() for _ in range(_LEGACY_PICKLES - 1)]
            _require_order("little" if machine.content.get("little_endian", True) else "big")
            if sum(storage.bytes for storage in held.storages.values()) > size:
                raise ValueError("it ends before its tensors do")
            self.content = held.content
            self._places = _places(content, [held.storages[key] for key in keys.content])

    def numbers(self, storage: Storage) -> torch.UntypedStorage:
        with self._path.open("rb") as file:
            file.seek(self._places[storage.key])
            content = bytearray(file.read(storage.bytes))
        if len(content) != storage.bytes:
            raise ValueError("it ends before its tensors do")
        return torch.frombuffer(content, dtype=torch.uint8).untyped_storage() if content else torch.UntypedStorage(0)


def _places(content: mmap.mmap, storages: list[Storage]) -> dict[str, int]:
    """Where the numbers of each storage begin, which follow one another behind the pickles."""
    found = {}
    for storage in storages:
        (elements,) = struct.unpack("<q", content.read(8))
        if elements != storage.elements:
            raise ValueError(f"tensor data {storage.key} has another size than is told")
        found[storage.key] = content.tell()
        content.seek(found[storage.key] + storage.bytes)
    return found


def _next_pickle(content: mmap.mmap) -> bytes:
    start = content.tell()
    for _ in pickletools.genops(content):  # type: ignore[arg-type] # it can be read like a file
        if content.tell() - start > _LARGEST_PICKLE:
            raise ValueError("its list of tensors is too large")
    return content[start : content.tell()]


def _require_order(order: str) -> None:
    if order != sys.byteorder:
        raise ValueError(f"its numbers have their bytes in the order of another machine ({order[:9]}-endian)")


def _short(text: str) -> str:
    return ascii(text)[1:-1] if len(text) <= 80 else ascii(text[:77])[1:-1] + "…"
