"""How much of its time this process has waited for a processor that others had: what makes a measured time too long."""

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

DISTURBED = 0.1  # of the time of a measurement, from which on what was timed is told to be too long
_THREADS = Path("/proc/self/task")
_NANOSECOND = 1e-9


def waited() -> float | None:
    """Seconds for which the threads of this process were ready to run and had no processor, since it started.

    Linux counts it for every thread; None on systems that do not.
    """
    total, known = 0, False
    with contextlib.suppress(OSError):
        for thread in _THREADS.iterdir():
            with contextlib.suppress(OSError, ValueError, IndexError):  # a thread that has ended meanwhile
                total += int((thread / "schedstat").read_text().split()[1])
                known = True
    return total * _NANOSECOND if known else None


def disturbed(latencies: Iterable[Mapping[str, Any]]) -> bool:
    """Whether any of the latencies of a measurement was timed while others had the processors.

    Args:
        latencies: as `explorer.evaluation.timing.Latency` is written; those of earlier versions do not tell.
    """
    return any((found.get("waited") or 0.0) > DISTURBED for found in latencies)
