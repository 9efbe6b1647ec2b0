"""Runs command lines in children of one warm process, and says what was wrong with how they ended."""

import contextlib
import hashlib
import os
import re
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

MEMORY = 512 * 2**20  # what one thing may take: EXPLORER_MEMORY of the children
BOUND = 2 * 2**30  # bytes that a child may ever hold, the imported libraries included
CEILING = 8 * 2**30  # where the system refuses, so that a fault can't take the machine with it
PATIENCE = 60.0  # seconds
_BESIDE = re.compile(r"warning: | {0,2}[0-9]+%  ")  # what standard error may tell besides the error
SUCCESS, FELL_SHORT, BAD = 0, 1, 2


@dataclass(frozen=True)
class Ended:
    """How a command line ended; `code` is negative for a signal, `peak` in bytes, `seconds` by the wall clock."""

    line: list[str]
    code: int
    errors: str
    answer: str
    peak: int
    seconds: float
    traces: int
    left: list[str]

    @property
    def faults(self) -> list[str]:
        """What is wrong with it; a command that did its work, or was still at it, is no fault."""
        found = []
        lines = [line for line in self.errors.splitlines() if not _BESIDE.match(line)]
        if "Traceback" in self.errors or self.traces:
            found.append("a traceback")
        if self.peak > BOUND:
            found.append(f"{self.peak / 2**20:.0f} MB of memory")
        if self.late:
            return found
        if self.code not in (SUCCESS, FELL_SHORT, BAD):
            found.append(f"exit code {self.code}")
        if self.code == BAD and (len(lines) != 1 or not lines[0].startswith("error: ") or len(lines[0]) > 2000):
            found.append(f"{len(lines)} lines on standard error")
        if self.code == BAD and self.answer:
            found.append("an answer in spite of an error")
        if self.code == BAD and self.left:
            found.append(f"files left or changed: {', '.join(self.left[:5])}")
        return found

    @property
    def late(self) -> bool:
        return self.code == -signal.SIGKILL and self.seconds >= PATIENCE

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "faults": self.faults}


class Running:
    """A folder for command lines, and processes that carry them out there."""

    def __init__(self, folder: Path, make: Callable[[Path], None]) -> None:
        self.root, self._beside = folder / "files", folder / "beside"
        self.root.mkdir(parents=True)
        self._beside.mkdir()
        make(self.root)
        self._before = snapshot(self.root)

    def run(self, line: list[str]) -> Ended:
        """One command line, in a child with folders of its own for everything that is not the damaged files."""
        place = self._beside / "place"
        for name in ("home", "tmp", "cache", "runs", "work"):
            (place / name).mkdir(parents=True)
        before, start = snapshot(place), time.monotonic()
        child = os.fork()
        if child == 0:
            _child(line, place)
        code, usage = _wait(child, start + PATIENCE)
        seconds = time.monotonic() - start
        errors, answer = ((place / name).read_text(errors="replace") for name in ("stderr", "stdout"))
        traces = len(list((place / "cache").glob("mishaps/*")))
        kept = {name for name in snapshot(place) if name.startswith(("stderr", "stdout", "cache/"))}
        left = [*_different(before, snapshot(place), kept), *_different(self._before, snapshot(self.root))]
        shutil.rmtree(place)
        if left:
            self._before = snapshot(self.root)
        return Ended(line, code, errors, answer, usage.ru_maxrss * 1024, seconds, traces, left)


def snapshot(folder: Path) -> dict[str, str]:
    """What lies in a folder, by its path: what it is, and what it holds."""
    found = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = f"link to {os.readlink(path)}"
        elif path.is_file():
            found[name] = hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        else:
            found[name] = "folder" if path.is_dir() else "special"
    return found


def _different(before: dict[str, str], after: dict[str, str], kept: set[str] = frozenset()) -> list[str]:
    return sorted(
        name for name in before.keys() | after.keys() if name not in kept and before.get(name) != after.get(name)
    )


def _wait(child: int, deadline: float) -> tuple[int, resource.struct_rusage]:
    """Waits until a child has ended, or ends it at the deadline."""
    while True:
        pid, status, usage = os.wait4(child, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status), usage
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
        time.sleep(0.01)


def _child(line: list[str], place: Path) -> None:
    code = 70
    try:
        os.setpgid(0, 0)
        resource.setrlimit(resource.RLIMIT_DATA, (CEILING, CEILING))
        names = {"HOME": "home", "TMPDIR": "tmp", "EXPLORER_CACHE": "cache", "EXPLORER_RUNS": "runs"}
        os.environ.update({key: str(place / name) for key, name in names.items()})
        os.environ.update({"EXPLORER_MEMORY": f"{MEMORY // 2**20}M", "EXPLORER_TRACK": "0", "HF_HUB_OFFLINE": "1"})
        os.chdir(place / "work")
        for number, name in ((0, "/dev/null"), (1, place / "stdout"), (2, place / "stderr")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT), number)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, errors="backslashreplace", closefd=False)
            for number, mode in ((0, "r"), (1, "w"), (2, "w"))
        )
        from explorer.cli import main

        code = main(line)
        sys.stdout.flush()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stderr.flush()
        os._exit(code)
