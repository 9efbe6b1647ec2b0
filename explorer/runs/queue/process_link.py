"""The desk's end of one worker process: starts it, sends it lines, hears its lines, ends it."""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from explorer.mishaps import kept
from explorer.runs.queue.links import NICE, Event, OnEvent, OnExit

_LONGEST = 4 * 2**20  # bytes of a log; of a longer one the last quarter of that is kept


class ProcessLink:
    """A worker process on this machine. One thread reads its events, another one writes the messages to it.

    What else it prints goes to `log`.

    Args:
        nice: how far it lets other processes go first that want the processors, 0 to 19.
    """

    def __init__(self, lane: str, log: Path, on_event: OnEvent, on_exit: OnExit, *, nice: int = 0) -> None:
        self._on_event, self._on_exit, self._log = on_event, on_exit, log
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "explorer.runs.queue.worker", *([f"{NICE}{nice}"] if nice else [])],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the server's terminal is the server's to handle
            )
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            threading.Thread(target=self._listen, name=f"worker-{lane}", daemon=True),
            threading.Thread(target=self._write, name=f"to-worker-{lane}", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Sends one line, and does not wait until the worker reads it: a long one is more than a pipe holds.

        To a worker that has died it is dropped; its end is reported by the reader.
        """
        if "cancel" not in message:  # before new work the worker is silent
            _shorten(self._log)
        self._lines.put(json.dumps(message).encode() + b"\n")

    def kill(self) -> None:
        self.process.kill()

    def close(self, grace: float) -> None:
        """Asks the worker to leave by closing its input, kills it after `grace` seconds, and hears its end."""
        self._lines.put(None)
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
        for thread in self._threads:
            thread.join()

    def _write(self) -> None:
        """Passes the lines on until there are no more, then closes the worker's input; a dead one reads none."""
        while (line := self._lines.get()) is not None:
            with contextlib.suppress(OSError, ValueError):
                self.process.stdin.write(line)
                self.process.stdin.flush()
        with contextlib.suppress(OSError):
            self.process.stdin.close()

    def _listen(self) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(ValueError):  # the last line of a killed worker may be torn
                self._hear(json.loads(line))
        code = self.process.wait()
        self.process.stdout.close()
        self._lines.put(None)
        self._on_exit(self, _death(code))

    def _hear(self, event: Event) -> None:
        """Passes an event on; one that can't be taken ends the worker, so that its job goes on instead of hanging."""
        try:
            self._on_event(self, event)
        except Exception as error:
            kept(error, f"an event of a worker: {event!r:.1000}")
            self.kill()


def _shorten(log: Path) -> None:
    """Leaves the end of a log that has grown long; who writes into it appends."""
    with contextlib.suppress(OSError), log.open("r+b") as file:
        if file.seek(0, os.SEEK_END) <= _LONGEST:
            return
        file.seek(-_LONGEST // 4, os.SEEK_END)
        end = file.read()
        file.seek(0)
        file.write(end)
        file.truncate()


def _death(code: int) -> str:
    if code == -9:
        return "the worker process was killed, most often because memory ran out"
    return f"the worker process ended unexpectedly ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def _environment() -> dict[str, str]:
    """The worker finds this very `explorer`, wherever the server was started, and its threads wait without spinning.

    Spinning threads take from the server the time that its pages need, and double the job's own on a shared machine.
    """
    package_root = str(Path(__file__).resolve().parents[3])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
    }
