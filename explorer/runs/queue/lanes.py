"""Lanes of each device: a queue and the place of work that serves it, for long work, for short, and for bounded."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from explorer.device import choose_device
from explorer.runs.queue.asking import Question
from explorer.runs.queue.job import Job
from explorer.runs.queue.links import Link, OnEvent, OnExit
from explorer.runs.queue.process_link import ProcessLink
from explorer.runs.queue.ray_link import RayLink
from explorer.runs.queue.turns import Turns

YIELD = "EXPLORER_YIELD"
"""In the environment: all work leaves the processors to pages that want them, short work too, as many share them."""
_NICE, _NICEST = 5, 19  # of long work, and of all where many share
_ON_CLUSTER = "Ray "  # what the names of devices begin with that a cluster has


@dataclass(frozen=True)
class Place:
    """A job's place in its lane: `position` 0 runs, the others wait. `id` is empty where another owner's."""

    device: str
    position: int
    title: str
    fraction: float
    own: bool
    id: str
    short: bool = False


@dataclass
class Lane:
    """One of a device's lanes: what waits in it, its worker, and what the worker is at.

    Long work goes on while short work is done, see `explorer.runs.queue.kinds.JobKind.short`. Questions are short. Long
    work that may only take so many seconds has a lane of its own: there who came first is served first, so that it can
    be said to anybody before how long she will wait at most.
    """

    device: str
    short: bool
    bounded: bool = False
    queue: Turns[Job] = field(init=False)
    questions: Turns[Question] = field(default_factory=lambda: Turns(lambda question: question.owner))
    link: Link | None = None
    current: Job | Question | None = None
    _asked_last: bool = False

    def __post_init__(self) -> None:
        self.queue = Turns(lambda job: "" if self.bounded else job.owner)

    @property
    def name(self) -> str:
        """The device's, with a word for the lanes beside that of long work."""
        return f"{self.device}{' short' * self.short}{' bounded' * self.bounded}"

    @property
    def running(self) -> Job | None:
        """The job that the worker is at."""
        return self.current if isinstance(self.current, Job) else None

    def take(self) -> Job | Question | None:
        """What is to be done next, which no longer waits: questions before jobs, but one of each in turn."""
        if self.questions and not (self.queue and self._asked_last):
            self._asked_last = True
            return self.questions.take()
        self._asked_last = False
        return self.queue.take() if self.queue else None

    def ahead_of(self, job: Job) -> int:
        """How many must end before this job starts, if no job comes whose owner was served less recently.

        In a short lane questions and jobs take turns: up to one more question for each of these jobs, and one for this
        job itself, go first as well. They are not counted, being quick and often replaced; one that runs is.
        """
        waiting = next((place for place, other in enumerate(self.queue) if other is job), None)
        return 0 if waiting is None else waiting + (self.current is not None)

    def places(self, owner: str) -> list[Place]:
        """Its jobs as `owner` may see them."""
        jobs = [*filter(None, [self.running]), *self.queue]
        places = []
        for position, job in enumerate(jobs, start=0 if self.running else 1):
            own = job.owner == owner
            told = job.title, job.fraction, own, job.id if own else ""
            places.append(Place(self.device, position, *told, short=self.short))
        return places

    def clear(self) -> list[Job]:
        """Forgets all that it has; gives the jobs."""
        jobs = [*filter(None, [self.running]), *self.queue]
        self.current = None
        self.queue.clear()
        self.questions.clear()
        return jobs


def on_cluster() -> bool:
    """Whether work is done on a Ray cluster instead of this machine."""
    return bool(os.environ.get("RAY_ADDRESS"))


def device_for(device: str) -> str:
    """The name of the device that a spec's jobs are done on: one here, or a kind of them on a cluster.

    Raises:
        ExplorerError: the device is not present on this machine.
    """
    return f"{_ON_CLUSTER}{device}" if on_cluster() else device_here(device)


def device_here(device: str) -> str:
    """The name of a device of this machine.

    Raises:
        ExplorerError: it is not present.
    """
    found = choose_device(device)
    return "cuda:0" if str(found) == "cuda" else str(found)


def connect(lane: Lane, log: Path, on_event: OnEvent, on_exit: OnExit) -> Link:
    """A place of work for the jobs of a lane; what its libraries print goes to `log`, or to Ray's.

    Raises:
        ExplorerError: Ray is asked for and can't be used.
        OSError: no process can be started.
    """
    if lane.device.startswith(_ON_CLUSTER):
        return RayLink(lane.device.removeprefix(_ON_CLUSTER), on_event, on_exit, short=lane.short)
    nice = _NICEST if os.environ.get(YIELD) else 0 if lane.short else _NICE
    return ProcessLink(lane.name, log, on_event, on_exit, nice=nice)
