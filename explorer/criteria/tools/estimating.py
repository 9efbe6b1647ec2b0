"""How long scoring will take here, told before it starts."""

import time
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from explorer.batches import Samples, subset
from explorer.criteria.tools.absolute import ones, reads_tokens, total
from explorer.criteria.tools.context import Context, calibration_slice
from explorer.criteria.tools.gradients import requiring
from explorer.criteria.tools.registry import Criterion
from explorer.criteria.tools.scoring import opened, usable
from explorer.device import choose_device
from explorer.evaluation.timing import synchronise
from explorer.progress import Report, silent
from explorer.structure.types import Structure


def estimate(
    criterion: Criterion,
    module: nn.Module,
    structure: Structure,
    data: Samples | None = None,
    samples: int | None = None,
    device: torch.device | str = "auto",
    *,
    batch_size: int = 100,
    report: Report = silent,
) -> float:
    """Seconds that the network's passes will take, from one batch timed forwards, and backwards where that is needed.

    The criterion's own arithmetic is not in it, so that criteria which run no network get 0; so do those that need an
    input of ones where the network reads tokens. The module comes back as it was.

    Args:
        criterion: whose passes are counted.
        module: that would be scored.
        structure: of the module.
        data: that would be looked at.
        samples: how many examples would be taken from the data; None: all.
        device: on which it computes.
        batch_size: inputs that go through the module at once.
        report: hears how far it is.

    Raises:
        ExplorerError: the criterion needs data and there is none, or the device is not present.
    """
    usable(criterion.name, data)
    forwards = criterion.forwards + criterion.forwards_per_unit * sum(structure.full.values())
    if not forwards:
        return 0.0
    batch: Samples | None = None
    if data is not None and criterion.needs & {"inputs", "labels"}:
        data = calibration_slice(data, samples, 0)
        device = choose_device(device) if isinstance(device, str) else device
        size = min(batch_size, len(data))
        batch, batches = subset(data, range(size)), len(data) / size
    else:
        device, size, batches = next(module.parameters()).device, 1, 1.0
    with opened(module, structure, batch, device, batch_size=size, report=report) as context:
        if batch is None and reads_tokens(context):
            return 0.0
        ahead, back = _seconds(context, backwards=criterion.backwards > 0)
    return batches * (forwards * ahead + criterion.backwards * back)


def _seconds(context: Context, *, backwards: bool) -> tuple[float, float]:
    """Seconds of the forward and of the backward pass of a batch; it is run once before, to warm up."""
    weights = [parameter for parameter in context.module.parameters() if parameter.is_floating_point()]

    def work(size: int) -> tuple[float, float]:
        ahead = back = 0.0
        for inputs, labels in _batch(context, size):
            started = _now(context)
            result = _result(context, inputs, labels) if backwards else context.module(*inputs)
            between = _now(context)
            if backwards:
                torch.autograd.grad(result, weights, allow_unused=True)
            ahead, back = ahead + between - started, back + _now(context) - between
        return ahead, back

    if not backwards:
        with torch.no_grad():
            return [context.batch.retry(work) for _ in range(2)][-1]
    with requiring(weights), torch.enable_grad():
        return [context.batch.retry(work) for _ in range(2)][-1]


def _batch(context: Context, size: int) -> Iterator[tuple[tuple[Tensor, ...], Any]]:
    """The batch in pieces: inputs, and labels if there are any; without data one input of ones."""
    if context.data is None:
        yield ones(context), None
        return
    for inputs, labels in context.batches():
        for piece, targets in context.chunks(size, inputs, labels):
            yield (piece,), targets


def _result(context: Context, inputs: tuple[Tensor, ...], labels: Any) -> Tensor:
    if labels is not None:
        return context.loss(inputs[0], labels)
    return total(context.module(*inputs))


def _now(context: Context) -> float:
    synchronise(context.device)
    return time.perf_counter()
