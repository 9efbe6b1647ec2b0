"""The criterion that asks how independent a channel's feature map is of the others."""

from math import pi

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Sums, all_gauges, joined, observe
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import added, to_float64, to_numpy
from explorer.criteria.tools.registry import criterion

STEP = 0.4
BELOW, ABOVE = np.arange(-24, 0, STEP), np.arange(0, 22, STEP)  # of x; s is below or above σ_max
ROOM = 2**24  # entries of the largest intermediate result


@criterion(
    "chip",
    title="Channel independence (CHIP)",
    needs={"inputs"},
    cost="1 forward, and an eigendecomposition for every input and layer",
    forwards=1.0,
    reference="Sui et al. 2021, CHIP: CHannel Independence-based Pruning (arXiv:2110.13981)",
    explanation="How much the nuclear norm of a layer's feature maps shrinks without a channel: little where others "
    "span it. Of two equal channels each seems dispensable, which holds only until the other one is gone.",
    settings={"members": MEMBERS},
    rank=20,
)
def chip(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean over inputs of ‖A‖_* − ‖A without row c‖_*``, A the layer's activations as (channels, positions)."""

    def measure(_gauge: Gauge, activation: Tensor, *_: object) -> Sums[str]:
        maps = activation.flatten(2) if activation.ndim > 2 else activation[..., None]
        channels, positions = maps.shape[1:]
        parts = maps.split(1 + ROOM // (channels * max(len(BELOW), positions)))
        return {"changes": added(nuclear_changes(part).sum(0) for part in parts), "inputs": torch.tensor(len(maps))}

    read = observe(context, all_gauges(context), measure)
    means = {gauge: to_numpy(sums["changes"]) / int(sums["inputs"]) for gauge, sums in read.items()}
    return joined(context, means, members)


def nuclear_changes(maps: Tensor) -> Tensor:
    """``‖A‖_* − ‖A without row c‖_*`` for every row of matrices (batch, rows, columns); float64 (batch, rows).

    One eigendecomposition of the smaller Gram matrix serves all rows. With ``sqrt(x) = (2/π)∫ x/(x + s²) ds`` over
    s > 0, a nuclear norm is an integral of resolvents of ``AAᵀ``, and deleting row and column c of G multiplies
    ``det(G + s²I)`` by ``[(G + s²I)⁻¹]_cc``; integration by parts leaves

        ‖A‖_* − ‖A₋c‖_* = −(1/π) ∫₀^∞ log( Σ_i u_ci² · s²/(λ_i + s²) ) ds,

    u the eigenvectors and λ the eigenvalues of ``AAᵀ``. With ``s = σ_max·eˣ`` the trapezoidal rule converges
    exponentially: singularities keep a distance of π/2 from the real axis, so that its error is about
    ``exp(−π²/STEP)``, 2·10⁻¹¹ of σ_max.
    """
    maps = to_float64(maps)
    if maps.shape[1] <= maps.shape[2]:
        values, vectors = torch.linalg.eigh(maps @ maps.mT)
        shares = vectors.square()
    else:  # u_i = A v_i / σ_i; eigenvectors of zero only count by what they leave to 1
        values, vectors = torch.linalg.eigh(maps.mT @ maps)
        shares = (maps @ vectors).square() / _or_one(values, values > 0)[:, None]
    largest = values[:, -1:]
    present = values > largest * values.shape[1] * torch.finfo(torch.float64).eps
    values, shares = values.where(present, 0), shares.where(present[:, None], 0)
    scale = _or_one(largest.sqrt(), largest > 0)
    rest = (1 - shares.sum(2, keepdim=True)).clamp(min=0)
    squares = values[:, :, None]
    low, high = (scale[..., None] * torch.as_tensor(np.exp(x), device=maps.device) for x in (BELOW, ABOVE))
    kept = shares @ (1 / (1 + squares / low.square())) + rest  # the sum in the logarithm, exact where it is small
    lost = shares @ (squares / (squares + high.square()))  # one minus it, exact where it is close to one
    logs = [kept.clamp(min=torch.finfo(torch.float64).tiny).log(), torch.log1p(-lost)]
    return -sum((log * s).sum(2) for log, s in zip(logs, (low, high), strict=True)) * (STEP / pi)


def _or_one(values: Tensor, valid: Tensor) -> Tensor:
    return values.where(valid, 1)
