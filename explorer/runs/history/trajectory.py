"""The trajectory of a run that cuts in steps, while it goes and afterwards."""

import time
from dataclasses import dataclass

from explorer.runs.queue.job import Job
from explorer.tasks import METRICS, Metric

WIDTH = "width/"


@dataclass(frozen=True)
class Step:
    """One cut. `value` is the validation metric after its recovery, `before` the same as cut, None where not told.

    Step 0 is the base model. `macs` and `params` are counts, `kept` the channels of every group, `time` when it was
    told, in seconds since the epoch, at the `fraction` of the run's work.
    """

    number: int
    time: float
    fraction: float
    macs: float
    params: float
    value: float
    before: float | None
    rolled_back: bool
    kept: dict[str, int]
    message: str


def trajectory(job: Job) -> tuple[Metric | None, list[Step]]:
    """The metric by which a run judges its steps, and the steps so far, the base model first."""
    metric = next((METRICS[key] for point in job.points for key in point if key in METRICS), None)
    if metric is None:
        return None, []
    told = {entry["step"]: entry[f"{metric.name}_before"] for entry in (job.result or {}).get("steps") or ()}
    return metric, [
        Step(
            number=int(point["step"]),
            time=point["time"],
            fraction=point["fraction"],
            macs=point["macs"],
            params=point["params"],
            value=point[metric.name],
            before=point.get(f"{metric.name}_before", told.get(point["step"])),
            rolled_back=bool(point["rolled_back"]),
            kept={key.removeprefix(WIDTH): int(size) for key, size in point.items() if key.startswith(WIDTH)},
            message=point["message"],
        )
        for point in job.points
        if point[metric.name] is not None  # a network that gives nothing finite has none
    ]


def seconds_left(job: Job, steps: list[Step], now: float | None = None) -> float | None:
    """What a running job still needs if it goes on at the pace of its steps; None before it has one."""
    if job.state != "running" or len(steps) < 2 or steps[-1].fraction <= steps[0].fraction:
        return None
    first, last = steps[0], steps[-1]
    pace = (last.time - first.time) / (last.fraction - first.fraction)
    return max(0.0, pace * (1 - last.fraction) - ((time.time() if now is None else now) - last.time))
