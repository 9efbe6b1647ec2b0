"""Activations with their place in the graph, so that something can be asked for its derivative at them."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, add
from explorer.criteria.tools.numbers import to_numpy
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.tasks import IGNORED
from explorer.tasks.tools.losses import check_labels, resized

Traces = dict[Gauge, list[Tensor]]  # one tensor for each time that the gauge's module runs


@contextmanager
def traced(module: nn.Module, gauges: Collection[Gauge]) -> Iterator[Traces]:
    """Inside ``with``, keeps what passes the gauges before their activation; the network goes on with a copy of it.

    The copy is what modules that write into their input write into.
    """
    traces: Traces = {}
    at: dict[tuple[str, bool], list[Gauge]] = defaultdict(list)
    for gauge in gauges:
        at[gauge.module, gauge.at_input].append(gauge)

    def keep(seen: Tensor, here: list[Gauge]) -> Tensor:
        seen = seen if seen.requires_grad else seen.detach().requires_grad_()  # of tokens, embeddings are the first
        for gauge in here:
            traces.setdefault(gauge, []).append(seen)
        return seen.clone()

    def before(here: list[Gauge], _: nn.Module, inputs: tuple) -> tuple:
        return keep(inputs[0], here), *inputs[1:]

    def after(here: list[Gauge], _: nn.Module, __: tuple, output: Any) -> Any:
        return (keep(output[0], here), *output[1:]) if isinstance(output, tuple) else keep(output, here)

    entering = {name: partial(before, here) for (name, at_input), here in at.items() if at_input}
    leaving = {name: partial(after, here) for (name, at_input), here in at.items() if not at_input}
    with watching(module, leaving, before=entering):
        yield traces


def slopes(of: Tensor, traces: Traces) -> dict[Gauge, list[tuple[Tensor, Tensor]]]:
    """What was traced and the derivatives of `of` there, channels on axis 1; only of what `of` depends on."""
    flat = [(gauge, tensor) for gauge, tensors in traces.items() for tensor in tensors]
    if not flat or not of.requires_grad:
        return {}
    gradients = torch.autograd.grad(of, [tensor for _, tensor in flat], allow_unused=True)
    pairs: dict[Gauge, list[tuple[Tensor, Tensor]]] = {}
    for (gauge, tensor), gradient in zip(flat, gradients, strict=True):
        if gradient is not None:
            pair = tensor.detach().movedim(gauge.axis, 1), gradient.movedim(gauge.axis, 1)
            pairs.setdefault(gauge, []).append(pair)
    return pairs


def input_means(
    context: Context, gauges: Collection[Gauge], of_chunk: Callable[[Tensor, Any], Iterable[tuple[Gauge, Tensor]]]
) -> dict[Gauge, np.ndarray]:
    """Means over the calibration set, (channels,), of what `of_chunk` gives for inputs and labels: sums over these.

    A gauge may come several times; what it gives then adds up. One that never comes is missing.
    """
    totals: dict[Gauge, Tensor] = {}
    for images, labels in context.batches() if gauges else ():

        def work(size: int, images: Tensor = images, labels: Any = labels) -> dict[Gauge, Tensor]:
            sums: dict[Gauge, Tensor] = {}
            for chunk in context.chunks(size, images, labels):
                for gauge, values in of_chunk(*chunk):
                    add(sums, {gauge: values})
            return sums

        add(totals, context.batch.retry(work))
    return {gauge: to_numpy(values) / len(context.examples) for gauge, values in totals.items()}


def target_outputs(criterion: str, outputs: Tensor, labels: Any) -> Tensor:
    """What the network says for the right answer, summed over the batch: logits of classes, or scores.

    Of labelled pixels every input has the mean over its own.

    Raises:
        ExplorerError: the labels are boxes, or a label has no output.
    """
    if not isinstance(labels, Tensor) or not isinstance(outputs, Tensor):
        raise ExplorerError(f"{criterion} explains one output per label and boxes have none: use flow or taylor")
    if labels.is_floating_point():
        return outputs.sum()
    check_labels(labels, outputs.shape[1])
    if labels.dim() == 1:
        return outputs.gather(1, labels[:, None]).sum()
    judged = labels != IGNORED
    right = resized(outputs, labels).gather(1, labels.where(judged, 0)[:, None])[:, 0]
    return ((right * judged).flatten(1).sum(1) / judged.flatten(1).sum(1).clamp(min=1)).sum()
