"""Everything that is reported of a model: accuracy, cost, bytes and time."""

from dataclasses import asdict
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from explorer.batches import sample_inputs
from explorer.evaluation.timing import latency
from explorer.progress import Report, part, silent
from explorer.structure import count
from explorer.tasks import Task, evaluate

METADATA = {"format": "pt"}  # what every safetensors file written here carries


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
) -> dict[str, Any]:
    """Measures the module on the task's test split.

    Args:
        inputs: the shape of one input of normal noise, or a batch of inputs of any kind, for time and cost.

    Returns:
        A JSON object: `metric` names the task's main metric, which stands under its own name with its 95 % interval:
        for images `top1` with `top1_low` and `top1_high`, and `top5` (fractions; None, and 0 samples, for a task
        without meaningful labels); for other tasks see `evaluate`. `samples`, `params`, `macs` of one input,
        `latency_ms` (median at the first batch size), `latency` (one entry a batch size, each
        measured for about `seconds`) and `size_bytes` of the safetensors file.

    Raises:
        ExplorerError: see `accuracy` and `latency`.
    """
    scores = dict.fromkeys(("top1", "top5", "top1_low", "top1_high")) | {"samples": 0}
    if task.measured:
        quality = evaluate(
            module, task.test, kind=task.kind, device=device, batch_size=batch_size, report=part(report, 0.0, 0.7)
        )
        scores = quality.to_json()
    times = latency(module, inputs, device=device, batches=batches, seconds=seconds, report=part(report, 0.7, 1.0))
    cost = count(module, sample_inputs(inputs, 1).to(next(module.parameters()).device))
    return scores | {
        "metric": task.metric,
        "params": cost.params,
        "macs": cost.macs,
        "latency_ms": times[0].median_ms,
        "latency": [asdict(time) for time in times],
        "size_bytes": size_bytes(module),
    }


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
