"""What a `.pth` file says that it holds, found by reading its pickle with nothing behind the names that it calls.

`torch.load` refuses code, but what it may call can take any amount of memory (a storage of a claimed size, a
`bytearray` of any length, entries that unpack to a thousand times their size). So the names in the pickle are first
given stand-ins that only note their arguments; the file is opened for good when these fit each other and the file.
"""

import io
import mmap
import pickle
import pickletools
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch

from explorer import memory
from explorer.errors import ExplorerError, one_line

_ARCHIVE = b"PK\x03\x04"
_LARGEST_PICKLE = 8 * 2**20  # bytes; a state dict of a thousand tensors has 200 kB
_LEGACY_PICKLES, _LEGACY_CONTENT = 5, 3  # magic number, version, machine, content, keys; then the storages' bytes
_DEEPEST = 1000  # containers within one another; the interpreter's own hashing of deep tuples ends the process


class _Refused(pickle.UnpicklingError):
    """The file calls something that isn't a tensor's."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A tensor as the file tells it: what keeps it from being one (empty: nothing), its shape, and its bytes."""

    odd: str
    shape: tuple[int, ...] = ()
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Storage:
    key: str
    width: int  # bytes of an element
    elements: int


def declared(path: Path) -> Any:
    """The content of a file of `torch.save`, with a `Declared` in the place of every tensor.

    Raises:
        pickle.UnpicklingError: it holds something else than tensors and plain values.
        ExplorerError: it is damaged, or would take too much memory.
    """
    try:
        with path.open("rb") as file:
            is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE  # as torch tells them apart
        return _of_archive(path) if is_archive else _of_legacy(path)
    except (_Refused, ExplorerError):
        raise
    except Exception as error:  # a pickle can ask for any operation on anything
        raise ExplorerError(f"{str(path)!r} is damaged: {one_line(error)}") from None


def _of_archive(path: Path) -> Any:
    with zipfile.ZipFile(path) as archive:
        _require(sum(entry.file_size for entry in archive.infolist()), path)
    reader = torch._C.PyTorchFileReader(str(path))  # the sizes as they are seen by what will read them
    sizes = {name: reader.get_record_size(name) for name in reader.get_all_records()}
    _require(sum(sizes.values()), path)
    if sizes["data.pkl"] > _LARGEST_PICKLE:
        raise ValueError("its list of tensors is too large")
    found = _Reader(reader.get_record("data.pkl")).load()
    for storage in found.storages.values():
        if sizes[f"data/{storage.key}"] != storage.elements * storage.width:
            raise ValueError(f"tensor data {storage.key} has another size than is told")
    return found.checked(path)


