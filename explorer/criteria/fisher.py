"""Optimal brain damage with the Fisher information's diagonal, from the gradients of single samples."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.criteria.connections import by_producer
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import add
from explorer.criteria.tools.gradients import producer_weights
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import added
from explorer.criteria.tools.registry import criterion
from explorer.structure.products import Product, parameter_names, product

_NUMBERS = 1 << 24  # gradients of single samples held at once: 64 MiB


@criterion(
    "obd",
    title="Optimal brain damage",
    needs={"inputs", "labels", "gradients"},
    cost="2 forwards + 2 backwards",
    forwards=2.0,
    backwards=2.0,
    reference="LeCun et al. 1989, Optimal Brain Damage (NeurIPS); with the Fisher information for the curvature, Theis "
    "et al. 2018 (arXiv:1801.05787)",
    explanation="Half of every squared weight of a filter times the curvature of the loss there, which the squared "
    "gradients of single samples stand for. It takes weights to act alone and the network to be at a minimum.",
    settings={"members": MEMBERS},
    rank=30,
)
def obd(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``½ Σ w²·mean_n (∂L_n/∂w)²`` over all rows of a unit in one producer, L_n the loss of sample n alone.

    The square of a mini-batch's gradient is not the mean of its samples' squares, so each sample's gradient is
    computed: of a layer whose weights meet x and whose output has the derivative δ, from x and δ of that sample.
    """
    weights = producer_weights(context)
    squares: dict[str, Tensor] = {}
    for inputs, labels in context.batches() if weights else ():

        def work(size: int, inputs: Tensor = inputs, labels: Any = labels) -> dict[str, Tensor]:
            batch_squares: dict[str, Tensor] = {}
            for chunk, targets in context.sample_chunks(size, inputs, labels):
                add(batch_squares, _squared_gradients(context, weights, chunk, targets))
            return batch_squares

        add(squares, context.batch.retry(work))
    scale = 0.5 / max(1, len(context.data or ()))
    return by_producer(context, {n: weights[n].detach().square() * h * scale for n, h in squares.items()}, members)


class _Recorder(TorchFunctionMode):
    """Keeps the products with the wanted weights, and a handle on their outputs that no later operator overwrites."""

    def __init__(self, module: nn.Module, wanted: Collection[str]) -> None:
        super().__init__()
        self._names = {
            key: next(name for name in names if name in wanted)
            for key, names in parameter_names(module).items()
            if any(name in wanted for name in names)
        }
        self.products: dict[str, list[tuple[Product, Tensor]]] = defaultdict(list)

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        output = function(*args, **(kwargs or {}))
        call = product(function, args, kwargs or {})
        name = self._names.get(id(call.weight)) if call is not None else None
        if call is None or name is None:
            return output
        if not output.requires_grad:
            output.requires_grad_()
        self.products[name].append((call, output))
        return output.clone()


def _squared_gradients(
    context: Context, weights: dict[str, nn.Parameter], inputs: Tensor, labels: Any
) -> dict[str, Tensor]:
    """``Σ_n (∂L_n/∂w)²`` over the samples, for every weight that met an activation."""
    with torch.enable_grad(), _Recorder(context.module, weights) as recorder:
        loss = context.loss(inputs, labels) * len(inputs)
    calls = [(name, call, output) for name, pairs in recorder.products.items() for call, output in pairs]
    slopes = torch.autograd.grad(loss, [output for _, _, output in calls], allow_unused=True) if calls else ()
    by_weight: dict[str, list[tuple[Product, Tensor]]] = defaultdict(list)
    for (name, call, _), slope in zip(calls, slopes, strict=True):
        if slope is not None:
            by_weight[name].append((call, slope))
    return {name: _squares(pairs, len(inputs)) for name, pairs in by_weight.items()}


def _squares(calls: list[tuple[Product, Tensor]], samples: int) -> Tensor:
    """As `_squared_gradients` for one weight, in which as many samples are taken at once as memory is meant for."""
    weight = calls[0][0].weight.detach()
    total = torch.zeros_like(weight)
    step = max(1, _NUMBERS // weight.numel())
    for start in range(0, samples, step):
        chosen = slice(start, min(start + step, samples))
        total += added(_sample_gradients(call, slope, samples, chosen) for call, slope in calls).square().sum(0)
    return total


def _sample_gradients(call: Product, slope: Tensor, samples: int, chosen: slice) -> Tensor:
    """∂L_n/∂w of the chosen samples through one product, (chosen, *weight.shape)."""
    count = chosen.stop - chosen.start
    inputs = call.input.detach().unflatten(0, (samples, -1))[chosen]
    slope = slope.unflatten(0, (samples, -1))[chosen]
    if not call.convolution:
        inputs, slope = inputs.flatten(1, -2), slope.flatten(1, -2)
        return inputs.mT @ slope if call.inputs_first else slope.mT @ inputs
    # every (sample, window) becomes a group of one wide convolution
    windows = inputs.shape[1]
    weights = call.weight.detach().repeat(count * windows, *[1] * (call.weight.ndim - 1)).requires_grad_()
    with torch.enable_grad():
        outputs = call.run(_joined(inputs), weights, call.groups * count * windows)
    gradient = torch.autograd.grad(outputs, weights, _joined(slope))[0]
    return gradient.unflatten(0, (count, windows, -1)).sum(1)


def _joined(tensor: Tensor) -> Tensor:
    """(samples, windows, channels, …) with all but the positions in one channel axis: (1, …)."""
    return tensor.flatten(0, 2)[None]
