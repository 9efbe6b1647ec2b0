"""How good a model is at its task, whatever the task: the main metric with its uncertainty, and what goes with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from explorer.batches import Samples
from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.tasks.tools.accuracy import NO_SAMPLES, Accuracy
from explorer.tasks.tools.task_kind import DEFAULT_KIND, TASK_KINDS


@dataclass(frozen=True)
class Quality:
    """A main metric, the 95 % interval `low` to `high` (None where it has none), and the mean `loss`.

    `others` are further metrics of the same predictions.
    """

    metric: str
    value: float
    low: float | None
    high: float | None
    samples: int
    loss: float
    others: Mapping[str, float | None] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The metrics under their own names."""
        interval = {f"{self.metric}_low": self.low, f"{self.metric}_high": self.high}
        return {self.metric: self.value, **interval, **self.others, "samples": self.samples}


def evaluate(
    module: nn.Module,
    data: Samples,
    *,
    kind: str = DEFAULT_KIND,
    device: torch.device,
    batch_size: int = 256,
    report: Report = silent,
) -> Accuracy | Quality:
    """What the module reaches on (input, label) pairs, in float32 and evaluation mode, by the metric of the kind.

    The module comes back on the device and in the mode in which it was given. Upon out-of-memory the batch is
    halved, which is logged.

    Args:
        data: (input, label) pairs.
        kind: a key of `TASK_KINDS`, whose file says which further metrics there are.
        batch_size: at most.

    Raises:
        ExplorerError: there is no data, a label has no output, or not even a batch of one fits.
    """
    if len(data) == 0:
        raise ExplorerError(NO_SAMPLES)
    return TASK_KINDS[kind].function(module, data, device=device, batch_size=batch_size, report=report)
