"""The learning curve of a job that trains."""

import pandas as pd

from explorer.methods import removes
from explorer.runs.history.learning import learning
from explorer.runs.queue.job import Job
from explorer.ui.charts.progress import epochs
from explorer.ui.parts import frame


def curve(job: Job) -> None:
    """The validation metric after every epoch so far; nothing before the first."""
    metric, told = learning(job)
    if metric is None or len(told) < 2:
        return
    steps = bool(job.points)
    points = pd.DataFrame(
        {
            "at": [entry.at if steps else entry.epoch for entry in told],
            "step": [entry.step for entry in told],
            "epoch": [entry.epoch for entry in told],
            "value": [entry.value for entry in told],
        }
    )
    now, best = metric.text(told[-1].value), metric.text(max(entry.value for entry in told))
    when = "during recovery" if removes(job.request["spec"]["method"]) else "as it learns"
    title = f"Validation {metric.short} {when}: {now} now, {best} at best"
    last = max(entry.step if steps else entry.epochs for entry in told)
    drawing = epochs(points, metric, last=last, steps=steps)
    frame.chart(title, drawing, f"Line of the validation {metric.short} over the {'steps' if steps else 'epochs'}")
