"""What a pickle of tensors says that it holds, read with nothing behind the names that it calls.

`torch.load` refuses code, but what it may call can take any amount of memory (a storage of a claimed size, a
`bytearray` of any length), and it refuses the plain extras of training programs: settings, paths, dates, enumerations.
So no name in a pickle is ever looked up. Functions of tensors are given stand-ins that note their arguments
(`_STANDING_IN`), classes become `Inert` ones that keep what they are given and do nothing, and what calls anything
else is refused as a whole.
"""

import io
import pickle
import pickletools
import sys
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

import torch

_DEEPEST = 1000  # containers within one another; the interpreter's own hashing of deep tuples ends the process
_MOST_CLASSES = 1000  # of one pickle; each takes a kilobyte


class RefusedError(pickle.UnpicklingError):
    """The file calls something that neither makes a tensor nor holds plain values."""


@dataclass(frozen=True, slots=True)
class Storage:
    """The numbers behind a tensor, or behind several: where they lie, what they are, and how many."""

    key: str
    dtype: torch.dtype
    elements: int

    @property
    def bytes(self) -> int:
        return self.elements * width(self.dtype)


@dataclass(frozen=True, slots=True)
class Declared:
    """A tensor as the file tells it: what keeps it from being one (empty: nothing), and where its numbers are."""

    odd: str
    shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    storage: Storage | None = None
    offset: int = 0  # in elements, as the stride
    stride: tuple[int, ...] = ()

    @property
    def bytes(self) -> int:
        return prod(self.shape) * width(self.dtype)


class _Named(type):
    """Makes the classes of `Inert` objects; calling one is calling what has its name, which most things must not be."""

    origin: str

    def __call__(cls, *_: Any, **__: Any) -> Any:
        if not _holds_values(cls.origin):
            raise RefusedError(cls.origin)
        return cls.make()

    def make(cls) -> "Inert":
        """An object of it, without a call."""
        return Inert.__new__(cls)


class Inert(dict[Any, Any], metaclass=_Named):
    """Stands in for an object of a class that is never imported: its entries and attributes, and nothing that runs."""

    origin: str = "object"
    attributes: Mapping[str, Any] = MappingProxyType({})  # an object without any takes no room for them

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, Mapping):
                self.attributes = {**self.attributes, **part}

    def __call__(self, *_: Any, **__: Any) -> Any:
        raise RefusedError(self.origin)

    def _ignore(self, *_: Any) -> None:
        """Entries of a list or a set of a class of its own."""

    append = extend = add = _ignore
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__  # type: ignore[assignment]

    @property
    def is_module(self) -> bool:
        """Whether it was a network: `nn.Module` keeps its parts under these names."""
        return "_modules" in self.attributes and "_parameters" in self.attributes


class Reader(pickle.Unpickler):
    """Reads one pickle; see the head of this file.

    Raises:
        RefusedError: it calls what may not be called.
        ValueError: it would harm the unpickler, or tells of tensors that can't be.
    """

    def __init__(self, pickled: bytes) -> None:
        _check_operations(pickled)
        super().__init__(io.BytesIO(pickled), encoding="latin1")  # as Python 2 wrote bytes
        self.storages: dict[str, Storage] = {}
        self.content: Any = None
        self._classes: dict[str, _Named] = {}

    def load(self) -> "Reader":
        self.content = super().load()
        return self

    def find_class(self, module: str, name: str) -> Any:
        module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))  # of Python 2
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module in ("torch", "torch.storage", "torch.cuda") and name.endswith("Storage"):
            return _type_of(name)
        if module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return getattr(torch, name)
        if (module, name) in _STANDING_IN:
            return _Call(_STANDING_IN[module, name])
        return self._inert(f"{module}.{name}")

    def _inert(self, origin: str) -> _Named:
        if origin not in self._classes and len(self._classes) == _MOST_CLASSES:
            raise ValueError(f"it names more than {_MOST_CLASSES} classes")
        return self._classes.setdefault(origin, _Named("Inert", (Inert,), {"origin": origin}))

    def persistent_load(self, saved: Any) -> Any:
        if saved[0] == "module":  # the class of a network, beside its source
            return saved[1]
        kind, dtype, key, _, elements, *view = saved
        if kind != "storage" or not isinstance(dtype, torch.dtype) or any(view):
            raise ValueError("a storage is not told as one")
        if type(elements) is not int or not 0 <= elements < 2**62:
            raise ValueError("a storage has no size")
        storage = Storage(str(key), dtype, elements)
        if self.storages.setdefault(storage.key, storage).elements != elements:
            raise ValueError(f"tensor data {key} is told twice")
        return storage


def width(dtype: torch.dtype) -> int:
    """Bytes of an element."""
    return torch._utils._element_size(dtype)


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


_VALUES = frozenset(
    "argparse.Namespace types.SimpleNamespace functools.partial logging.getLogger re._compile "
    "zoneinfo.ZoneInfo._unpickle "
    "collections.defaultdict collections.deque collections.UserDict decimal.Decimal fractions.Fraction uuid.UUID "
    "datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone "
    "numpy.dtype numpy.core.multiarray.scalar numpy._core.multiarray.scalar".split()
) | {
    f"{module}.{name}"
    for module, names in {
        "pathlib": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "pathlib._local": "Path PosixPath WindowsPath PurePath PurePosixPath PureWindowsPath",
        "builtins": "object dict list tuple frozenset slice range int float bool str bytes",
    }.items()
    for name in names.split()
}
"""What is called to hold a value, under names that others would be refused by."""


