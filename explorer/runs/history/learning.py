"""A run's training as its reports tell it: the validation metric after every epoch, and what is still to come."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from explorer.runs.queue.job import JUDGED, Job
from explorer.tasks import METRICS, Metric


@dataclass(frozen=True)
class Learned:
    """The validation metric after an epoch.

    Args:
        step: of a run that cuts in steps, from 1; 1 of all others.
        epoch: its number; 0: before the first.
        epochs: as many as the training may take; of one that has ended, as many as it took.
        value: of the metric.
    """

    step: int
    epoch: int
    epochs: int
    value: float

    @property
    def at(self) -> float:
        """Where it is in the run, in steps: 1.5 halfway through the epochs of the second."""
        return self.step - 1 + self.epoch / self.epochs


def learning(job: Job) -> tuple[Metric | None, list[Learned]]:
    """The metric that a training is judged by, and its values so far, each step of the run from its epoch 0.

    A finished run of one step tells them in its report, whole; what was heard on the way is thinned where it is long.
    """
    if job.state == "done" and not job.points:
        metric, told = _reported(job)
        if metric is not None:
            return metric, told
    reports = _of_training(job)
    metric = next((METRICS[key] for entry in reports for key in entry if key in METRICS), None)
    if metric is None:
        return _reported(job)
    found: dict[tuple[int, int], Learned] = {}
    for entry in reports:
        if entry.get(metric.name) is None:
            continue
        if JUDGED not in entry and entry["epoch"] > 1:
            continue  # its value is that after the epoch before
        step, epoch = _step(job, entry), int(entry["epoch"]) if JUDGED in entry else 0
        found[step, epoch] = Learned(step, epoch, int(entry["epochs"]), entry[metric.name])
    return metric, [found[place] for place in sorted(found)]


def training_left(job: Job, now: float | None = None) -> float | None:
    """Seconds that the training which goes on needs at most, at the pace of its batches; None before it has one."""
    told = _of_training(job)
    if job.state != "running" or not told:
        return None
    last = told[-1]
    this = [entry for entry in told if _step(job, entry) == _step(job, last)]
    first = this[0]
    if last["epoch"] <= first["epoch"] or last["time"] <= first["time"]:
        return None
    pace = (last["time"] - first["time"]) / (last["epoch"] - first["epoch"])
    since = (time.time() if now is None else now) - last["time"]
    return max(0.0, pace * (last["epochs"] - last["epoch"]) - since)


def _of_training(job: Job) -> list[dict[str, Any]]:
    """The reports that say how many of how many epochs are gone through."""
    return [entry for entry in job.history if entry.get("epoch") is not None and (entry.get("epochs") or 0) >= 1]


def _reported(job: Job) -> tuple[Metric | None, list[Learned]]:
    """What the report of a finished run says of its training."""
    recovery = (job.result or {}).get("recovery") or {}
    told = [entry for entry in recovery.get("epochs") or () if entry.get("score") is not None]
    metric = METRICS.get(recovery.get("metric", ""))
    if metric is None or not told:
        return None, []
    return metric, list(_learned(recovery.get("start"), told))


def _learned(start: float | None, told: list[Mapping[str, Any]]) -> Iterator[Learned]:
    if start is not None:
        yield Learned(1, 0, len(told), start)
    for entry in told:
        yield Learned(1, int(entry["epoch"]), len(told), entry["score"])


def _step(job: Job, entry: Mapping[str, Any]) -> int:
    """The step that a report belongs to: the one after the last that had been told of."""
    done = [int(point["step"]) for point in job.points if point["time"] <= entry["time"]]
    return max(done, default=0) + 1
