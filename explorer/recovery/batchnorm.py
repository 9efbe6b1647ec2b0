"""Batch-norm recalibration: statistics of the cut network in place of those of the whole one."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.batches import Samples, evaluating, fetch
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work

NO_STATISTICS = "the network has no batch norm with running statistics: recalibration has nothing to do"


@recovery(
    "bn",
    title="Batch-norm recalibration",
    explanation="Estimates the mean and variance in every batch norm again on calibration images. Seconds, no "
    "training.",
    needs={"calibration data"},
    cost="1 forward",
    reference="Li et al. 2020, EagleEye (arXiv:2007.02491)",
    rank=10,
)
def recalibration(module: nn.Module, work: Work) -> History:
    return recalibrate(module, work.task.calibration, device=work.device, seed=work.seed, report=work.report)


def recalibrate(
    module: nn.Module,
    data: Samples,
    *,
    device: torch.device,
    batch_size: int = 100,
    passes: int = 1,
    seed: int = 0,
    report: Report = silent,
) -> History:
    """Re-estimates running means and variances as averages over batches of `data`, in place.

    Every batch weighs the same (cumulative average, as in EagleEye, Li et al. 2020, arXiv:2007.02491). Only batch norms
    run in training mode, so dropout stays off. Modes and momenta are put back; if the work is cancelled or fails, the
    statistics too. A batch norm that sees no data (in an auxiliary head) keeps its statistics.

    Args:
        module: with the batch norms.
        data: whose inputs go through it.
        device: on which it computes.
        batch_size: inputs at once, fewer where memory is short.
        passes: how often it goes through the data.
        seed: of the order in which it does.
        report: hears how far it is.

    Raises:
        ExplorerError: fewer than two samples, or not even the smallest batch fits in memory.
    """
    start = perf_counter()
    layers = with_statistics(module)
    if not layers:
        return History("bn", seconds=0.0, warnings=(NO_STATISTICS,))
    if len(data) < 2:
        raise ExplorerError("batch-norm recalibration needs at least two calibration images: give more data")
    generator = torch.Generator().manual_seed(seed)
    order = torch.cat([torch.randperm(len(data), generator=generator) for _ in range(passes)])
    size = BatchSize(batch_size)
    with evaluating(module, device), _cumulative(layers):
        size.retry(lambda n: _observe(module, layers, data, even_batches(order, n), device, report))
    return History("bn", seconds=perf_counter() - start)


def even_batches(order: Tensor, size: int) -> tuple[Tensor, ...]:
    """`order` in nearly equal parts of at most `size`, none of them of one: batch norm can't train on a single value.

    Parts of two or three remain where a smaller `size` is asked for.
    """
    parts = max(1, min(-(-len(order) // size), len(order) // 2))
    return order.tensor_split(parts)


@contextmanager
def _cumulative(layers: list[_BatchNorm]) -> Iterator[None]:
    """Within it the layers average over batches; statistics stay when all goes well."""
    before = [(layer.momentum, {key: value.clone() for key, value in layer._buffers.items()}) for layer in layers]
    done = False
    try:
        for layer in layers:
            layer.momentum = None
            layer.train()
        yield
        done = True
    finally:
        for layer, (momentum, buffers) in zip(layers, before, strict=True):
            layer.momentum = momentum
            if not done or layer.num_batches_tracked == 0:
                for key, value in buffers.items():
                    layer._buffers[key].copy_(value)


@torch.no_grad()
def _observe(
    module: nn.Module,
    layers: list[_BatchNorm],
    data: Samples,
    order: tuple[Tensor, ...],
    device: torch.device,
    report: Report,
) -> None:
    for layer in layers:
        layer.reset_running_stats()
    for step, indices in enumerate(order, start=1):
        module(fetch(data, indices)[0].to(device))
        report(step / len(order), f"batch-norm statistics: batch {step} of {len(order)}")


def with_statistics(module: nn.Module) -> list[_BatchNorm]:
    """The batch norms whose statistics can be estimated again."""
    return [part for part in module.modules() if isinstance(part, _BatchNorm) and part.track_running_stats]
