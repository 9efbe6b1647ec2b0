"""The criterion that hands the importance of the last features back through absolute weights."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from explorer.criteria.tools.absolute import Absolute, absolute_weights
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gauges import Gauge, all_gauges, joined, over_all
from explorer.criteria.tools.members import MEMBERS
from explorer.criteria.tools.numbers import added, to_numpy
from explorer.criteria.tools.registry import criterion
from explorer.criteria.tools.traces import slopes, traced
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.structure.products import parameter_names

SPREAD = 0.5  # how much of an edge is spread, the rest being independence
NEAR = 0.9  # of the inverse spectral radius, up to which paths are summed
UNREACHED = "no weights lead from its channels to the network's last layer but through gates, queries or keys"


@criterion(
    "nisp",
    title="Importance propagation (NISP)",
    needs={"inputs"},
    cost="1 forward, and 1 forward + 1 backward of a single input",
    forwards=1.0,
    reference="Yu et al. 2018, NISP: Pruning Networks using Neuron Importance Score Propagation (arXiv:1711.05908); "
    "Roffo et al. 2015, Infinite Feature Selection",
    explanation="Ranks the features that enter the last layer by how much they vary and how little they repeat each "
    "other, then hands that importance back through the absolute weights of all layers. What the network does with "
    "real inputs counts in the last layer only.",
    settings={"members": MEMBERS},
)
def nisp(context: Context, *, members: str = "mean") -> dict[str, np.ndarray | str]:
    """``s_l = |W_{l+1}|ᵀ s_{l+1}`` from the last layer's inputs back, summed over a channel's positions.

    |W| is the absolute network of `absolute.Absolute`, batch norm folded into it; the product of all transposed |W| is
    its derivative, in float64. The last layer is the convolution or linear layer that runs last; its inputs, averaged
    over positions, have the scores of `infinite_selection`.

    Raises:
        ExplorerError: no linear layer or convolution runs.
    """
    last, features = _last_features(context)
    start = torch.as_tensor(infinite_selection(features), device=context.device)
    first = context.examples[0][0][None].to(context.device)
    inputs = torch.ones_like(first, dtype=torch.float64) if first.is_floating_point() else first
    gauges = all_gauges(context)
    mode = Absolute(parameter_names(context.module))
    with torch.enable_grad(), traced(context.module, {*gauges, last}) as traces, mode:
        functional_call(context.module, absolute_weights(context.module), (inputs,))
    end = traces.pop(last)[-1].movedim(last.axis, -1)
    read = slopes((end * start).sum(), traces)
    values = {gauge: to_numpy(added(slope.sum(over_all(slope)) for _, slope in pairs)) for gauge, pairs in read.items()}
    if last in gauges:
        values[last] = to_numpy(start)
    return joined(context, {gauge: value for gauge, value in values.items() if value.any()}, members, UNREACHED)


def _last_features(context: Context) -> tuple[Gauge, np.ndarray]:
    """Where the last layer reads, and what it reads: (inputs, channels), means over positions."""
    layers: dict[str, nn.Module] = {
        name: part
        for name, part in context.module.named_modules()
        if isinstance(part, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d)
    }
    seen: list[tuple[str, Tensor]] = []
    hooks = {name: lambda _, inputs, name=name: seen.append((name, inputs[0])) for name in layers}
    rows = []
    with watching(context.module, before=hooks):
        for images, _ in context.batches():

            def work(size: int, images: Tensor = images) -> list[Tensor]:
                means = []
                with torch.no_grad():
                    for (inputs,) in context.chunks(size, images):
                        seen.clear()
                        context.module(inputs)
                        if not seen:
                            raise ExplorerError("nisp starts at the last layer and this network has none: use flow")
                        means.append(_means(*seen[-1], layers))
                return means

            rows += [to_numpy(part) for part in context.batch.retry(work)]
    axis = -1 if isinstance(layers[seen[-1][0]], nn.Linear) else 1
    return Gauge(seen[-1][0], "", axis, at_input=True), np.concatenate(rows)


def _means(name: str, inputs: Tensor, layers: dict[str, nn.Module]) -> Tensor:
    """A layer's inputs (inputs, channels), averaged over positions."""
    if isinstance(layers[name], nn.Linear):
        return inputs.flatten(1, -2).mean(1) if inputs.ndim > 2 else inputs
    return inputs.flatten(2).mean(2)


def infinite_selection(features: np.ndarray) -> np.ndarray:
    """Importance of features (inputs, features) → (features,): the sums of rows of ``(I − rA)⁻¹ − I``.

    ``A_ij = ½ max(σ_i, σ_j) + ½ (1 − |ρ_ij|)``, σ as shares of the largest and ρ Spearman's rank correlation; r is
    0.9 over the spectral radius of A. A feature that never varies is as good as repeated: its ρ counts as 1.
    """
    from scipy.stats import rankdata  # slow to import

    spread = features.std(axis=0)
    varies = spread > 0
    ranks = rankdata(features, axis=0)
    ranks -= ranks.mean(axis=0)
    ranks /= np.where(varies, np.sqrt((ranks**2).sum(axis=0)), 1)
    repeated = np.where(np.outer(varies, varies), np.abs(ranks.T @ ranks), 1)
    sigma = spread / (spread.max() or 1)
    edges = SPREAD * np.maximum.outer(sigma, sigma) + (1 - SPREAD) * (1 - np.clip(repeated, 0, 1))
    radius = np.linalg.eigvalsh(edges)[-1]  # of a non-negative symmetric matrix
    if radius <= 0:
        return np.ones(len(sigma))
    scaled = np.eye(len(sigma)) - NEAR / radius * edges
    return np.linalg.solve(scaled, np.ones(len(sigma))) - 1
