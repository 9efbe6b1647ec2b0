"""The desk takes jobs, queues them per device, and lets one worker process per device do them."""

import atexit
import re
import threading
import time
import uuid
from pathlib import Path
from typing import Any

from explorer import owned
from explorer.errors import ExplorerError, one_line
from explorer.methods.spec import Spec
from explorer.runs.folders import default_root
from explorer.runs.labels import Label, label_of, new_label
from explorer.runs.queue.claims import Claims
from explorer.runs.queue.job import FILE, Job
from explorer.runs.queue.kinds import JOBS
from explorer.runs.queue.lanes import Lane, Place, connect, lane_of, on_cluster
from explorer.runs.queue.limits import WAITING, Limits, require_room, share
from explorer.runs.queue.links import Event, Link

GRACE = 5.0
_NAMED = 100  # an owner's latest runs, from which the name of a new one differs
LIVES = 2  # ends without a word at the same step, after which a job is not taken up again by itself
_UNREADABLE = (OSError, ExplorerError)  # what reading a saved job raises


class Desk:
    """Runs slow work outside the server process, so that nothing in it can take the server down.

    Results lie in ``root/<timestamp>-<id>/``. A worker starts with the first job, stays warm, and is
    replaced when it dies. Every method may be called from any thread; jobs are handed out as copies.

    Jobs outlive their worker and their server: one whose worker has died goes on from its last finished step, and what
    a server leaves behind, closed or killed, is taken up by the next one that opens the folder. A job that ends without
    a word twice at the same step has failed; what it had finished is kept, see `resume`. Several servers may share a
    folder: each holds a lock on the jobs that it does, and only shows those of the others.

    Args:
        root: folder of the runs; by default ``$EXPLORER_RUNS``, else ``runs``.
        grace: seconds a cancelled job has to stop by itself before its worker is killed.
        limits: how many jobs may wait, and what they may take of the disk; by default those of the environment.
    """

    def __init__(self, root: Path | str | None = None, *, grace: float = GRACE, limits: Limits | None = None) -> None:
        self._root = root
        self._grace = grace
        self._limits = limits
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._addresses: dict[str, str] = {}  # of jobs that wait; in memory alone, so that none is ever written down
        self._lanes: dict[str, Lane] = {}
        self._claims = Claims()
        self._recalled = False
        self._closed = False

    @property
    def root(self) -> Path:
        return Path(self._root or default_root()).absolute()

    @property
    def limits(self) -> Limits:
        """
        Raises:
            ExplorerError: the environment holds a limit that is none.
        """
        return self._limits or Limits.of_environment()

    def submit(
        self, request: Spec | dict[str, Any], owner: str = "", title: str = "", key: str = "", address: str = ""
    ) -> str:
        """Queues a job and returns its id.

        `request` is a `Spec` (a prune run) or ``{"kind": ..., "spec": {...}, ...}``, see `explorer.runs.queue.kinds`;
        `key` is kept with the job, see `Job`; `address` is where the owner's browser is.

        Raises:
            ExplorerError: an unknown kind, a bad spec or device, too many jobs waiting, no room for the folder.
        """
        if isinstance(request, Spec):
            request = {"kind": "prune", "spec": request.to_json()}
        kind = JOBS.get(str(request.get("kind")))
        spec = kind.check(request, here=not on_cluster())
        device = lane_of(spec.device)
        require_room(self.root, self.limits)
        with self._lock:
            self._recall()
            self._admit(owner, address)
            job = self._create(request, owner, title or kind.title, device, key)
            self._jobs[job.id] = job
            self._addresses[job.id] = address
            self._enqueue(job)
            return job.id

    def resume(self, id: str) -> None:
        """Queues a job again that has failed or was cancelled: it goes on after its last finished step.

        Raises:
            ExplorerError: there is no such job, nothing of it is finished, another server has it, too many are waiting,
                there is no room.
        """
        require_room(self.root, self.limits)
        with self._lock:
            job = self._find(id)
            if not job.resumable:
                raise ExplorerError(f"run {job.title!r} is {job.state} and left no finished step: start it anew")
            self._admit(job.owner)
            if not self._claims.take(job):
                raise ExplorerError(f"run {job.title!r} goes on at another server already: look at it there")
            job = self._jobs[id] = Job.load(Path(job.directory))  # that may have been and ended
            job.queue()
            job.deaths = 0
            self._save(job)
            self._enqueue(job)

    def job(self, id: str) -> Job:
        """A copy of the job as it stands.

        Raises:
            ExplorerError: there is no such job, or what it has found is gone or damaged.
        """
        with self._lock:
            job = self._find(id)
            if job.final:
                try:
                    return Job.load(Path(job.directory))
                except _UNREADABLE as error:
                    if job.state == "done":  # what it has found is not known without its folder
                        raise ExplorerError(f"run {job.title!r} can't be read any more: {one_line(error)}") from None
            return job.copy()

    def jobs(self, owner: str | None = None) -> list[Job]:
        """Copies of all jobs, newest first, finished ones of earlier servers included; those that have ended in brief.

        See `Job.brief`: `job` gives all of one.
        """
        with self._lock:
            self._recall()
            self._follow(*self._jobs.values())
            chosen = [job for job in self._jobs.values() if owner is None or job.owner == owner]
            return [job.copy() for job in sorted(chosen, key=lambda job: job.created, reverse=True)]

    def forget(self, folder: Path) -> None:
        """No longer knows the ended job whose folder has been deleted."""
        with self._lock:
            for job in [job for job in self._jobs.values() if job.final and Path(job.directory) == folder]:
                del self._jobs[job.id]

    def position(self, id: str) -> int:
        """How many jobs must end before this one starts; 0 when it is running or has ended."""
        with self._lock:
            job = self._find(id)
            lane = self._lanes.get(job.device)
            return 0 if lane is None else lane.ahead_of(job)

    def queue(self, owner: str = "") -> list[Place]:
        """What runs and waits, device by device in the order in which it will be done, as `owner` may see it."""
        with self._lock:
            self._recall()
            return [place for _, lane in sorted(self._lanes.items()) for place in lane.places(owner)]

    def cancel(self, id: str) -> None:
        """Stops a job: at once when it waits, within one batch when it runs, by force after the grace.

        Raises:
            ExplorerError: there is no such job, or it is another server's.
        """
        with self._lock:
            job = self._find(id)
            if job.final:
                return
            if job.id not in self._claims:
                raise ExplorerError(f"run {job.title!r} belongs to another server: cancel it there")
            lane = self._lanes[job.device]
            if job.state == "queued":
                lane.queue.remove(job)
                self._end(job, "cancelled")
            else:
                job.stopping = True
                self._save(job)
                lane.link.send({"cancel": job.id})
                timer = threading.Timer(self._grace, self._force, (lane, lane.link, job))
                timer.daemon = True
                timer.start()

    def workers(self) -> dict[str, int]:
        """Process id of every device's worker that is alive."""
        with self._lock:
            return {device: lane.link.pid for device, lane in self._lanes.items() if lane.link}

    def close(self) -> None:
        """Ends all workers; what runs or waits goes on with the next desk of the folder. Called at interpreter exit."""
        with self._lock:
            self._closed = True
            links, left = [], []
            for lane in self._lanes.values():
                if lane.link:
                    links.append((lane.link, self._grace if lane.current else 0.0))
                left += lane.clear()
        for link, grace in links:
            link.close(grace)
        with self._lock:
            for job in left:
                if job.stopping:
                    self._end(job, "cancelled")
                    continue
                job.queue("interrupted: it goes on when the server has started again")
                self._save(job)
                self._claims.give_back(job)

    def _admit(self, owner: str, address: str | None = None) -> None:
        limits = self.limits
        waiting = [job for job in self._jobs.values() if job.state == "queued"]
        if (own := sum(job.owner == owner for job in waiting)) >= limits.own_waiting:
            raise ExplorerError(f"{own} runs are waiting already: cancel one or wait until one has finished")
        self._addresses = {job.id: self._addresses[job.id] for job in waiting if job.id in self._addresses}
        if (near := sum(other == address for other in self._addresses.values())) >= share(limits.waiting):
            raise ExplorerError(f"{near} runs from your address are waiting already: wait until some have finished")
        if len(waiting) >= limits.waiting:
            raise ExplorerError(
                f"{len(waiting)} runs are waiting on this server already: wait until some have finished, "
                f"or set {WAITING} to more"
            )

    def _create(self, request: dict[str, Any], owner: str, title: str, device: str, key: str) -> Job:
        id = uuid.uuid4().hex[:12]
        directory = self.root / f"{time.strftime('%Y%m%d-%H%M%S')}-{id}"
        job = Job(id, owner, title, request, device, str(directory), key=key)
        try:
            owned.make_folder(directory, owned.RUN)
            self._claims.take(job)
            job.save()
            if job.kind == "prune":
                new_label(job.bundle, id, self._labels(owner))
        except OSError as error:
            raise ExplorerError(
                f"can't write the run's folder {directory}: {error.strerror}; set EXPLORER_RUNS to a writable folder"
            ) from None
        return job

    def _labels(self, owner: str) -> list[Label]:
        """Those of an owner's runs, the latest first."""
        own = [job for job in self._jobs.values() if job.owner == owner and job.kind == "prune"]
        latest = sorted(own, key=lambda job: -job.created)[:_NAMED]
        return [label_of(job.bundle, job.id) for job in latest]

    def _find(self, id: str) -> Job:
        self._recall()
        if id not in self._jobs:
            raise ExplorerError(f"there is no run {id!r}: it may have been deleted")
        self._follow(self._jobs[id])
        return self._jobs[id]

    def _recall(self) -> None:
        """Reads once what earlier servers have left, and takes up what they did not finish."""
        if self._recalled:
            return
        self._recalled = True
        for path in sorted(self.root.glob(f"*/{FILE}")):
            try:
                job = Job.load(path.parent)
            except _UNREADABLE:
                continue  # damaged: the history of runs names it
            self._jobs[job.id] = job.brief() if job.final else job
        started_first = sorted(self._jobs.values(), key=lambda job: (job.state != "running", job.created))
        self._follow(*started_first)

    def _follow(self, *jobs: Job) -> None:
        """Reads again how the jobs of other servers stand, and takes up those whose server is gone."""
        for job in jobs:
            if job.final or job.id in self._claims or self._closed:
                continue
            try:
                ours = self._claims.take(job)
                job = self._jobs[job.id] = Job.load(Path(job.directory))
            except _UNREADABLE:
                continue  # deleted meanwhile: it stays as it was last seen
            if ours:
                self._take_up(job)

    def _take_up(self, job: Job) -> None:
        """Goes on with a job whose server is gone."""
        if job.final:
            self._jobs[job.id] = job.brief()
            self._claims.give_back(job)
        elif job.stopping:
            self._end(job, "cancelled")
        elif job.state == "running":
            self._interrupted(job, "the server stopped")
        else:
            self._enqueue(job)

    def _enqueue(self, job: Job, *, first: bool = False) -> None:
        lane = self._lanes.setdefault(job.device, Lane(job.device))
        lane.add(job, first=first)
        self._advance(lane)

    def _interrupted(self, job: Job, reason: str) -> None:
        """Goes on with a job that ended without a word, unless that happens again and again at the same step."""
        done = len(job.finished_steps)
        job.deaths = job.deaths + 1 if done == job.died_after else 1
        job.died_after = done
        kept = f", {done} finished {'step is' if done == 1 else 'steps are'} kept" if done else ""
        if job.deaths >= LIVES:
            advice = "use fewer samples, a smaller model or another device"
            self._end(job, "failed", error=f"{reason}, {job.deaths} times at the same step: {advice}{kept}")
            return
        job.warn(f"{reason}: the run went on from {f'its {done}. finished step' if done else 'its beginning'}")
        job.queue()
        self._save(job)
        self._enqueue(job, first=True)

    def _advance(self, lane: Lane) -> None:
        """Hands the next job to the lane's worker when it has none."""
        if self._closed or lane.current is not None or not lane.queue:
            return
        job = lane.queue.popleft()
        try:
            lane.link = lane.link or connect(lane.device, self._log(lane.device), self._on_event, self._on_exit)
        except (OSError, ExplorerError) as error:
            self._end(job, "failed", error=f"no worker could be started: {error}")
            self._advance(lane)
            return
        lane.current = job
        job.start()
        self._save(job)
        lane.link.send({"run": job.directory, "job": job.id})

    def _log(self, device: str) -> Path:
        return self.root / f"worker-{re.sub('[^A-Za-z0-9_]', '-', device)[:64]}.log"

    def _end(self, job: Job, state: str, **outcome: Any) -> None:
        job.finish(state, **outcome)
        if self._save(job):
            self._jobs[job.id] = job.brief()
        self._claims.give_back(job)

    def _save(self, job: Job) -> bool:
        try:
            job.save()
        except OSError as error:
            job.warn(f"this run's record could not be saved: {error.strerror}")
            return False
        return True

    def _keep(self, job: Job, event: Event) -> None:
        try:
            job.keep(event)
        except OSError as error:
            job.warn(f"this run's events could not be saved: {error.strerror}")

    def _lane_of(self, link: Link) -> Lane | None:
        return next((lane for lane in self._lanes.values() if lane.link is link), None)

    def _on_event(self, link: Link, event: Event) -> None:
        with self._lock:
            lane = self._lane_of(link)
            job = lane.current if lane else None
            if job is None or event.get("job") != job.id:
                return
            match event["event"]:
                case "progress":
                    if "step" in event["metrics"]:
                        self._keep(job, event)
                    job.progress(event["fraction"], event["message"], event["metrics"])
                case "warning" if job.warn(event["message"]):
                    self._keep(job, event)
                case "done":
                    self._end(job, "done", result=event["result"])
                case "cancelled":
                    self._end(job, "cancelled")
                case "failed":
                    self._end(job, "failed", error=event["error"])
            if job.final:
                lane.current = None
                self._advance(lane)

    def _on_exit(self, link: Link, reason: str) -> None:
        with self._lock:
            lane = self._lane_of(link)
            if lane is None:
                return
            lane.link = None
            job, lane.current = lane.current, None
            if job is not None and job.stopping:
                self._end(job, "cancelled")
            elif job is not None:
                self._interrupted(job, reason)
            self._advance(lane)

    def _force(self, lane: Lane, link: Link, job: Job) -> None:
        with self._lock:
            if lane.link is link and lane.current is job:
                link.kill()


DESK = Desk()
atexit.register(DESK.close)
