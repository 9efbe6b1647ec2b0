"""Two networks timed in turns within the same minutes: the only latencies whose ratio means anything."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.batches import evaluating, sample_inputs
from explorer.device import BatchSize
from explorer.evaluation.timing import time_once
from explorer.progress import Report, silent

QUANTILE, RESAMPLES = 0.1, 500
FEWEST, ENOUGH, MOST = 3, 15, 300  # rounds: at least; as many as an interval wants; at most
_PATIENCE = 3  # how many times its seconds a batch size may take to get enough rounds


@dataclass(frozen=True)
class LatencyRatio:
    """How long a network takes against its base, for `batch` inputs at once.

    Args:
        batch: how many inputs.
        base_ms, ms: milliseconds of one pass of the base and of the network: the times that a tenth of the rounds stay
            below, since other work on the machine only ever adds to them.
        ratio: of the two: below 1 the network is faster.
        low, high: the 95 % percentile interval of the ratio, the rounds drawn with replacement (Efron 1979), seeded.
        rounds: how often both were timed.
    """

    batch: int
    base_ms: float
    ms: float
    ratio: float
    low: float
    high: float
    rounds: int

    def to_json(self) -> dict[str, Any]:
        """Every field by its name."""
        return asdict(self)


def side_by_side(
    base: nn.Module,
    module: nn.Module,
    inputs: tuple[int, ...] | Tensor,
    *,
    device: torch.device,
    batches: Iterable[int] = (1, 32),
    seconds: float = 0.5,
    report: Report = silent,
) -> list[LatencyRatio]:
    """Times two networks round by round, each first in every second round, so that a slow minute slows both.

    Args:
        base, module: the networks, which come back on the device and in the mode in which they were given.
        inputs: the shape of one input of normal noise, or a batch of inputs, as `latency` takes them.
        device: on which both are at once.
        batches: the batch sizes; one that does not fit is halved, which is logged.
        seconds: for each batch size; up to three times as long where that gives few rounds.

    Raises:
        ResourceError: not even a batch of one fits beside both networks.
    """
    found = []
    with evaluating(base, device), evaluating(module, device):
        for batch in batches:
            size = BatchSize(batch)
            times = size.retry(lambda n: _rounds((base, module), sample_inputs(inputs, n).to(device), seconds, report))
            found.append(ratio_of(times, size.size))
    return found


@torch.inference_mode()
def _rounds(modules: tuple[nn.Module, nn.Module], inputs: Tensor, seconds: float, report: Report) -> np.ndarray:
    """Seconds of both networks in every round, (rounds, 2)."""
    for module in modules:  # warm
        time_once(module, inputs)
    start, rounds = perf_counter(), []

    def goes_on() -> bool:
        spent = perf_counter() - start
        if len(rounds) < FEWEST:
            return True
        return len(rounds) < MOST and spent < seconds * (1 if len(rounds) >= ENOUGH else _PATIENCE)

    while goes_on():
        found = np.zeros(2)
        for which in (0, 1) if len(rounds) % 2 == 0 else (1, 0):
            found[which] = time_once(modules[which], inputs)
        rounds.append(found)
        report(min(1.0, len(rounds) / ENOUGH), f"timing beside the base, batches of {len(inputs)}")
    return np.stack(rounds)


def ratio_of(times: np.ndarray, batch: int) -> LatencyRatio:
    """The ratio of the times of both networks in the same rounds, (rounds, 2), with its interval."""
    base, own = np.quantile(times, QUANTILE, axis=0)
    draws = np.random.default_rng(0).integers(len(times), size=(RESAMPLES, len(times)))
    bases, owns = np.quantile(times[draws], QUANTILE, axis=1).T
    low, high = np.quantile(owns / bases, (0.025, 0.975))
    return LatencyRatio(
        batch=batch,
        base_ms=1e3 * float(base),
        ms=1e3 * float(own),
        ratio=float(own / base),
        low=float(low),
        high=float(high),
        rounds=len(times),
    )
