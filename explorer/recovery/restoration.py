"""Restoration without data: channels that are left stand in for those that went, going by the weights alone."""

from time import perf_counter
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from explorer.criteria.tools.members import entries
from explorer.criteria.tools.numbers import to_float64
from explorer.progress import Report, silent
from explorer.recovery.before import NOTHING_LEFT, Loss, Origin, as_cut, on, once
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work
from explorer.structure import Group

# λ₁ and λ₂ of `coefficients` for every network, from a coarse grid on the bundled VGG; the paper tunes both.
SHIFT_ERROR, SIZE_ERROR = 1e-4, 1e-4
SEVERAL = "several layers make its channels, together or one after the other"
UNLIKE = "its channels aren't those of one plain layer with at most a batch norm behind it"
NO_RELU = "no ReLU follows the layer that makes its channels"
UNEVEN = "its channels don't enter alike the layers that read them"


@recovery(
    "lbyl",
    title="Data-free restoration (LBYL)",
    explanation="Writes every filter that left as a mix of those that stay, from weights and batch norms alone, and "
    "lets the next layers take that up. Instant, without data; for channels behind one layer and a ReLU.",
    cost="nothing but weights",
    reference="Lee et al. 2025, Training-Free Restoration of Pruned Neural Networks (arXiv:2502.08474)",
    rank=40,
)
def restoration(module: nn.Module, work: Work) -> History:
    return restore(module, work.origin_for("lbyl"), report=work.report)


@torch.no_grad()
def restore(
    module: nn.Module,
    origin: Origin,
    *,
    shift_error: float = SHIFT_ERROR,
    size_error: float = SIZE_ERROR,
    report: Report = silent,
) -> History:
    """Adds ``t_kj·W[:, j]`` to ``W[:, k]`` in all layers that read a removed channel j, for all kept k, in place.

    See `coefficients` for t. Groups made by several layers, or with more than a batch norm between the layer and its
    ReLU, stay as cut, and so does what the cut made of a channel whose batch norm multiplies by zero.

    Args:
        module: the cut network.
        origin: what it was cut from.
        shift_error: λ₁ of `coefficients`.
        size_error: λ₂ of `coefficients`.
        report: hears how far it is.
    """
    start = perf_counter()
    if not origin.losses:
        return History("lbyl", seconds=0.0, warnings=(NOTHING_LEFT,))
    changed, reasons = origin.copied(), {}
    for step, (name, loss) in enumerate(origin.losses.items(), start=1):
        filters = _filters(loss.group, origin.module)
        readers = loss.group.of_role("consumer")
        if isinstance(filters, str):
            reasons[name] = filters
        elif any(entries(member, loss.group.units) is None for member in readers):
            reasons[name] = UNEVEN
        else:
            _absorb(changed, loss, coefficients(filters, loss.kept, loss.removed, shift_error, size_error))
        report(step / len(origin.losses), f"restored {name}")
    origin.cut_into(module, changed)
    return History("lbyl", seconds=perf_counter() - start, warnings=as_cut(reasons))


class Filters(NamedTuple):
    """What makes channels: ``relu(gain·(weights·z − threshold))``; float64.

    Args:
        weights: (channels, inputs of a filter).
        gain: γ/σ, (channels,).
        threshold: a = μ − σβ/γ, (channels,); without batch norm −bias, and zero for a channel with a gain of zero.
        normed: whether there is a batch norm.
    """

    weights: Tensor
    gain: Tensor
    threshold: Tensor
    normed: bool


