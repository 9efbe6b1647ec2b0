"""How much memory one thing may take, asked before it is taken, and what is kept within it."""

import contextlib
import ctypes
import os
import re
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, TypeVar

from explorer.errors import ExplorerError

T = TypeVar("T")
SWITCH = "EXPLORER_MEMORY"
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_WRITTEN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
_ARENA_MAX = -8  # of glibc's malloc.h
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit() -> int:
    """Bytes that one model, data set or file may take: ``$EXPLORER_MEMORY``, else half of what the machine has.

    Raises:
        ExplorerError: the variable holds no amount of memory.
    """
    asked = amount(SWITCH)
    return _of_machine() // 2 if asked is None else asked


def amount(switch: str) -> int | None:
    """Bytes that an environment variable says, as in 8G or 500M; None where it is not set.

    Raises:
        ExplorerError: it holds no amount.
    """
    text = os.environ.get(switch, "").strip()
    if not text:
        return None
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ExplorerError(f"{switch}={text!r} is no amount of bytes: write 8G or 500M")
    return int(float(written[1]) * _UNITS[written[2].upper()])


def require(needed: int, what: str, advice: str) -> None:
    """Refuses what would take too much memory, before any of it is taken.

    Args:
        needed: bytes that `what` will take.
        advice: what to do instead, as a clause: "ask for fewer pictures".

    Raises:
        ExplorerError: that is more than `limit`.
    """
    if needed > (most := limit()):
        raise ExplorerError(
            f"{what} would take {in_words(needed)} of memory, more than the {in_words(most)} that one thing may take: "
            f"{advice}, or set {SWITCH} to more"
        )


def in_words(size: int) -> str:
    """Bytes for a person: ``1.5 GB``, in powers of 1024."""
    amount = float(min(size, 2**60))
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1024
    return f"{amount:.3g} TB" if amount < 1000 else "over 1,000 TB"


def share_pool() -> None:
    """Lets all threads free into one pool: glibc has one for each, and keeps in them as much again as is in use.

    For a server that makes threads as it goes, before it makes any; with another C library nothing happens.
    """
    if (settle := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        settle(_ARENA_MAX, 1)


def give_back() -> None:
    """Gives the system what this process has freed and glibc keeps; with another C library nothing happens."""
    if (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)) is not None:
        trim(0)


@cache
def _of_machine() -> int:
    """Bytes of memory that the machine has, or that its container is given."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            found = min(found, int(Path(path).read_text()))
    return found


_NOT_ITS_OWN = (type, ModuleType, FunctionType, BuiltinFunctionType, MethodType)


class Kept:
    """The latest results of work by key: as many as fit in so many bytes together, and always the last one.

    Of several threads that ask for one thing at once, one makes it and the others wait.

    Args:
        most: gives the bytes that may be kept; asked anew each time.
    """

    def __init__(self, most: Callable[[], int] = limit) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._turns: dict[Hashable, threading.RLock] = {}
        self._taken = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T], extra: int = 0) -> T:
        """What `make` gave for this key, now or before.

        Args:
            extra: bytes that it will take beside those that it holds when it is made.
        """
        with self._lock:
            if key in self._found:
                return self._again(key)
            turn = self._turns.setdefault(key, threading.RLock())
        with turn:
            try:
                with self._lock:
                    if key in self._found:
                        return self._again(key)
                made = make()
                self._keep(key, made, held(made) + extra)
                return made
            finally:
                with self._lock:
                    self._turns.pop(key, None)

    def _again(self, key: Hashable) -> Any:
        self._found.move_to_end(key)
        return self._found[key][0]

    def _keep(self, key: Hashable, made: Any, size: int) -> None:
        with self._lock:
            self._taken += size - self._found.pop(key, (None, 0))[1]
            self._found[key] = made, size
            while self._taken > self._most() and len(self._found) > 1:
                self._taken -= self._found.popitem(last=False)[1][1]

    def clear(self) -> None:
        with self._lock:
            self._found.clear()
            self._taken = 0


KEPT = Kept()
"""What this process keeps of models, data and what was computed of them: one, so that its limit is that of them all."""


def held(value: Any) -> int:
    """Bytes of memory behind a value: what its containers and its objects' attributes hold, each once."""
    seen: set[int] = set()
    total, waiting = 0, [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, _NOT_ITS_OWN):
            continue
        seen.add(id(item))
        total += sys.getsizeof(item, 0)  # of an array with its numbers, unless it is a view
        if callable(storage := getattr(item, "untyped_storage", None)):
            with contextlib.suppress(RuntimeError, NotImplementedError):  # sparse tensors have none
                memory = storage()
                if memory.data_ptr() not in seen:
                    seen.add(memory.data_ptr())
                    total += memory.nbytes()
        elif isinstance(item, Mapping):
            waiting += [*item, *item.values()]
        elif isinstance(item, list | tuple | set | frozenset):
            waiting += item
        waiting += vars(item).values() if hasattr(item, "__dict__") else ()
        waiting += (getattr(item, name, None) for name in getattr(type(item), "__slots__", ()) if isinstance(name, str))
    return total
