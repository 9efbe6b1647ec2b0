"""The desk's end of work on a Ray cluster: an actor per job, behind the interface of `links.Link`."""

import atexit
import importlib.util
import json
import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.runs.queue.job import FILE
from explorer.runs.queue.links import OnEvent, OnExit
from explorer.runs.queue.worker import Worker
from explorer.strict_json import dumps

_PROJECT = Path(__file__).resolve().parents[3]
_NEEDED = ("explorer", "assets")  # of the project on a node
_exiting = threading.Event()


def environment() -> dict[str, Any]:
    """Ray's runtime environment of the jobs: the code and the bundled models travel with them."""
    others = [f"/{path.name}" for path in _PROJECT.iterdir() if path.name not in _NEEDED]
    return {"working_dir": str(_PROJECT), "excludes": others, "env_vars": {"OMP_WAIT_POLICY": "PASSIVE"}}


class RayLink:
    """Does the jobs that it is sent on the cluster that ``$RAY_ADDRESS`` names, each in an actor of its own.

    A job takes one GPU of the cluster where its device is one, and as many CPUs as ``$OMP_NUM_THREADS`` tells, else
    one; a `short` one takes none, so that it waits for no CPU that long ones have. The code travels with it; the
    requirements must be installed on the nodes, and the folder of the runs must be on a file system that they share.
    The actor ends with its job, and with the server.

    Args:
        device: "auto" (a GPU where the cluster has any), "cpu", or "cuda" with or without an index.

    Raises:
        ExplorerError: Ray is not installed, or the address is the port of its client.
    """

    def __init__(self, device: str, on_event: OnEvent, on_exit: OnExit, *, short: bool = False) -> None:
        if importlib.util.find_spec("ray") is None:
            raise ExplorerError('RAY_ADDRESS is set, but Ray is not installed: pip install "ray>=2.50,<3", or unset it')
        if os.environ["RAY_ADDRESS"].startswith("ray://"):
            raise ExplorerError(
                "RAY_ADDRESS names the port of Ray's client, which can't stream: start the app on a node of the "
                "cluster, with its HOST:PORT or auto"
            )
        self._device, self._on_event, self._on_exit, self._short = device, on_event, on_exit, short
        self._lock = threading.Lock()
        self._actor: Any = None
        self._ended = False
        self._thread = threading.Thread()

    @property
    def pid(self) -> int | None:
        """Process id of the running job's actor on its node; None between two jobs."""
        import ray

        with self._lock:
            actor = self._actor
        return None if actor is None else ray.get(actor.pid.remote())

    def send(self, message: dict[str, Any]) -> None:
        """Starts the job of ``{"run": folder, "job": id}``, or passes ``{"cancel": id}`` on."""
        if "run" in message:
            self._thread = threading.Thread(target=self._do, args=(message["run"], message["job"]), daemon=True)
            self._thread.start()
            return
        with self._lock:
            if self._actor is not None:
                self._actor.cancel.remote(message["cancel"])

    def kill(self) -> None:
        import ray

        with self._lock:
            self._ended = True
            if self._actor is not None:
                ray.kill(self._actor)

    def close(self, grace: float) -> None:
        """Ends the actor: its finished steps are on disk, and it leaves nothing else behind."""
        if self._thread.is_alive():
            self.kill()
            self._thread.join(grace)

    def _do(self, folder: str, id: str) -> None:
        """One job from its start to its last event; the actor's death ends the link."""
        import ray

        actor = None
        try:
            actor = self._start(id)
            for line in actor.run.options(num_returns="streaming").remote(folder, id):
                self._on_event(self, json.loads(ray.get(line)))
        except ConnectionError:
            address = os.environ["RAY_ADDRESS"]
            self._tell(id, "failed", error=f"no Ray cluster answers at RAY_ADDRESS={address}: start it, or unset it")
        except ray.exceptions.RayError as error:
            if not _exiting.is_set():  # at the end of the server Ray stops before the desk closes
                self._on_exit(self, f"the worker on the Ray cluster ended unexpectedly ({_words(error)})")
        finally:
            with self._lock:
                if self._actor is actor:  # the next job may have its own by now
                    self._actor = None
            if actor is not None and not _exiting.is_set():
                ray.kill(actor)

    def _start(self, id: str) -> Any:
        """An actor that waits for room on the cluster."""
        import ray

        if not ray.is_initialized():
            atexit.register(_exiting.set)
            ray.init(runtime_env=environment(), log_to_driver=False)
        gpus = int(self._device.startswith("cuda") or (self._device == "auto" and "GPU" in ray.cluster_resources()))
        cpus = 0 if self._short else int(os.environ.get("OMP_NUM_THREADS", 1))
        room = " and ".join([*[f"{cpus} CPU{'s' * (cpus > 1)}"] * (cpus > 0), *["a GPU"] * gpus]) or "a node"
        self._tell(id, "progress", fraction=0.0, message=f"waiting for {room} of the Ray cluster", metrics={})
        seat = ray.remote(_Seat).options(num_cpus=cpus, num_gpus=gpus, max_concurrency=3)
        with self._lock:
            self._actor = seat.remote()
            if self._ended:
                ray.kill(self._actor)
            return self._actor

    def _tell(self, id: str, event: str, **fields: Any) -> None:
        self._on_event(self, {"event": event, "job": id, **fields})


class _Seat:
    """The actor: a worker for one job, whose events are the lines that `run` gives."""

    def __init__(self) -> None:
        self._lines = _Lines()
        self._worker = Worker((), self._lines)

    def pid(self) -> int:
        return os.getpid()

    def cancel(self, id: str) -> None:
        self._worker.cancel(id)

    def run(self, folder: str, id: str) -> Iterator[str]:
        if not (Path(folder) / FILE).is_file():
            where = f"{folder} can't be seen on node {os.uname().nodename} of the Ray cluster"
            error = f"{where}: set EXPLORER_RUNS to a folder that all nodes share"
            yield dumps({"event": "failed", "job": id, "error": error})
            return
        threading.Thread(target=self._work, args=(Path(folder), id), daemon=True).start()
        while (line := self._lines.queue.get()) is not None:
            yield line

    def _work(self, folder: Path, id: str) -> None:
        try:
            self._worker.run(folder, id)
        finally:
            self._lines.queue.put(None)


class _Lines:
    """A text stream for `print` that is read from another thread."""

    def __init__(self) -> None:
        self.queue: queue.SimpleQueue[str | None] = queue.SimpleQueue()

    def write(self, text: str) -> None:
        if text != "\n":
            self.queue.put(text)

    def flush(self) -> None:
        pass


def _words(error: Exception) -> str:
    """What happened, in a line: Ray tells an actor's death first, and an error inside it last."""
    from ray.exceptions import RayTaskError

    return str(error).strip().splitlines()[-1 if isinstance(error, RayTaskError) else 0]
