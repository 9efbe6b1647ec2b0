"""Criteria for single weights before training, added up over the filters of a unit."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gradients import producer_weights, requiring, set_gradients
from explorer.criteria.tools.members import MEMBERS, combine, sums, unit_sums
from explorer.criteria.tools.numbers import added, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.modules import watching
from explorer.registry import Choice

TEMPERATURE = Choice("200", ("200", "1"), "what the logits are divided by before the loss; the paper's code has 200")


@criterion(
    "snip",
    title="SNIP",
    needs={"inputs", "labels", "gradients"},
    cost="1 forward + 1 backward",
    forwards=1.0,
    backwards=1.0,
    reference="Lee et al. 2019, SNIP: Single-shot Network Pruning based on Connection Sensitivity (arXiv:1810.02340)",
    explanation="How strongly the loss over the whole calibration set answers to each weight of a filter, whatever "
    "the direction. Made for networks that aren't trained yet; in a trained one most gradients are noise.",
    settings={"members": MEMBERS},
    rank=20,
)
def snip(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ|w·∂L/∂w|`` over all rows of a unit in one producer, as a share of the sum over all producers' weights.

    L is the mean loss over the calibration set: gradients of samples cancel before the absolute value is taken.
    """
    scores = connection_sensitivity(context, producer_weights(context))
    whole = sum(float(score.sum()) for score in scores.values()) or 1.0
    return by_producer(context, {name: score / whole for name, score in scores.items()}, members)


@criterion(
    "grasp",
    title="GraSP",
    needs={"inputs", "labels", "gradients"},
    cost="2 forwards + 4 backwards",
    forwards=2.0,
    backwards=4.0,
    reference="Wang et al. 2020, Picking Winning Tickets Before Training by Preserving Gradient Flow "
    "(arXiv:2002.07376)",
    explanation="What removing a filter's weights would do to the gradient's length, to second order: filters whose "
    "removal makes it shorter stay. Made for networks that aren't trained yet. Scores may be negative.",
    settings={"temperature": TEMPERATURE, "members": MEMBERS},
    rank=20,
)
def grasp(context: Context, *, temperature: str = "200", members: str = "mean") -> dict[str, np.ndarray | str]:
    """``Σ w·(Hg)_w`` over all rows of a unit in one producer, H the Hessian and g the gradient of the mean loss.

    The paper's S(−θ) = −θ·Hg is to first order half the change of ‖g‖² when the weights leave; the largest leave
    first. g is taken over the whole calibration set, then Hg is the gradient of Σ_batches g_batchᵀg. Outputs that
    aren't logits of classes are not divided by the temperature.
    """
    return by_producer(context, gradient_flow(context, producer_weights(context), float(temperature)), members)


def connection_sensitivity(context: Context, weights: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """``|w·∂L/∂w|`` of single weights, see `snip`."""
    gradients = set_gradients(context, weights) if weights else {}
    return {name: (weight * gradients[name]).detach().abs() for name, weight in weights.items()}


def gradient_flow(context: Context, weights: Mapping[str, nn.Parameter], temperature: float) -> dict[str, Tensor]:
    """``w·(Hg)_w`` of single weights, see `grasp`."""
    with _cooled(context.module, temperature):
        slope = set_gradients(context, weights, 0.0, 0.4) if weights else {}
        bend = _hessian_product(context, weights, slope) if weights else {}
    return {name: (weight * bend[name]).detach() for name, weight in weights.items()}


def by_producer(
    context: Context,
    scores: Mapping[str, Tensor],
    members: str,
    missing: str = "no layer's weights produce its channels",
) -> dict[str, np.ndarray | str]:
    """Scores of single weights, added up over a unit's rows in each producer that has any, then joined by `members`.

    `missing` is the reason of groups without such a producer.
    """
    by_group: dict[str, np.ndarray | str] = {}
    for name, group in context.structure.groups.items():
        scored = [m for m in group.of_role("producer") if m.tensor in scores]
        parts = [unit_sums(to_numpy(sums(scores[m.tensor], m.axis)), m, group.units) for m in scored]
        by_group[name] = combine(parts, members) if parts else missing
    return by_group


def _hessian_product(
    context: Context, weights: Mapping[str, nn.Parameter], slope: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """``H·slope``, H the Hessian of the mean loss over the calibration set."""
    used, direction = list(weights.values()), [slope[name] for name in weights]
    totals = [torch.zeros_like(weight) for weight in used]
    for inputs, labels in context.batches(0.4, 1.0):

        def work(size: int, inputs: Tensor = inputs, labels: Any = labels) -> list[Tensor]:
            products = [torch.zeros_like(weight) for weight in used]
            for chunk, targets in context.chunks(size, inputs, labels):
                loss = context.loss(chunk, targets) * (len(chunk) / len(context.examples))
                gradients = torch.autograd.grad(loss, used, create_graph=True, allow_unused=True)
                along = added((g * d).sum() for g, d in zip(gradients, direction, strict=True) if g is not None)
                seconds = torch.autograd.grad(along, used, allow_unused=True)
                products = [f if s is None else f + s for f, s in zip(products, seconds, strict=True)]
            return products

        with requiring(used), torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), _TwiceDifferentiable():
            totals = [total + part for total, part in zip(totals, context.batch.retry(work), strict=True)]
    return dict(zip(weights, totals, strict=True))


class _TwiceDifferentiable(TorchFunctionMode):
    """Computes from others what PyTorch has no second derivative for; of attention the backend is chosen instead."""

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        if getattr(function, "__name__", "") == "hardsigmoid":
            return F.relu6(args[0] + 3) / 6
        return function(*args, **(kwargs or {}))


def _cooled(module: nn.Module, temperature: float) -> AbstractContextManager[None]:
    """The module's logits are divided by a temperature; single outputs are scores and stay."""

    def divide(_: nn.Module, __: Any, output: Any) -> Any:
        return output / temperature if isinstance(output, Tensor) and output.shape[1] > 1 else output

    return watching(module, {"": divide})
