"""Gradients of the loss with respect to weights, of whole mini-batches and of whole calibration sets."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.tools.context import Context
from explorer.registry import Choice

MINI_BATCH = Choice(
    "auto",
    ("auto", "1", "2", "4", "16", "64", "100"),
    "how many samples' gradients are averaged before a square is taken; auto: so few that there are 64 such averages, "
    "but no fewer than 2",
)
_FEWEST = 2  # samples: losses that compare the samples of a batch say nothing of one alone
_AVERAGES = 64  # squares whose mean is known to some 20 %: a normal number's square varies by sqrt(2) of its mean


def mini_batches(context: Context, batch: str) -> Iterator[tuple[Tensor, Any]]:
    """The data in mini-batches of nearly equal sizes, as `MINI_BATCH` says: many squares, not one or two of large ones.

    With 160 samples in batches of 100, a mean of squared gradients is the mean of two numbers.
    """
    most = max(_FEWEST, len(context.examples) // _AVERAGES) if batch == "auto" else int(batch)
    for inputs, labels in context.batches():
        count = min(ceil(len(inputs) / most), max(1, len(inputs) // min(most, _FEWEST)))
        bounds = np.linspace(0, len(inputs), count + 1).astype(int).tolist()
        for start, stop in pairwise(bounds):
            yield inputs[start:stop], labels[start:stop]


def batch_gradients(
    context: Context, inputs: Tensor, labels: Any, weights: Mapping[str, nn.Parameter]
) -> dict[str, Tensor]:
    """The gradients of a mini-batch's mean loss; zero for weights that it doesn't depend on."""

    def work(size: int) -> list[Tensor]:
        totals = [torch.zeros_like(weight) for weight in weights.values()]
        for chunk, targets in context.chunks(size, inputs, labels):
            loss = context.loss(chunk, targets) * (len(chunk) / len(inputs))
            gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
            totals = [f if g is None else f + g for f, g in zip(totals, gradients, strict=True)]
        return totals

    with requiring(weights.values()), torch.enable_grad():
        return dict(zip(weights, context.batch.retry(work), strict=True))


def set_gradients(
    context: Context, weights: Mapping[str, nn.Parameter], start: float = 0.0, stop: float = 1.0
) -> dict[str, Tensor]:
    """The gradients of the mean loss over the calibration set, in a pass that reports from `start` to `stop`."""
    totals = {name: torch.zeros_like(weight) for name, weight in weights.items()}
    for inputs, labels in context.batches(start, stop):
        for name, gradient in batch_gradients(context, inputs, labels, weights).items():
            totals[name] += gradient * (len(inputs) / len(context.examples))
    return totals


@contextmanager
def requiring(weights: Iterable[nn.Parameter]) -> Iterator[None]:
    """The weights require gradients; afterwards none does."""
    weights = list(weights)
    for weight in weights:
        weight.requires_grad_(True)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(False)


def producer_weights(context: Context) -> dict[str, nn.Parameter]:
    """The parameters that produce the channels of any group, by name."""
    weights = dict(context.module.named_parameters(remove_duplicate=False))
    wanted = dict.fromkeys(m.tensor for g in context.structure.groups.values() for m in g.of_role("producer"))
    return {name: weights[name] for name in wanted if name in weights}
