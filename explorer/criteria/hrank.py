"""The criterion that counts the independent rows of feature maps."""

import numpy as np
import torch
from torch import Tensor

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, Sums, all_gauges, joined, observe
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import to_float64, to_numpy
from explorer.criteria.tools.registry import criterion

STEPS = 4  # of the power iteration
FLAT = "it makes no two-dimensional maps larger than one entry, so that ranks say nothing"


@criterion(
    "hrank",
    title="Rank of feature maps (HRank)",
    needs={"inputs"},
    cost="1 forward, and the rank of every feature map",
    forwards=1.0,
    reference="Lin et al. 2020, HRank: Filter Pruning using High-Rank Feature Map (arXiv:2002.10179)",
    explanation="The mean matrix rank of a channel's feature maps. Ties are frequent where maps are small, and "
    "maps of one entry only say whether a channel is silent: groups without larger maps (late layers on small "
    "inputs, tokens, linear layers) stay whole.",
    settings={"members": MEMBERS},
    rank=30,
)
def hrank(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``mean over inputs of rank(A_c)``, A_c the (height, width) map of channel c after its non-linearity."""

    def measure(_gauge: Gauge, activation: Tensor, *_: object) -> Sums[str]:
        if activation.ndim != 4 or activation[0, 0].numel() == 1:
            return {}
        ranks = torch.cat([matrix_ranks(maps) for maps in activation.split(1 + 2**22 // activation[0].numel())])
        return {"ranks": ranks.sum(0), "inputs": torch.tensor(len(ranks))}

    read = observe(context, all_gauges(context), measure)
    means = {gauge: to_numpy(sums["ranks"]) / int(sums["inputs"]) for gauge, sums in read.items()}
    return joined(context, means, members, FLAT)


def matrix_ranks(maps: Tensor) -> Tensor:
    """The ranks that `torch.linalg.matrix_rank` gives to float32 maps (…, height, width), a few times as fast.

    A rank is the number of singular values above ``t = σ_max · max(height, width) · ε``, hence of eigenvalues of
    ``G − t²I`` above zero, G the Gram matrix along the smaller side. By Sylvester's law of inertia these are as many
    as the positive eigenvalues of D in ``G − t²I = LDLᵀ``, which costs a fraction of the eigenvalues themselves: D's
    blocks have size one or, with one eigenvalue of each sign, two. σ_max comes from a few steps of the power iteration.
    float64 resolves t²; float32 would not.
    """
    shape, tolerance = maps.shape[:-2], max(maps.shape[-2:]) * torch.finfo(torch.float32).eps
    maps = to_float64(maps.flatten(0, -3))
    maps = maps if maps.shape[-2] <= maps.shape[-1] else maps.mT
    gram = maps @ maps.mT
    square = (_largest(gram) * tolerance**2).clamp(min=torch.finfo(torch.float64).tiny)  # a map of zeros has rank 0
    gram.diagonal(dim1=-2, dim2=-1).sub_(square[:, None])
    if gram.is_cuda:  # there a factorisation is done matrix after matrix, eigenvalues all at once
        return (torch.linalg.eigvalsh(gram) > 0).sum(-1).view(shape).double()
    factors, pivots, _ = torch.linalg.ldl_factor_ex(gram)
    single = pivots > 0
    positive = (single & (factors.diagonal(dim1=-2, dim2=-1) > 0)).sum(-1) + (~single).sum(-1) // 2
    return positive.view(shape).double()


def _largest(gram: Tensor) -> Tensor:
    """The largest eigenvalue of positive semi-definite matrices (batch, n, n), within a few per cent; (batch,)."""
    vector = gram.diagonal(dim1=-2, dim2=-1)
    for _ in range(STEPS):
        length = _lengths(vector)
        vector = (gram @ (vector / length.where(length > 0, 1)).unsqueeze(-1)).squeeze(-1)
    return _lengths(vector).squeeze(-1)


def _lengths(vectors: Tensor) -> Tensor:
    """As `torch.linalg.vector_norm`, ten times as fast for many short ones; (batch, 1)."""
    return vectors.square().sum(-1, keepdim=True).sqrt()