def _of_legacy(path: Path) -> Any:
    size = path.stat().st_size
    _require(size, path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        found = [_Reader(_next_pickle(content)).load() for _ in range(_LEGACY_PICKLES)]
    storages = [storage for pickled in found for storage in pickled.storages.values()]
    if sum(storage.elements * storage.width for storage in storages) > size:
        raise ValueError("it ends before its tensors do")
    return found[_LEGACY_CONTENT].checked(path)


def _next_pickle(content: mmap.mmap) -> bytes:
    start = content.tell()
    for _ in pickletools.genops(content):
        if content.tell() - start > _LARGEST_PICKLE:
            raise ValueError("its list of tensors is too large")
    return content[start : content.tell()]


def _require(size: int, path: Path) -> None:
    memory.require(2 * size, f"reading {str(path)!r}", "save fewer tensors in it")  # as read, and in the network


class _Reader(pickle.Unpickler):
    """Reads the pickle of a state dict; its names are stand-ins, which `_STANDING_IN` lists."""

    def __init__(self, pickled: bytes) -> None:
        _check_operations(pickled)
        super().__init__(io.BytesIO(pickled))
        self.storages: dict[str, _Storage] = {}
        self.content: Any = None

    def load(self) -> "_Reader":
        self.content = super().load()
        return self

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage"):
            return _storage_type(name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return _width(getattr(torch, name))
        if (module, name) in _STANDING_IN:
            return _Call(_STANDING_IN[module, name])
        raise _Refused(f"{module}.{name}")

    def persistent_load(self, saved: Any) -> _Storage:
        kind, width, key, _, elements, *view = saved
        if kind != "storage" or type(width) is not int or type(elements) is not int or elements < 0 or any(view):
            raise ValueError("a storage is not told as one")
        storage = _Storage(str(key), width, elements)
        if self.storages.setdefault(storage.key, storage).elements != elements:
            raise ValueError(f"tensor data {key} is told twice")
        return storage

    def checked(self, path: Path) -> Any:
        """The content, if all its tensors side by side, none a view of another, fit into memory."""
        tensors = _tensors(self.content)
        _require(sum(tensor.bytes for tensor in tensors), path)
        return self.content


def _tensors(content: Any) -> list[Declared]:
    found, waiting, seen = [], [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Declared):
            found.append(value)
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, Mapping) else value
    return found


def _check_operations(pickled: bytes) -> None:
    """Refuses what harms the unpickler itself: memo places far beyond those that are filled, and endless nesting."""
    stack: list[int] = []  # how deep each of its values is nested; −1 is a mark
    memo: dict[int, int] = {}
    for number, (operation, argument, _) in enumerate(pickletools.genops(pickled)):
        name = operation.name
        if name.endswith("PUT") or name == "MEMOIZE":
            place = len(memo) if argument is None else int(argument)
            if place > number:
                raise ValueError("it is no pickle of torch")
            memo[place] = stack[-1]
        elif name.endswith("GET"):
            stack.append(memo[int(argument)])
        elif name == "MARK":
            stack.append(-1)
        else:
            before = operation.stack_before
            taken = [0]
            if pickletools.markobject in before:
                while (depth := stack.pop()) >= 0:
                    taken.append(depth)
                before = before[: before.index(pickletools.markobject)]
            taken += [stack.pop() for _ in before]
            stack += [max(taken) + 1 if before or len(taken) > 1 else 0] * len(operation.stack_after)
            if stack and stack[-1] > _DEEPEST:
                raise ValueError("it is nested too deep")


@dataclass(frozen=True, slots=True)
class _Call:
    """Stands in for a function; has nothing that a pickle could change."""

    work: Any

    def __call__(self, *arguments: Any) -> Any:
        return self.work(*arguments)


def _storage_type(name: str) -> int:
    """Bytes of an element."""
    if name in ("UntypedStorage", "ByteStorage"):
        return 1
    with warnings.catch_warnings(action="ignore"):
        return _width(getattr(torch, name).dtype)


def _width(dtype: torch.dtype) -> int:
    return torch._utils._element_size(dtype)


def _dense(storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Declared:
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(number) is not int or not 0 <= number < 2**62 for number in numbers):
        raise ValueError("a tensor has no shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.elements:
        raise ValueError("a tensor is larger than its data")
    return Declared("", tuple(shape), prod(shape) * storage.width)


def _dense_of_type(storage: _Storage, offset: int, shape: Any, stride: Any, _: Any, __: Any, width: int) -> Declared:
    return _dense(_Storage(storage.key, width, storage.elements * storage.width // width), offset, shape, stride)


def _no_length(content: Any) -> Any:
    if isinstance(content, int):
        raise ValueError("it asks for room without having content")
    return content


def _odd(what: str) -> Any:
    return lambda *_: Declared(what)


_STANDING_IN = {
    ("torch._utils", "_rebuild_tensor"): _dense,
    ("torch._utils", "_rebuild_tensor_v2"): _dense,
    ("torch._utils", "_rebuild_tensor_v3"): _dense_of_type,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_sparse_tensor"): _odd("sparse"),
    ("torch._utils", "_rebuild_qtensor"): _odd("quantised"),
    ("torch._utils", "_rebuild_nested_tensor"): _odd("nested"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _odd("without values (on the device meta)"),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _odd("of another device"),
    ("torch._tensor", "_rebuild_from_type_v2"): _odd("of a class of its own"),
    ("torch.serialization", "_get_layout"): lambda name: name,
    ("torch", "Size"): lambda sizes=(): tuple(sizes),
    ("torch", "device"): lambda *names: names,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    ("collections", "Counter"): lambda items=(): items,
    ("builtins", "bytearray"): lambda content="", *_: _no_length(content),
    ("__builtin__", "bytearray"): lambda content="", *_: _no_length(content),
    ("builtins", "complex"): complex,
    ("builtins", "set"): lambda items=(): list(items),
    ("__builtin__", "set"): lambda items=(): list(items),
    ("__builtin__", "complex"): complex,
}
for _scheme in (
    "per_tensor_affine",
    "per_tensor_symmetric",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_channel_affine_float_qparams",
):
    _STANDING_IN["torch", _scheme] = _odd("quantised")
