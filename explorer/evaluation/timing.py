"""How long one forward pass takes, measured on the device itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn

from explorer.batches import evaluating, sample_inputs
from explorer.device import BatchSize, describe_device
from explorer.evaluation.contention import waited
from explorer.progress import Report, silent

FEWEST, MOST = 5, 200  # repeats of one batch size


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass with `batch` inputs: median and 95th percentile over `repeats`.

    `threads` counts the CPU threads of the process, `device` says where it ran. `waited` is the share of the time for
    which a thread waited for a processor that others had, and by which the times are too long about; None where the
    system does not tell.
    """

    batch: int
    median_ms: float
    p95_ms: float
    repeats: int
    threads: int
    device: str
    waited: float | None = None


def latency(
    module: nn.Module,
    inputs: tuple[int, ...] | Tensor,
    *,
    device: torch.device,
    batches: Iterable[int] = (1, 32),
    warmup: int = 3,
    seconds: float = 0.5,
    report: Report = silent,
) -> list[Latency]:
    """Times float32 forward passes on `inputs` of each batch size: noise of that shape, or a batch repeated.

    Each batch size is repeated for about `seconds`, warm-up included; a pass that is slow for that
    budget is repeated less often, but at least once after one warm-up pass. Where a batch does not fit in
    memory, the largest halving of it that does is timed, which is logged and shows in `Latency.batch`.

    Raises:
        ExplorerError: not even a batch of one fits.
    """
    results = []
    with evaluating(module, device):
        for batch in batches:
            size = BatchSize(batch)
            start, before = perf_counter(), waited()
            times = size.retry(lambda n: _times(module, sample_inputs(inputs, n).to(device), warmup, seconds, report))
            results.append(
                Latency(
                    batch=size.size,
                    median_ms=1e3 * float(np.median(times)),
                    p95_ms=1e3 * float(np.percentile(times, 95)),
                    repeats=len(times),
                    threads=torch.get_num_threads(),
                    device=describe_device(device),
                    waited=None if before is None else _share_waited(before, start),
                )
            )
    return results


def _share_waited(before: float, start: float) -> float:
    """The share of the time since `start`, which is 0 where threads have ended and took what they had waited along."""
    return max(0.0, (waited() or 0.0) - before) / (perf_counter() - start)


@torch.inference_mode()
def _times(module: nn.Module, inputs: Tensor, warmup: int, seconds: float, report: Report) -> list[float]:
    """Seconds of each repeat."""
    start, times, warm = perf_counter(), [], 0

    def spent(share: float) -> bool:
        return perf_counter() - start > share * seconds

    while warm == 0 or (warm < warmup and not spent(0.5)):
        time_once(module, inputs)
        warm += 1
        report(0.0, f"warming up with batches of {len(inputs)}")
    while not times or (len(times) < MOST and not spent(1 if len(times) >= FEWEST else 2)):
        times.append(time_once(module, inputs))
        report(min(1.0, (perf_counter() - start) / seconds), f"timing batches of {len(inputs)}")
    return times


def time_once(module: nn.Module, inputs: Tensor) -> float:
    """Seconds of one forward pass, the device's queue included."""
    synchronise(inputs.device)
    start = perf_counter()
    module(inputs)
    synchronise(inputs.device)
    return perf_counter() - start


def synchronise(device: torch.device) -> None:
    """Waits until the device has done everything that it was asked to."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
