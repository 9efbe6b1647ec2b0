"""Queues, one for each device, and the place of work that serves one."""

import os
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from explorer.device import choose_device
from explorer.runs.queue.job import Job
from explorer.runs.queue.links import Link, OnEvent, OnExit
from explorer.runs.queue.process_link import ProcessLink
from explorer.runs.queue.ray_link import RayLink


@dataclass(frozen=True)
class Place:
    """A job's place at its device: `position` 0 runs, the others wait. `id` is empty where another owner's."""

    device: str
    position: int
    title: str
    fraction: float
    own: bool
    id: str


@dataclass
class Lane:
    """One device: its queue, its worker, the job that the worker is at."""

    device: str
    queue: deque[Job] = field(default_factory=deque)
    link: Link | None = None
    current: Job | None = None

    @property
    def jobs(self) -> list[Job]:
        """What runs, then what waits."""
        return [*filter(None, [self.current]), *self.queue]

    def add(self, job: Job, *, first: bool = False) -> None:
        """Lets a job wait, as the first or the last."""
        self.queue.insert(0 if first else len(self.queue), job)

    def ahead_of(self, job: Job) -> int:
        """How many jobs must end before this one starts."""
        return self.queue.index(job) + (self.current is not None) if job in self.queue else 0

    def places(self, owner: str) -> list[Place]:
        """Its jobs as `owner` may see them."""
        places = []
        for position, job in enumerate(self.jobs, start=0 if self.current else 1):
            own = job.owner == owner
            places.append(Place(self.device, position, job.title, job.fraction, own, job.id if own else ""))
        return places

    def clear(self) -> list[Job]:
        """Forgets its jobs; gives them."""
        jobs = self.jobs
        self.current = None
        self.queue.clear()
        return jobs


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
        return RayLink(lane.removeprefix("Ray "), on_event, on_exit)
    return ProcessLink(lane, log, on_event, on_exit)
