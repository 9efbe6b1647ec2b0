"""How much memory one thing may take: asked before it is taken."""

import contextlib
import os
import re
from functools import cache
from pathlib import Path

from explorer.errors import ExplorerError

SWITCH = "EXPLORER_MEMORY"
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_WRITTEN = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?([KMGT]?)(?:I?B)?", re.IGNORECASE)
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def limit() -> int:
    """Bytes that one model, data set or file may take: ``$EXPLORER_MEMORY``, else half of what the machine has.

    Raises:
        ExplorerError: the variable holds no amount of memory.
    """
    text = os.environ.get(SWITCH, "").strip()
    if not text:
        return _of_machine() // 2
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise ExplorerError(f"{SWITCH}={text!r} is no amount of memory: write 8G or 500M")
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


@cache
def _of_machine() -> int:
    """Bytes of memory that the machine has, or that its container is given."""
    found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in _CGROUPS:
        with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
            found = min(found, int(Path(path).read_text()))
    return found
