"""The same run over several seeds, as one line."""

import statistics
from collections.abc import Sequence
from math import hypot, sqrt
from typing import Any

from explorer.bench.kept import Row
from explorer.tasks import wilson

MOST_SEEDS = 1000  # of a line
COUNTED = ("top1", "accuracy")  # shares of the test inputs


def over_seeds(rows: Sequence[Row], names: Sequence[str]) -> dict[str, Any]:
    """The means of `value` and the `names`, the 95 % interval `low` to `high` of `value`, `metric`, `base` and `runs`.

    Or `error`, where a run could not be made.
    """
    if errors := [row["error"] for row in rows if "error" in row]:
        return {"error": errors[0]}
    metric, base, samples = (rows[0][name] for name in ("metric", "base", "samples"))
    means = {name: statistics.fmean(row[name] for row in rows) for name in ("value", *names)}
    low, high = interval([row["value"] for row in rows], samples if metric in COUNTED else None)
    return {"metric": metric, "base": base, **means, "low": low, "high": high, "runs": len(rows)}


def interval(values: Sequence[float], samples: int | None) -> tuple[float, float]:
    """The 95 % interval of the mean of `values`, each a metric measured on the same test data.

    Its two arms join independent sources of error: the seeds, by Student's t, of which a single run tells nothing;
    and, where the metric is a share of `samples` inputs, which inputs happened to be in the test data (Wilson).
    """
    from scipy.stats import t as student  # slow to import

    mean, count = statistics.fmean(values), len(values)
    seeds = student.ppf(0.975, count - 1) * statistics.stdev(values) / sqrt(count) if count > 1 else 0.0
    if samples is None:
        return mean - seeds, mean + seeds
    low, high = wilson(mean * samples, samples)
    return max(0.0, mean - hypot(seeds, mean - low)), min(1.0, mean + hypot(seeds, high - mean))
