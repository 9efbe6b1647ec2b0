"""Stand-ins for the classes that a pickle names: they keep what they are given, and nothing in them runs."""

import pickle
import sys
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


class RefusedError(pickle.UnpicklingError):
    """The file calls something that neither makes a tensor nor holds plain values."""


class Named(type):
    """Makes the classes of `Inert` objects; calling one is calling what has its name, which most things must not be."""

    origin: str

    def __call__(cls, *_: Any, **__: Any) -> Any:
        if not _holds_values(cls.origin):
            raise RefusedError(cls.origin)
        return cls.make()

    def make(cls) -> "Inert":
        """An object of it, without a call."""
        return Inert.__new__(cls)  # type: ignore[arg-type]


class Inert(dict[Any, Any], metaclass=Named):
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