def _filters(group: Group, base: nn.Module) -> Filters | str:
    producers = [member for _, member in once(base, group.of_role("producer"))]
    if len(producers) > 1:
        return SEVERAL
    taps = [tap for tap in group.taps if producers and tap.producer == producers[0].tensor]
    if not taps:
        return UNLIKE
    name, _, own = taps[0].producer.rpartition(".")
    layer, behind = base.get_submodule(name), base.get_submodule(taps[0].module)
    rows = entries(producers[0], group.units)
    plain = isinstance(layer, nn.Linear) or (
        isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd) and layer.groups == 1
    )
    known = {f"{name}.bias", *(f"{taps[0].module}.{tensor}" for tensor in behind.state_dict())}
    beside = {member.tensor for member in group.members if member.role not in ("producer", "consumer")}
    normed = isinstance(behind, _BatchNorm) and behind.track_running_stats
    if own != "weight" or not plain or rows is None or rows.shape[1] > 1 or group.norms or not beside <= known:
        return UNLIKE
    if not normed and behind is not layer:
        return UNLIKE
    if taps[0].activation != "relu":
        return NO_RELU
    order = on(layer.weight, rows[:, 0])
    weights = to_float64(layer.weight)[order].flatten(1)
    shift = to_float64(layer.bias)[order] if layer.bias is not None else weights.new_zeros(len(weights))
    if not normed:
        return Filters(weights, torch.ones_like(shift), -shift, False)
    sigma = (to_float64(behind.running_var)[order] + behind.eps).sqrt()
    gamma = to_float64(behind.weight)[order] if behind.affine else torch.ones_like(sigma)
    beta = to_float64(behind.bias)[order] if behind.affine else torch.zeros_like(sigma)
    alive = gamma.abs() > torch.finfo(torch.float32).tiny
    threshold = to_float64(behind.running_mean)[order] - shift - sigma * beta / torch.where(alive, gamma, 1.0)
    return Filters(weights, torch.where(alive, gamma / sigma, 0.0), torch.where(alive, threshold, 0.0), True)


def coefficients(
    filters: Filters,
    kept: np.ndarray,
    removed: np.ndarray,
    shift_error: float = SHIFT_ERROR,
    size_error: float = SIZE_ERROR,
) -> Tensor:
    """How much of every kept channel stands in for each removed one: (removed, kept), float64.

    ``t_k = K_k·s_k`` with ``K_k = (γ_j/γ_k)(σ_k/σ_j)``, where s makes least
    ``‖w_j − Σ s_k w_k‖² + λ₁ (γ_j/σ_j)² (a_j − Σ s_k a_k)² + λ₂ Σ (K_k s_k)²``: the errors of the weights, of where the
    ReLU sets in, and the size of what is added (Lee et al. 2025, Training-Free Restoration of Pruned Neural Networks,
    arXiv:2502.08474). Exact as λ₂ goes to zero where w_j and a_j are one kept filter's, times a number with the sign
    of K. The paper's code gives the next layers s without K, takes the variance for σ, and puts a number on the
    diagonal in place of the outer product a·aᵀ.

    Args:
        filters: of all channels.
        kept: the channels that stay.
        removed: those that left.
        shift_error: λ₁; without batch norm it is 1, since weights and bias are one vector then.
        size_error: λ₂, above zero.
    """
    weights, gain, threshold, normed = filters
    kept, removed = on(weights, kept), on(weights, removed)
    basis = kept[gain[kept] != 0]
    shares = weights.new_zeros(len(removed), len(gain))
    gram = weights[basis] @ weights[basis].T
    for row, j in enumerate(removed.tolist()):
        if gain[j] == 0 or not len(basis):
            continue
        ratio = gain[j] / gain[basis]
        weight, starts = shift_error * gain[j].square() if normed else 1.0, threshold[basis]
        system = gram + weight * starts[:, None] * starts + size_error * ratio.square().diag()
        right = weights[basis] @ weights[j] + weight * threshold[j] * starts
        shares[row, basis] = ratio * torch.linalg.solve(system, right)
    return shares[:, kept]


def _absorb(changed: nn.Module, loss: Loss, mix: Tensor) -> None:
    """The readers' weights of the kept channels, plus those of the removed ones by `mix`, (removed, kept)."""
    for tensor, member in once(changed, loss.group.of_role("consumer")):
        places = entries(member, loss.group.units)
        read = tensor.movedim(member.axis, 0)
        removed, kept = (on(tensor, places[units]) for units in (loss.removed, loss.kept))
        read[kept] = read[kept] + torch.tensordot(mix.T.to(tensor), read[removed], dims=1)
