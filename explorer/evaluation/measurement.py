"""Everything that is reported of a model: accuracy, cost, bytes and time."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from explorer.batches import sample_inputs
from explorer.evaluation.timing import Latency, latency
from explorer.progress import Report, part, silent
from explorer.structure import Cost, count
from explorer.tasks import Accuracy, Quality, Task, evaluate

METADATA = {"format": "pt"}  # what every safetensors file written here carries


@dataclass(frozen=True)
class Measurement:
    """What is reported of a model.

    Args:
        metric: the name of the task's main metric.
        quality: what the model reaches on the test split; None where labels mean nothing.
        cost: parameters, and MACs of one input.
        latency: one entry a batch size.
        size_bytes: of the safetensors file.
    """

    metric: str
    quality: Accuracy | Quality | None
    cost: Cost
    latency: tuple[Latency, ...]
    size_bytes: int

    @property
    def right(self) -> np.ndarray | None:
        """Whether each test sample is answered right, bool (samples,); None where answers are not right or wrong."""
        return self.quality.right if isinstance(self.quality, Accuracy) else None

    def to_json(self) -> dict[str, Any]:
        """The object of reports and answers.

        The main metric stands under its own name with its 95 % interval: for images `top1` with `top1_low` and
        `top1_high`, and `top5` and `balanced_accuracy` (fractions; None, and 0 samples, for a task without meaningful
        labels); for other tasks see their kinds. `latency_ms` is the median at the first batch size.
        """
        unknown = dict.fromkeys(("top1", "top5", "top1_low", "top1_high")) | {"samples": 0}
        return (unknown if self.quality is None else self.quality.to_json()) | {
            "metric": self.metric,
            "params": self.cost.params,
            "macs": self.cost.macs,
            "latency_ms": self.latency[0].median_ms,
            "latency": [asdict(time) for time in self.latency],
            "size_bytes": self.size_bytes,
        }


def measure(
    module: nn.Module,
    task: Task,
    inputs: tuple[int, ...] | Tensor,
    *,
    device: torch.device,
    batch_size: int = 256,
    batches: tuple[int, ...] = (1, 32),
    seconds: float = 0.5,
    report: Report = silent,
) -> Measurement:
    """Measures the module on the task's test split.

    Args:
        module: the network.
        task: whose test split it is judged on, where its labels mean anything.
        inputs: the shape of one input of normal noise, or a batch of inputs of any kind, for time and cost.
        device: to compute on.
        batch_size: of the evaluation.
        batches: the batch sizes that are timed.
        seconds: that each is timed for.

    Raises:
        ExplorerError: see `accuracy` and `latency`.
    """
    quality = None
    if task.measured:
        quality = evaluate(
            module, task.test, kind=task.kind, device=device, batch_size=batch_size, report=part(report, 0.0, 0.7)
        )
    times = latency(module, inputs, device=device, batches=batches, seconds=seconds, report=part(report, 0.7, 1.0))
    cost = count(module, sample_inputs(inputs, 1).to(next(module.parameters()).device))
    return Measurement(task.metric, quality, cost, tuple(times), size_bytes(module))


def weights(module: nn.Module) -> dict[str, Tensor]:
    """The state as safetensors takes it: on the CPU, contiguous, no storage shared between names."""
    tensors, owners = {}, set()
    for name, tensor in module.state_dict().items():
        tensor = tensor.detach().cpu().contiguous()
        if tensor.untyped_storage().data_ptr() in owners or tensor.untyped_storage().nbytes() != tensor.nbytes:
            tensor = tensor.clone()
        owners.add(tensor.untyped_storage().data_ptr())
        tensors[name] = tensor
    return tensors


def size_bytes(module: nn.Module) -> int:
    """Exact size of the safetensors file that an export of the module writes."""
    return len(safetensors.torch.save(weights(module), METADATA))
