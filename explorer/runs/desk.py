"""The desk takes jobs, queues them per device, and lets one worker process per device do them."""

import atexit
import json
import os
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from explorer.device import choose_device
from explorer.errors import ExplorerError, unknown
from explorer.runs.job import FILE, Job
from explorer.runs.kinds import KINDS
from explorer.runs.link import Event, Link
from explorer.runs.spec import Spec

QUEUE_LIMIT = 8
GRACE = 5.0


@dataclass
class _Lane:
    """One device: its queue, its worker, the job that the worker is at."""

    device: str
    queue: deque[Job] = field(default_factory=deque)
    link: Link | None = None
    current: Job | None = None
    stopping: bool = False


class Desk:
    """Runs slow work outside the server process, so that nothing in it can take the server down.

    Results lie in ``root/<timestamp>-<id>/``. A worker starts with the first job, stays warm, and is
    replaced when it dies. Every method may be called from any thread; jobs are handed out as copies.

    Args:
        root: folder of the runs; by default ``$EXPLORER_RUNS``, else ``runs``.
        grace: seconds a cancelled job has to stop by itself before its worker is killed.
        limit: jobs that one owner may have waiting.
    """

    def __init__(self, root: Path | str | None = None, *, grace: float = GRACE, limit: int = QUEUE_LIMIT) -> None:
        self._root = root
        self._grace = grace
        self._limit = limit
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._lanes: dict[str, _Lane] = {}
        self._recalled = False
        self._closed = False

    @property
    def root(self) -> Path:
        return Path(self._root or os.environ.get("EXPLORER_RUNS") or "runs").absolute()

    def submit(self, request: Spec | dict[str, Any], owner: str = "", title: str = "") -> str:
        """Queues a job and returns its id.

        `request` is a `Spec` (a prune run) or ``{"kind": ..., "spec": {...}, ...}``, see `explorer.runs.kinds`.

        Raises:
            ExplorerError: an unknown kind, a bad spec or device, too many jobs waiting, no room for the folder.
        """
        if isinstance(request, Spec):
            request = {"kind": "prune", "spec": request.to_json()}
        kind = KINDS.get(request.get("kind", ""))
        if kind is None:
            raise unknown("kind of job", str(request.get("kind")), KINDS)
        spec = kind.check(request)
        device = str(choose_device(spec.device))
        with self._lock:
            self._recall()
            waiting = sum(job.owner == owner and job.state == "queued" for job in self._jobs.values())
            if waiting >= self._limit:
                raise ExplorerError(f"{waiting} runs are waiting already: cancel one or wait until one has finished")
            job = self._create(request, owner, title or kind.title, device)
            self._jobs[job.id] = job
            lane = self._lanes.setdefault(device, _Lane(device))
            lane.queue.append(job)
            self._advance(lane)
            return job.id

    def job(self, id: str) -> Job:
        """A copy of the job as it stands.

        Raises:
            ExplorerError: there is no such job.
        """
        with self._lock:
            return self._find(id).copy()

    def jobs(self, owner: str | None = None) -> list[Job]:
        """Copies of all jobs, newest first, finished ones of earlier servers included."""
        with self._lock:
            self._recall()
            chosen = [job for job in self._jobs.values() if owner is None or job.owner == owner]
            return [job.copy() for job in sorted(chosen, key=lambda job: job.created, reverse=True)]

    def position(self, id: str) -> int:
        """How many jobs must end before this one starts; 0 when it is running or has ended."""
        with self._lock:
            job = self._find(id)
            if job.state != "queued":
                return 0
            lane = self._lanes[job.device]
            return lane.queue.index(job) + (lane.current is not None)

    def cancel(self, id: str) -> None:
        """Stops a job: at once when it waits, within one batch when it runs, by force after the grace."""
        with self._lock:
            job = self._find(id)
            lane = self._lanes.get(job.device)
            if job.state == "queued":
                lane.queue.remove(job)
                self._end(job, "cancelled")
            elif job.state == "running":
                lane.stopping = True
                lane.link.send({"cancel": job.id})
                timer = threading.Timer(self._grace, self._force, (lane, lane.link, job))
                timer.daemon = True
                timer.start()

    def workers(self) -> dict[str, int]:
        """Process id of every device's worker that is alive."""
        with self._lock:
            return {device: lane.link.pid for device, lane in self._lanes.items() if lane.link}

    def close(self) -> None:
        """Ends all workers; running jobs are cancelled. Called at interpreter exit."""
        with self._lock:
            self._closed = True
            links = []
            for lane in self._lanes.values():
                if lane.link:
                    links.append((lane.link, self._grace if lane.current else 0.0))
                for job in [*lane.queue, *filter(None, [lane.current])]:
                    self._end(job, "cancelled")
                lane.queue.clear()
        for link, grace in links:
            link.close(grace)

    def _create(self, request: dict[str, Any], owner: str, title: str, device: str) -> Job:
        id = uuid.uuid4().hex[:12]
        directory = self.root / f"{time.strftime('%Y%m%d-%H%M%S')}-{id}"
        job = Job(id, owner, title, request, device, str(directory))
        try:
            directory.mkdir(parents=True)
            job.save()
        except OSError as error:
            raise ExplorerError(
                f"can't write the run's folder {directory}: {error.strerror}; set EXPLORER_RUNS to a writable folder"
            ) from None
        return job

    def _find(self, id: str) -> Job:
        self._recall()
        if id not in self._jobs:
            raise ExplorerError(f"there is no run {id!r}: it may have been deleted")
        return self._jobs[id]

    def _recall(self) -> None:
        """Reads once what earlier servers have left; what they did not finish counts as failed."""
        if self._recalled:
            return
        self._recalled = True
        for path in sorted(self.root.glob(f"*/{FILE}")):
            try:
                job = Job.from_json(json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue  # not one of ours
            job.directory = str(path.parent)
            job.finish("failed", error="the server stopped before this run had finished: start it again")
            self._jobs[job.id] = job

    def _advance(self, lane: _Lane) -> None:
        """Hands the next job to the lane's worker when it has none."""
        if self._closed or lane.current is not None or not lane.queue:
            return
        job = lane.queue.popleft()
        try:
            lane.link = lane.link or Link(lane.device, self._log(lane.device), self._on_event, self._on_exit)
        except OSError as error:
            self._end(job, "failed", error=f"no worker process could be started: {error.strerror}")
            self._advance(lane)
            return
        lane.current, lane.stopping = job, False
        job.start()
        self._save(job)
        lane.link.send({"run": job.directory})

    def _log(self, device: str) -> Path:
        return self.root / f"worker-{device.replace(':', '-')}.log"

    def _end(self, job: Job, state: str, **outcome: Any) -> None:
        job.finish(state, **outcome)
        self._save(job)

    def _save(self, job: Job) -> None:
        try:
            job.save()
        except OSError as error:
            job.warnings.append(f"this run's record could not be saved: {error.strerror}")

    def _lane_of(self, link: Link) -> _Lane | None:
        return next((lane for lane in self._lanes.values() if lane.link is link), None)

    def _on_event(self, link: Link, event: Event) -> None:
        with self._lock:
            lane = self._lane_of(link)
            job = lane.current if lane else None
            if job is None or event.get("job") != job.id:
                return
            match event["event"]:
                case "progress":
                    job.progress(event["fraction"], event["message"], event["metrics"])
                case "warning":
                    job.warnings.append(event["message"])
                case "done":
                    self._end(job, "done", result=event["result"])
                case "cancelled":
                    self._end(job, "cancelled")
                case "failed":
                    self._end(job, "failed", error=event["error"])
            if job.final:
                lane.current = None
                self._advance(lane)

    def _on_exit(self, link: Link, code: int) -> None:
        with self._lock:
            lane = self._lane_of(link)
            if lane is None:
                return
            lane.link = None
            if lane.current is not None:
                if lane.stopping:
                    self._end(lane.current, "cancelled")
                else:
                    self._end(lane.current, "failed", error=_death(code))
                lane.current = None
            self._advance(lane)

    def _force(self, lane: _Lane, link: Link, job: Job) -> None:
        with self._lock:
            if lane.link is link and lane.current is job:
                link.kill()


def _death(code: int) -> str:
    if code == -9:
        return (
            "the worker process was killed, most often because memory ran out: "
            "use fewer samples or a smaller model; the next run starts in a new worker"
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"the worker process ended unexpectedly ({how}): the next run starts in a new worker, details are in its log"


DESK = Desk()
atexit.register(DESK.close)