def _holds_values(origin: str) -> bool:
    """Whether a call of it is that of a class whose objects are plain data.

    Nothing is called in either case; but a file that calls what could run code is told to be one. Of the standard
    library and of builtins those in the list hold values; elsewhere classes do, which begin with a capital letter, and
    the private functions by which extensions make their objects again (``__pyx_unpickle_…``); those of torch that make
    tensors have stand-ins.
    """
    package, first = origin.partition(".")[0], origin.rpartition(".")[2][:1]
    if origin in _VALUES or package in sys.stdlib_module_names:
        return origin in _VALUES
    return first.isupper() or (first == "_" and package != "torch")


def _type_of(name: str) -> torch.dtype:
    """Of the elements of a class of storages."""
    if name in ("UntypedStorage", "ByteStorage"):
        return torch.uint8
    with warnings.catch_warnings(action="ignore"):
        return getattr(torch, name).dtype


def _dense(storage: Storage, offset: int, shape: Any, stride: Any, *more: Any) -> Declared:
    """`_rebuild_tensor` and `_rebuild_tensor_v2`, whose last argument tells of numbers that are stored otherwise."""
    return _view(storage, storage.dtype, offset, shape, stride, more[2:])


def _dense_of_type(
    storage: Storage, offset: int, shape: Any, stride: Any, _: Any, __: Any, dtype: torch.dtype, *more: Any
) -> Declared:
    if not isinstance(dtype, torch.dtype):
        raise ValueError("a tensor has no type")
    return _view(storage, dtype, offset, shape, stride, more)


def _view(storage: Storage, dtype: torch.dtype, offset: int, shape: Any, stride: Any, more: Any) -> Declared:
    numbers = (offset, *shape, *stride)
    if len(shape) != len(stride) or any(type(number) is not int or not 0 <= number < 2**62 for number in numbers):
        raise ValueError("a tensor has no shape")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if 0 not in shape and last >= storage.bytes // width(dtype):
        raise ValueError("a tensor is larger than its data")
    odd = "conjugated or negated" if any(part and any(part.values()) for part in more) else ""
    return Declared(odd, tuple(shape), dtype, storage, offset, tuple(stride))


def _of_class(rebuild: Any, kind: Any, arguments: Any, _: Any) -> Declared:
    """A tensor of a class, or one that was given attributes, of which a plain one has no need."""
    plain = getattr(kind, "origin", "") in ("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter")
    return rebuild(*arguments) if plain and isinstance(rebuild, _Call) else Declared("of a class of its own")


def _no_length(content: Any) -> Any:
    if isinstance(content, int):
        raise ValueError("it asks for room without having content")
    return content


def _object(kind: Any, _: Any = None, entries: Any = None, *__: Any) -> Inert:
    """An object that is made without calling its class; one that is a dictionary, too, with its entries."""
    if not isinstance(kind, _Named):
        raise ValueError("it makes an object of no class")
    made = kind.make()
    made.update(entries if isinstance(entries, Mapping) else {})
    return made


def _attribute(kind: Any, name: Any) -> Inert:
    """A member of an enumeration; anything else that is asked of a class can't be called either."""
    found = Inert.make()
    found.origin = f"{getattr(kind, 'origin', 'object')}.{name}"
    return found


def _odd(what: str) -> Any:
    return lambda *_: Declared(what)


_STANDING_IN = {
    ("torch._utils", "_rebuild_tensor"): _dense,
    ("torch._utils", "_rebuild_tensor_v2"): _dense,
    ("torch._utils", "_rebuild_tensor_v3"): _dense_of_type,
    ("torch._utils", "_rebuild_parameter"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_parameter_with_state"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_device_tensor_from_cpu_tensor"): lambda tensor, *_: tensor,
    ("torch._utils", "_rebuild_sparse_tensor"): _odd("sparse"),
    ("torch._utils", "_rebuild_qtensor"): _odd("quantised"),
    ("torch._utils", "_rebuild_nested_tensor"): _odd("nested"),
    ("torch._utils", "_rebuild_meta_tensor_no_storage"): _odd("without values (on the device meta)"),
    ("torch._utils", "_rebuild_device_tensor_from_numpy"): _odd("of another device"),
    ("torch._utils", "_rebuild_wrapper_subclass"): _odd("of a class of its own"),
    ("torch._tensor", "_rebuild_from_type_v2"): _of_class,
    ("torch.serialization", "_get_layout"): lambda name: name,
    ("torch", "Size"): lambda sizes=(): tuple(sizes),
    ("torch", "device"): lambda *names: names,
    ("numpy.core.multiarray", "_reconstruct"): _object,
    ("numpy._core.multiarray", "_reconstruct"): _object,
    ("numpy._core.numeric", "_frombuffer"): lambda *_: Inert.make(),
    ("numpy.core.numeric", "_frombuffer"): lambda *_: Inert.make(),
    ("copyreg", "_reconstructor"): _object,
    ("copyreg", "__newobj__"): _object,
    ("copyreg", "__newobj_ex__"): _object,
    ("builtins", "getattr"): _attribute,
    ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
    ("collections", "Counter"): lambda items=(): items,
    ("builtins", "bytearray"): lambda content="", *_: _no_length(content),
    ("builtins", "complex"): complex,
    ("builtins", "set"): lambda items=(): list(items),
}
for _scheme in (
    "per_tensor_affine",
    "per_tensor_symmetric",
    "per_channel_affine",
    "per_channel_symmetric",
    "per_channel_affine_float_qparams",
):
    _STANDING_IN["torch", _scheme] = _odd("quantised")
