"""The desk's end of one worker process: starts it, sends it lines, hears its lines, ends it."""

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from explorer.device import choose_device

Event = dict[str, Any]
OnEvent = Callable[["Link", Event], None]
OnExit = Callable[["Link", str], None]


class Link(Protocol):
    """A place of work, reached from the desk.

    From a thread of its own it calls `on_event(link, event)` for each of the work's events, see `explorer.runs.worker`,
    and `on_exit(link, what happened)` when it has come to its end and can't be used any longer.
    """

    @property
    def pid(self) -> int: ...

    def send(self, message: dict[str, Any]) -> None:
        """Passes a message on; where the place is gone it is dropped, and `on_exit` is called or has been."""

    def kill(self) -> None:
        """Ends the work at once."""

    def close(self, grace: float) -> None:
        """Ends the place of work within about `grace` seconds, and waits for that."""


def on_cluster() -> bool:
    """Whether work is done on a Ray cluster instead of this machine."""
    return bool(os.environ.get("RAY_ADDRESS"))


def lane_of(device: str) -> str:
    """The name of the queue for a spec's device: one for each device here, one for each kind on a cluster.

    Raises:
        ExplorerError: the device is not present on this machine.
    """
    if on_cluster():
        return f"Ray {device}"
    found = choose_device(device)
    return "cuda:0" if str(found) == "cuda" else str(found)


def connect(lane: str, log: Path, on_event: OnEvent, on_exit: OnExit) -> Link:
    """A place of work for the jobs of a queue; what its libraries print goes to `log`, or to Ray's.

    Raises:
        ExplorerError: Ray is asked for and can't be used.
        OSError: no process can be started.
    """
    if lane.startswith("Ray "):
        from explorer.runs.ray_link import RayLink

        return RayLink(lane.removeprefix("Ray "), on_event, on_exit)
    return ProcessLink(lane, log, on_event, on_exit)


class ProcessLink:
    """A worker process on this machine. One thread reads its events; what else it prints goes to `log`."""

    def __init__(self, device: str, log: Path, on_event: OnEvent, on_exit: OnExit) -> None:
        self._on_event, self._on_exit = on_event, on_exit
        with log.open("ab") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "explorer.runs.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                env=_environment(),
                start_new_session=True,  # Ctrl-C at the server's terminal is the server's to handle
            )
        self._thread = threading.Thread(target=self._listen, name=f"worker-{device}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    def send(self, message: dict[str, Any]) -> None:
        """Sends one line; to a worker that has died it is dropped, its end is reported by the reader."""
        with contextlib.suppress(OSError, ValueError):
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()

    def close(self, grace: float) -> None:
        """Asks the worker to leave by closing its input, kills it after `grace` seconds, and hears its end."""
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._thread.join()

    def _listen(self) -> None:
        for line in self.process.stdout:
            with contextlib.suppress(json.JSONDecodeError):  # the last line of a killed worker may be torn
                self._on_event(self, json.loads(line))
        code = self.process.wait()
        self.process.stdout.close()
        self._on_exit(self, _death(code))


def _death(code: int) -> str:
    if code == -9:
        return "the worker process was killed, most often because memory ran out"
    return f"the worker process ended unexpectedly ({f'signal {-code}' if code < 0 else f'exit code {code}'})"


def _environment() -> dict[str, str]:
    """The worker finds this very `explorer`, wherever the server was started, and its threads wait without spinning.

    Spinning threads take from the server the time that its pages need, and double the job's own on a shared machine.
    """
    package_root = str(Path(__file__).resolve().parents[2])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
    }
