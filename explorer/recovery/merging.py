"""Merging: every unit that left goes into the nearest one that stays, and nothing of it is dropped."""

from time import perf_counter

import numpy as np
import torch
from torch import nn

from explorer.criteria.tools.members import entries
from explorer.criteria.tools.rows import UNEVEN, squared_distances, unit_rows
from explorer.progress import Report, silent
from explorer.recovery.before import NOTHING_LEFT, Loss, Origin, along, as_cut, on, once
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work

CHOSEN = "experts are chosen, not added up, so that none stands for another"
NORMED = "a norm takes statistics over its channels, or a kernel runs along them, which merging would change"
CONTRACTED = "its channels are multiplied with each other, so that sums are no substitute"
NO_ROWS = "no tensor with two axes holds its channels"


@recovery(
    "merge",
    title="Merging with the nearest",
    explanation="Puts every channel that left into its nearest neighbour: what makes the two is averaged, what reads "
    "them is added. Instant, without data; exact for equal channels, and made for the criterion 'merging'.",
    cost="nothing but weights",
    reference="Chen et al. 2024, Iterative Feature Merging (arXiv:2310.06756)",
    rank=30,
)
def merging(module: nn.Module, work: Work) -> History:
    return merge(module, work.origin_for("merge"), report=work.report)


@torch.no_grad()
def merge(module: nn.Module, origin: Origin, *, report: Report = silent) -> History:
    """Folds every removed unit into the kept one with the least ``D_ij = Σ_t ‖w_t,i − w_t,j‖²``, in place.

    The distance is that of Iterative Feature Merging (Chen et al., ICLR 2024), over all tensors of the group with two
    or more axes. Weights, biases and batch norms that make a channel become the mean over all units that went into
    it, weights that read it their sum. The paper's code adds up producers and batch norms and averages readers, which
    changes the function even of two equal channels by a factor of √2.
    """
    start = perf_counter()
    if not origin.losses:
        return History("merge", seconds=0.0, warnings=(NOTHING_LEFT,))
    changed, reasons, homes = origin.copied(), {}, {}
    for name, loss in origin.losses.items():
        home = _homes(loss, origin.module)
        (reasons if isinstance(home, str) else homes)[name] = home
    for step, (name, home) in enumerate(homes.items(), start=1):
        _fold(changed, origin.losses[name], home)
        report(step / len(homes), f"merged {name}")
    origin.cut_into(module, changed)
    return History("merge", seconds=perf_counter() - start, warnings=as_cut(reasons))


def _homes(loss: Loss, base: nn.Module) -> np.ndarray | str:
    """For every unit the one that it goes into, itself if it stays; or why they can't be merged."""
    group = loss.group
    if group.contracted or group.kind == "head-dims":
        return CONTRACTED
    if group.kind == "experts":
        return CHOSEN
    if group.norms:
        return NORMED
    if any(entries(member, group.units) is None for member in group.members if member.role != "index"):
        return UNEVEN
    rows = [
        unit_rows(tensor, member, group)
        for tensor, member in once(base, [member for member in group.members if member.role != "index"])
        if tensor.ndim > 1
    ]
    if not rows:
        return NO_ROWS
    distances = sum(squared_distances(row) for row in rows)
    nearest = distances[on(distances, loss.removed)][:, on(distances, loss.kept)].argmin(1).cpu().numpy()
    homes = np.arange(group.units)
    homes[loss.removed] = loss.kept[nearest]
    return homes


def _fold(changed: nn.Module, loss: Loss, homes: np.ndarray) -> None:
    group = loss.group
    for tensor, member in once(changed, [member for member in group.members if member.role != "index"]):
        places = entries(member, group.units)
        flat, into = on(tensor, places.ravel()), on(tensor, places[homes].ravel())
        totals = torch.zeros_like(tensor).index_add_(member.axis, into, tensor.index_select(member.axis, flat))
        if member.role != "consumer":
            counts = torch.zeros(tensor.shape[member.axis], dtype=tensor.dtype, device=tensor.device)
            counts.index_add_(0, into, torch.ones_like(into, dtype=tensor.dtype))
            totals = totals / along(counts.clamp_min(1), tensor, member.axis)
        kept = on(tensor, places[loss.kept].ravel())
        tensor.index_copy_(member.axis, kept, totals.index_select(member.axis, kept))
