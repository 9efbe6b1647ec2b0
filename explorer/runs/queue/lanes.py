"""Queues, one for each device, and the place of work that serves one."""

import os
from pathlib import Path

from explorer.device import choose_device
from explorer.runs.queue.links import Link, OnEvent, OnExit
from explorer.runs.queue.process_link import ProcessLink
from explorer.runs.queue.ray_link import RayLink


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
