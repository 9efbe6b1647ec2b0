"""What nobody foresaw: its trace goes into a file, and a person gets one line that names the file."""

import contextlib
import os
import platform
import tempfile
import time
import traceback
from pathlib import Path

from explorer import cache
from explorer.errors import one_line
from explorer.version import __version__

_KEPT = 20  # traces; each is a few kilobytes
_LONGEST = 2**20  # characters of one


def told(error: BaseException, doing: str) -> str:
    """The line for a person about an error that is a fault of the program, its trace kept in a file.

    Args:
        doing: what was asked, for who reads the trace: a command line, the name of a page or of a job.
    """
    what = f"this is a fault of the program, not of your input ({type(error).__name__}: {one_line(error)})"
    path = kept(error, doing)
    where = f"its trace is in {path}" if path else "its trace could not be written anywhere"
    return f"{what}; {where}: please report it with that file"


def kept(error: BaseException, doing: str) -> Path | None:
    """Writes the trace into a file that only its owner may read; None where nothing can be written.

    The newest twenty are kept in the folder ``mishaps`` of the cache.
    """
    lines = [
        f"explorer {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {doing}",
        f"process {os.getpid()}, started by {os.getppid()}",  # tells several servers' apart, which share the cache
        "",
        *traceback.format_exception(error),
    ]
    text = "\n".join(lines)[:_LONGEST]
    for folder in (cache.folder() / "mishaps", Path(tempfile.gettempdir())):
        with contextlib.suppress(OSError, ValueError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            number, name = tempfile.mkstemp(".txt", time.strftime("%Y%m%d-%H%M%S-"), folder)
            with os.fdopen(number, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
            if folder.name == "mishaps":
                _thin_out(folder)
            return Path(name)
    return None


def _thin_out(folder: Path) -> None:
    """Deletes all but the newest; their names begin with the time."""
    for old in sorted(folder.glob("[0-9]*-[0-9]*-*.txt"))[:-_KEPT]:
        old.unlink(missing_ok=True)
