"""The learning curve of a job that trains."""

import pandas as pd

from explorer.methods import removes
from explorer.runs.queue.job import Job
from explorer.tasks import METRICS
from explorer.ui.charts.progress import progress
from explorer.ui.parts import frame


def curve(job: Job) -> None:
    """The validation metric of a training as it goes."""
    metric = next((METRICS[key] for entry in job.history for key in entry if key in METRICS), None)
    seen = [entry[metric.name] for entry in job.history if metric and metric.name in entry]
    if len(seen) < 2:
        return
    scale, sign = (100, " (%)") if metric.share else (1, "")
    points = pd.DataFrame({"step": range(len(seen)), "value": [scale * value for value in seen]})
    now, best = metric.text(seen[-1]), metric.text(max(seen))
    when = "during recovery" if removes(job.request["spec"]["method"]) else "as it learns"
    title = f"Validation {metric.short} {when}: {now} now, {best} at best"
    drawing = progress(points, y=metric.label + sign, unit=f"Validation {metric.short}{sign}")
    frame.chart(title, drawing, f"Line of the validation {metric.short}")
