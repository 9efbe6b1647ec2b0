"""The desk takes jobs, queues them in lanes of each device, and lets one worker process per lane do them."""

import atexit
import contextlib
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from explorer import owned
from explorer.errors import ExplorerError, one_line
from explorer.methods.spec import Spec
from explorer.runs.folders import default_root
from explorer.runs.labels import Label, label_of, new_label
from explorer.runs.queue.asking import Asked, Question, Questions
from explorer.runs.queue.claims import Claims
from explorer.runs.queue.job import FILE, Job
from explorer.runs.queue.kinds import JOBS, is_short
from explorer.runs.queue.lanes import Lane, Place, connect, device_for, device_here, on_cluster
from explorer.runs.queue.limits import WAITING, Limits, require_room, share
from explorer.runs.queue.links import LIVES, Event, Link
from explorer.runs.queue.question_kinds import QUESTIONS

GRACE = 5.0
PATIENCE = 60.0  # seconds; a question that nobody asks for any more may be opening what the next one needs as well
_NAMED = 100  # an owner's latest runs, from which the name of a new one differs
_UNREADABLE = (OSError, ExplorerError)  # what reading a saved job raises


class Desk:
    """Runs slow work outside the server process, so that nothing in it can take the server down.

    Results lie in ``root/<timestamp>-<id>/``. A worker starts with the first job, stays warm, and is
    replaced when it dies. Every method may be called from any thread; jobs are handed out as copies.

    A device has two lanes, each with a worker of its own: short work never waits behind long work, see
    `explorer.runs.queue.kinds.JobKind.short`. In each the owners take turns, see `explorer.runs.queue.turns.Turns`. A
    third one, where it is used, has jobs that may only take so many seconds, in the order in which they came, so that
    `longest_wait` can be told to a person before she starts one.

    Questions are quick work that makes no job and leaves nothing on disk, see `ask`.

    Jobs outlive their worker and their server: one whose worker has died goes on from its last finished step, and what
    a server leaves behind, closed or killed, is taken up by the next one that opens the folder. A job that ends without
    a word twice at the same step has failed; what it had finished is kept, see `resume`. Several servers may share a
    folder: each holds a lock on the jobs that it does, and only shows those of the others.

    Args:
        root: folder of the runs; by default ``$EXPLORER_RUNS``, else ``runs``.
        grace: seconds a cancelled job has to stop by itself before its worker is killed; a question has `PATIENCE`.
        limits: how many jobs may wait, and what they may take of the disk; by default those of the environment.
    """

    def __init__(self, root: Path | str | None = None, *, grace: float = GRACE, limits: Limits | None = None) -> None:
        self._root = root
        self._grace = grace
        self._limits = limits
        self._lock = threading.RLock()
        self._jobs: dict[str, Job] = {}
        self._addresses: dict[str, str] = {}  # of jobs that wait; in memory alone, so that none is ever written down
        self._begun: dict[str, float] = {}  # when bounded jobs were begun here, by their ids
        self._lanes: dict[str, Lane] = {}
        self._questions = Questions()
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
        self,
        request: Spec | dict[str, Any],
        owner: str = "",
        title: str = "",
        key: str = "",
        address: str = "",
        seconds: float | None = None,
    ) -> str:
        """Queues a job and returns its id.

        `request` is a `Spec` (a prune run) or ``{"kind": ..., "spec": {...}, ...}``, see `explorer.runs.queue.kinds`;
        `key` is kept with the job, see `Job`; `address` is where the owner's browser is. A job that takes longer than
        `seconds` is stopped and has failed; it waits in a lane in which all are bounded so, unless it is short.

        Raises:
            ExplorerError: an unknown kind, a bad spec or device, too many jobs waiting, no room for the folder.
        """
        if isinstance(request, Spec):
            request = {"kind": "prune", "spec": request.to_json()}
        kind = JOBS.get(str(request.get("kind")))
        spec = kind.check(request, here=not on_cluster())
        device = device_for(spec.device)
        require_room(self.root, self.limits)
        others = self._labels(owner) if kind.name == "prune" else None
        with self._lock:
            self._recall()
            self._admit(owner, address)
            job = self._create(request, owner, title or kind.title, device, key, seconds)
            if others is not None:
                with contextlib.suppress(OSError):  # the name and the colour that follow from its id stay
                    new_label(job.bundle, job.id, others)
            self._jobs[job.id] = job
            self._addresses[job.id] = address
            self._enqueue(job)
            return job.id

    def ask(self, request: Mapping[str, Any], owner: str, key: str, *, again: bool = False) -> Asked:
        """Asks a question, which is answered in the short lane of this machine, and gives how it stands.

        A newer question of the same owner and key takes the place of the older one: that is dropped where it waits, and
        stopped at its next report where it runs. Asking the same again is looking again. Equal questions, whoever asks,
        are answered once, and answers are kept as long as no file behind the request's refs is seen to change, see
        `explorer.sources.stamps.stamp_of`; deep in a folder that is seen about a second later.

        Args:
            request: ``{"kind": …, "spec": {…}}``, see `explorer.runs.queue.question_kinds`.
            owner: who asks.
            key: which of the owner's questions it is.
            again: whether a question that has failed is asked anew; else it stays failed.

        Raises:
            ExplorerError: an unknown kind, a bad spec or device, too many questions waiting, a server that is closing.
        """
        with self._lock:
            before = self._questions.latest(owner, key)
        if before is not None and before.still(request) and not (again and before.state == "failed"):
            return before
        kind = QUESTIONS.get(str(request.get("kind")))
        spec = kind.check(request)
        question = Question(request, kind.digest(spec, request), device_here(spec.device))
        with self._lock:
            if self._closed:
                raise ExplorerError("the server is closing: ask again when it has started anew")
            before = self._questions.latest(owner, key)
            if before is not None and before.digest == question.digest and not (again and before.state == "failed"):
                return before
            self._questions.admit(question, before)
            if before is not None:
                self._drop(before)
            asked, new = self._questions.ask(question, owner, key)
            if new:
                lane = self._lane(question)
                lane.questions.add(question)
                self._advance(lane)
            return asked

    def asked(self, owner: str, key: str) -> Asked | None:
        """What an owner has asked last under a key; nothing is asked anew."""
        with self._lock:
            return self._questions.latest(owner, key)

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
        """How many jobs must end before this one starts; 0 when it is running or has ended.

        It may be more later: jobs go first that come from people who were served less recently. A short job may
        also wait for one question before each of these jobs and one before itself; of questions only one that runs is
        counted.
        """
        with self._lock:
            job = self._find(id)
            return self._lane(job).ahead_of(job)

    def longest_wait(self, id: str | None = None, device: str = "auto") -> float:
        """Seconds until a bounded job starts at most, whatever comes after it; every one before it takes all its time.

        It holds as long as the server runs: stopping a job that does not stop by itself takes the grace.

        Args:
            id: of a job that waits; None: one that would be submitted now.
            device: on which that would be done.

        Raises:
            ExplorerError: there is no such job, or no such device.
        """
        with self._lock:
            job = None if id is None else self._find(id)
            lane = self._lanes.get(Lane(job.device if job else device_for(device), False, True).name)
            if lane is None or (job is not None and job.state != "queued"):
                return 0.0
            before = list(lane.queue)
            if job is not None:
                before = before[: next((place for place, other in enumerate(before) if other is job), 0)]
            running = [lane.running] if lane.running else []
            return sum(self._left(other) + self._grace for other in (*running, *before))

    def _left(self, job: Job) -> float:
        """Seconds that a bounded job may take yet."""
        began = self._begun.get(job.id, time.monotonic())
        return max(0.0, (job.seconds or 0.0) - (time.monotonic() - began))

    def crowd(self) -> int:
        """How many questions and jobs wait, of all people."""
        with self._lock:
            return sum(len(lane.queue) + len(lane.questions) for lane in self._lanes.values())

    def queue(self, owner: str = "") -> list[Place]:
        """What runs and waits, lane by lane in the order in which it will be done, as `owner` may see it."""
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
            lane = self._lane(job)
            if job.state == "queued":
                lane.queue.remove(job)
                self._end(job, "cancelled")
            else:
                job.stopping = True
                self._save(job)
                self._stop(lane, job)

    def workers(self) -> dict[str, int]:
        """Process id of every lane's worker that is alive, by the lane's name: ``cpu``, ``cpu short``."""
        with self._lock:
            pids = {name: lane.link.pid for name, lane in self._lanes.items() if lane.link}
            return {name: pid for name, pid in pids.items() if pid is not None}

    def close(self) -> None:
        """Ends all workers; what runs or waits goes on with the next desk of the folder. Called at interpreter exit."""
        with self._lock:
            self._closed = True
            links, left = [], []
            for lane in self._lanes.values():
                if lane.link:
                    links.append((lane.link, self._grace if lane.current else 0.0))
                left += lane.clear()
            self._questions.close()
        for link, grace in links:
            link.close(grace)
        with self._lock:
            for job in left:
                if job.stopping:
                    self._stopped(job)
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

    def _create(
        self, request: dict[str, Any], owner: str, title: str, device: str, key: str, seconds: float | None
    ) -> Job:
        id = uuid.uuid4().hex[:12]
        directory = self.root / f"{time.strftime('%Y%m%d-%H%M%S')}-{id}"
        job = Job(id, owner, title, request, device, str(directory), key=key, seconds=seconds)
        try:
            owned.make_folder(directory, owned.RUN)
            self._claims.take(job)
            job.save()
        except OSError as error:
            self._claims.give_back(job)
            raise ExplorerError(
                f"can't write the run's folder {directory}: {error.strerror}; set EXPLORER_RUNS to a writable folder"
            ) from None
        return job

    def _labels(self, owner: str) -> list[Label]:
        """Those of an owner's runs, the latest first; their files are read while the desk serves others."""
        with self._lock:
            self._recall()
            own = [job for job in self._jobs.values() if job.owner == owner and job.kind == "prune"]
            latest = [(job.bundle, job.id) for job in sorted(own, key=lambda job: -job.created)[:_NAMED]]
        return [label_of(bundle, id) for bundle, id in latest]

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
            self._stopped(job)
        elif job.state == "running":
            self._interrupted(job, "the server stopped")
        else:
            self._enqueue(job)

    def _enqueue(self, job: Job, *, first: bool = False) -> None:
        lane = self._lane(job)
        lane.queue.add(job, first=first)
        self._advance(lane)

    def _drop(self, asked: Asked) -> None:
        """Takes a question back, and stops what nobody asks for any more."""
        question = self._questions.replace(asked)
        if question is None:
            return
        lane = self._lane(question)
        if lane.current is question:
            question.stopping = True
            self._stop(lane, question)
        else:
            lane.questions.remove(question)
            self._questions.end(question, "dropped")

    def _lane(self, work: Job | Question) -> Lane:
        short = isinstance(work, Question) or is_short(work.request)
        lane = Lane(work.device, short, not short and isinstance(work, Job) and work.seconds is not None)
        return self._lanes.setdefault(lane.name, lane)

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
        """Hands the lane's worker what is next when it has nothing to do."""
        if self._closed or lane.current is not None or (work := lane.take()) is None:
            return
        try:
            self.root.mkdir(parents=True, exist_ok=True)  # for the worker's log: a question makes no folder
            lane.link = lane.link or connect(lane, self._log(lane), self._on_event, self._on_exit)
        except (OSError, ExplorerError) as error:
            self._fail(work, f"no worker could be started: {error}")
            self._advance(lane)
            return
        lane.current = work
        work.start()
        if isinstance(work, Question):
            lane.link.send({"ask": work.request, "job": work.id})
        else:
            self._save(work)
            lane.link.send({"run": work.directory, "job": work.id})
            if work.seconds is not None:
                self._begun.setdefault(work.id, time.monotonic())
                self._later(self._left(work), self._expire, lane, lane.link, work)

    def _fail(self, work: Job | Question, error: str) -> None:
        if isinstance(work, Question):
            self._questions.end(work, "failed", error=error)
        else:
            self._end(work, "failed", error=error)

    def _stop(self, lane: Lane, work: Job | Question) -> None:
        """Asks the lane's worker to leave what it is at, and ends the worker where it does not within the grace.

        A question is given longer: it says nothing while libraries are imported and a model is read, and that work
        would be lost with the worker. A job may not linger, since a person waits for its end.
        """
        lane.link.send({"cancel": work.id})
        grace = max(self._grace, PATIENCE) if isinstance(work, Question) else self._grace
        self._later(grace, self._force, lane, lane.link, work)

    def _later(self, seconds: float, act: Callable[..., None], *given: Any) -> None:
        timer = threading.Timer(seconds, act, given)
        timer.daemon = True
        timer.start()

    def _expire(self, lane: Lane, link: Link, job: Job) -> None:
        """Stops a bounded job whose time is over."""
        with self._lock:
            if lane.link is link and lane.current is job and not job.stopping:
                job.stopping = job.overdue = True
                self._save(job)
                self._stop(lane, job)

    def _stopped(self, job: Job) -> None:
        """Ends a job that was asked to stop, by a person or because its time was over."""
        if job.overdue:
            advice = "choose fewer epochs or a smaller network"
            self._end(
                job, "failed", error=f"it was stopped after the {job.seconds:g} seconds that it may take: {advice}"
            )
        else:
            self._end(job, "cancelled")

    def _log(self, lane: Lane) -> Path:
        return self.root / f"worker-{re.sub('[^A-Za-z0-9_]', '-', lane.name)[:64]}.log"

    def _end(self, job: Job, state: str, **outcome: Any) -> None:
        job.finish(state, **outcome)
        self._begun.pop(job.id, None)
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

    def _lane_at(self, link: Link) -> Lane | None:
        return next((lane for lane in self._lanes.values() if lane.link is link), None)

    def _on_event(self, link: Link, event: Event) -> None:
        with self._lock:
            lane = self._lane_at(link)
            work = lane.current if lane else None
            if lane is None or work is None or event.get("job") != work.id:
                return
            if isinstance(work, Question):
                self._questions.hear(work, event)
            else:
                self._hear(work, event)
            if work.final:
                lane.current = None
                self._advance(lane)

    def _hear(self, job: Job, event: Event) -> None:
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
                self._stopped(job)
            case "failed":
                self._end(job, "failed", error=event["error"])

    def _on_exit(self, link: Link, reason: str) -> None:
        with self._lock:
            lane = self._lane_at(link)
            if lane is None:
                return
            lane.link = None
            work, lane.current = lane.current, None
            if isinstance(work, Question):
                if self._questions.died(work, reason):
                    lane.questions.add(work, first=True)
            elif work is not None and work.stopping:
                self._stopped(work)
            elif work is not None:
                self._interrupted(work, reason)
            self._advance(lane)

    def _force(self, lane: Lane, link: Link, work: Job | Question) -> None:
        with self._lock:
            if lane.link is link and lane.current is work:
                link.kill()


DESK = Desk()
atexit.register(DESK.close)
