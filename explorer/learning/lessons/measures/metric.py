"""The task's metric after a cut and a recovery."""

from explorer.learning.lessons.measuring import About, Measured, measure
from explorer.tasks import METRICS


@measure(
    "metric",
    title="Metric",
    explanation="The task's metric, for pictures the share answered right, after the cut and the recovery.",
    rank=10,
)
def metric(about: About) -> Measured:
    found = about.bench.judge(about.model, about.data, about.plan, about.measure.recovery)
    known = METRICS[found.metric]
    scale, unit = (100, "%") if known.share else (1, known.short)
    low, high = (None if bound is None else scale * bound for bound in (found.low, found.high))
    said = f"{known.short} on {found.samples} validation samples"
    return about.measured(scale * found.value, unit, low=low, high=high, about=said)
