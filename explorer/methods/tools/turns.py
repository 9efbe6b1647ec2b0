"""Networks timed in turns, so that a machine that slows down for a while slows all of them."""

import time
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

import numpy as np
from torch import nn

from explorer.evaluation import LatencyRatio
from explorer.evaluation.side_by_side import ratio_of
from explorer.methods.tools.runtimes import Once, Runtime
from explorer.progress import Report
from explorer.pruning import Plan, cut
from explorer.structure import Structure

FEWEST, MOST = 9, 300  # rounds
QUANTILE = 0.1  # of the times of a width: other work on the machine only ever adds to them
SECONDS = 1.5  # for one group, once it has had its fewest rounds
STEADY, PATIENCE = 0.05, 3  # relative width of that time's interval, and how many times the seconds it may take
MEMORY = 2**30  # bytes for cut copies of the network


def timed(
    module: nn.Module,
    structure: Structure,
    runtime: Runtime,
    plans: Sequence[Mapping[str, int]],
    seconds: float,
    report: Report,
) -> dict[str, Any]:
    """``{base: seconds, rows: [[ratio, low, high], …]}``: each plan's time over the whole network's."""
    size = max(1, sum(tensor.nbytes for tensor in module.state_dict().values()))
    few = max(1, MEMORY // size)
    bases, rows = [], []
    for start in range(0, len(plans), few):
        some = plans[start : start + few]
        runs = [runtime(module), *(runtime(_narrowed(module, structure, plan)) for plan in some)]
        times = _rounds(runs, seconds * len(some) / len(plans), report)
        base = float(np.quantile(times[:, 0], QUANTILE))
        bases.append(base)
        rows += [[time / base for time in _quantile_interval(column)] for column in times[:, 1:].T]
    return {"base": min(bases), "rows": rows}


def beside(
    base: nn.Module, module: nn.Module, runtime: Runtime, batch: int, seconds: float, report: Report
) -> LatencyRatio:
    """A network and its base in turns in a runtime, which was made for `batch` inputs at once."""
    return ratio_of(_rounds([runtime(base), runtime(module)], seconds, report), batch)


def _narrowed(module: nn.Module, structure: Structure, kept: Mapping[str, int]) -> nn.Module:
    remove = {name: tuple(range(count, structure.full[name])) for name, count in kept.items()}
    return cut(module, structure, Plan("", remove)).module


def _rounds(runs: Sequence[Once], seconds: float, report: Report) -> np.ndarray:
    """Seconds of every run in every round, (rounds, runs)."""
    draw, start, rounds = np.random.default_rng(0), time.perf_counter(), []
    for _ in range(2):
        for once in runs:
            once()
            report(0.0, "warming up")
    while len(rounds) < FEWEST or (len(rounds) < MOST and not _settled(rounds, time.perf_counter() - start, seconds)):
        found = np.zeros(len(runs))
        for index in draw.permutation(len(runs)):
            found[index] = runs[index]()
        rounds.append(found)
        report(min(1.0, len(rounds) / FEWEST), f"round {len(rounds)}")
    return np.stack(rounds)


def _settled(rounds: Sequence[np.ndarray], spent: float, seconds: float) -> bool:
    """Whether the time is spent: where the whole network's own time is uncertain, there is more of it."""
    value, low, high = _quantile_interval(np.stack(rounds)[:, 0])
    return spent > seconds * (1 if high - low < STEADY * value else PATIENCE)


def _quantile_interval(times: np.ndarray) -> list[float]:
    """The quantile, and the order statistics that bound it with about 95 % (binomial)."""
    ordered, count = np.sort(times), len(times)
    half = 1.96 * np.sqrt(count * QUANTILE * (1 - QUANTILE))
    low, high = max(0, int(count * QUANTILE - half)), min(count - 1, ceil(count * QUANTILE + half))
    return [float(np.quantile(ordered, QUANTILE)), float(ordered[low]), float(ordered[high])]
