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
import warnings
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from explorer.sources.weights.inert import Inert, Named

_DEEPEST = 1000  # containers within one another; the interpreter's own hashing of deep tuples ends the process
_MOST_CLASSES = 1000  # of one pickle; each takes a kilobyte


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
        self._classes: dict[str, Named] = {}

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

    def _inert(self, origin: str) -> Named:
        if origin not in self._classes and len(self._classes) == _MOST_CLASSES:
            raise ValueError(f"it names more than {_MOST_CLASSES} classes")
        return self._classes.setdefault(origin, Named("Inert", (Inert,), {"origin": origin}))

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
            stack.append(memo[int(argument or 0)])
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
    if not isinstance(kind, Named):
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
