"""Everything that is reported of a model: accuracy, cost, bytes and time."""

from dataclasses import asdict
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from explorer.evaluation.accuracy import accuracy
from explorer.evaluation.latency import latency
from explorer.progress import Report, part, silent
from explorer.structure import count

METADATA = {"format": "pt"}  # what every safetensors file written here carries


def measure(
    module: nn.Module,
    task: Any,
    input_shape: tuple[int, ...],
    *,
    device: torch.device,
    batch_size: int = 256,
    batches: tuple[int, ...] = (1, 32),
    seconds: float = 0.5,
    report: Report = silent,
) -> dict[str, Any]:
    """Measures the module on the task's test split.

    Returns:
        A JSON object: `top1`, `top5` with the 95 % interval `top1_low`, `top1_high` of top-1 over `samples`
        (fractions; None, and 0 samples, for a task without meaningful labels), `metric`, `params`, `macs` of
        one input, `latency_ms` (median at the first batch size), `latency` (one entry a batch size, each
        measured for about `seconds`) and `size_bytes` of the safetensors file.

    Raises:
        ExplorerError: see `accuracy` and `latency`.
    """
    scores = dict.fromkeys(("top1", "top5", "top1_low", "top1_high")) | {"samples": 0}
    if task.measured:
        found = accuracy(module, task.test, device=device, batch_size=batch_size, report=part(report, 0.0, 0.7))
        scores = {
            "top1": found.top1,
            "top5": found.top5,
            "top1_low": found.low,
            "top1_high": found.high,
            "samples": found.samples,
        }
    times = latency(module, input_shape, device=device, batches=batches, seconds=seconds, report=part(report, 0.7, 1.0))
    cost = count(module, torch.zeros(1, *input_shape, device=next(module.parameters()).device))
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
