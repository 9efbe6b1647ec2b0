"""Single weights that are zero: masks over the weights of layers, chosen to the count and held through training."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils import parametrize

from explorer.errors import ExplorerError, unknown
from explorer.structure.products import parameter_names

Masks = dict[str, Tensor]  # bool, of the weight's shape: True where it stays
SCOPES = ("global", "layer")
BINS = 40  # of a histogram
_UNSUITABLE = (nn.Embedding, nn.EmbeddingBag, nn.LayerNorm)


def prunable(module: nn.Module, locked: Iterable[str] = ()) -> dict[str, nn.Parameter]:
    """The weights that multiply activations, in convolutions, linear layers and attention; tied ones once.

    Biases, norms and embeddings, also those that an output layer shares, are none of them. `locked` layers stay dense.

    Raises:
        ExplorerError: `locked` names no such layer, or nothing is left.
    """
    unsuitable = {id(p) for part in module.modules() if isinstance(part, _UNSUITABLE) for p in part.parameters()}
    weights = {
        name: parameter
        for name, parameter in module.named_parameters()
        if parameter.ndim > 1 and name.endswith("weight") and id(parameter) not in unsuitable
    }
    layers = {name.rpartition(".")[0] for name in weights}
    for layer in locked:
        if layer not in layers:
            raise unknown("layer", layer, layers)
    left = {name: weight for name, weight in weights.items() if name.rpartition(".")[0] not in set(locked)}
    if not left:
        raise ExplorerError("no layer is left whose weights could be set to zero: lock fewer")
    return left


def dense(weights: Mapping[str, Tensor]) -> Masks:
    """Masks that keep everything."""
    return {name: torch.ones(weight.shape, dtype=torch.bool) for name, weight in weights.items()}


def sparsity(masks: Mapping[str, Tensor]) -> float:
    """The share of the masked weights that is removed."""
    return 1 - sum(int(mask.sum()) for mask in masks.values()) / sum(mask.numel() for mask in masks.values())


def drop_lowest(scores: Mapping[str, Tensor], masks: Masks, share: float, scope: str = "global") -> Masks:
    """Masks without ``round(share · n)`` of n weights: those that are removed already, then the lowest scores.

    What is removed stays removed; of equal scores those that come first go first. n counts all layers together, or each
    layer alone where `scope` is "layer".

    Raises:
        ExplorerError: a score that isn't finite.
    """
    result: Masks = {}
    for names in _pools(masks, scope):
        kept = _joined(masks, names)
        further = round(share * len(kept)) - int((~kept).sum())
        if further > 0:
            values = _joined(scores, names)
            if not values.isfinite().all():
                raise ExplorerError("a weight has no finite score: look for NaN or infinite values in the weights")
            places = kept.nonzero().squeeze(1)
            kept[places[values[places].argsort(stable=True)[:further]]] = False
        result |= _parted(kept, masks, names)
    return result


def tails(weights: Mapping[str, Tensor], masks: Masks, scope: str = "global") -> dict[str, Tensor]:
    """How far each weight's rank is from the middle, among the signed weights that are left.

    With these scores `drop_lowest` removes what lies between the (1−s)/2 and the s+(1−s)/2 quantile of the signed
    weights (DG2PF, eq. 1, with "or" for its "and", which nothing satisfies): tails of equal count, whatever
    their magnitudes. Zeros count as inside the margins.
    """
    result: dict[str, Tensor] = {}
    for names in _pools(masks, scope):
        kept, values = _joined(masks, names), _joined(weights, names)
        places = kept.nonzero().squeeze(1)
        rank = torch.empty(len(places), dtype=torch.float64)
        rank[values[places].argsort(stable=True)] = torch.arange(len(places), dtype=torch.float64)
        distance = torch.zeros(len(kept), dtype=torch.float64)
        distance[places] = (rank - (len(places) - 1) / 2).abs()
        result |= _parted(distance, masks, names)
    return result


def exchange(weights: Mapping[str, Tensor], gradients: Mapping[str, Tensor], masks: Masks, share: float) -> Masks:
    """Each layer gives up the `share` of its weights with least ``|θ|`` for as many with the largest ``|∂L/∂θ|``.

    As in RigL (Evci et al. 2020, arXiv:1911.11134): what has just been given up may come back, and the number of
    weights stays the same in every layer.
    """
    result = {}
    for name, mask in masks.items():
        kept = mask.flatten().clone()
        count = min(int(share * int(kept.sum())), int((~kept).sum()))
        size = weights[name].detach().abs().flatten().masked_fill(~kept, torch.inf)
        kept[size.argsort(stable=True)[:count]] = False
        slope = gradients[name].abs().flatten().masked_fill(kept, -torch.inf)
        kept[slope.argsort(descending=True, stable=True)[:count]] = True
        result[name] = kept.view(mask.shape)
    return result


def keep_pattern(scores: Mapping[str, Tensor], axes: Mapping[str, int], keep: int, of: int) -> Masks:
    """Of every `of` neighbours along a weight's input axis the `keep` with the highest scores stay.

    So sparse matrix units want them, 2 of 4 on NVIDIA's (Mishra et al. 2021, arXiv:2104.08378). Weights whose number
    of inputs is no multiple of `of` stay whole.
    """
    result = {}
    for name, values in scores.items():
        moved = values.movedim(axes[name], -1)
        if moved.shape[-1] % of:
            result[name] = torch.ones(values.shape, dtype=torch.bool)
            continue
        blocks = moved.reshape(-1, of)
        best = blocks.argsort(dim=1, descending=True, stable=True)[:, :keep]
        mask = torch.zeros(blocks.shape, dtype=torch.bool).scatter_(1, best, True)
        result[name] = mask.view(moved.shape).movedim(-1, axes[name]).contiguous()
    return result


def input_axes(module: nn.Module, names: Iterable[str]) -> dict[str, int]:
    """The axis of each weight over which its layer sums."""
    return {name: input_axis(module.get_submodule(name.rpartition(".")[0])) for name in names}


def input_axis(layer: nn.Module) -> int:
    """The axis of a layer's weight over which it sums."""
    rows = isinstance(layer, _ConvTransposeNd) or type(layer).__name__ == "Conv1D"  # of transformers: (in, out)
    return 0 if rows else 1


class Masked(nn.Module):
    """A weight whose masked entries are zero and have no gradient, whatever momentum and decay do to what is stored.

    Entries in `left_out` are zero in the passes that follow, too, but their gradient reaches what is stored
    (straight-through estimator, Bengio et al. 2013, arXiv:1308.3432).
    """

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)
        self.left_out: Tensor | None = None

    def forward(self, weight: Tensor) -> Tensor:
        kept = torch.where(self.mask, weight, torch.zeros((), dtype=weight.dtype, device=weight.device))
        return kept if self.left_out is None else kept - (kept * self.left_out).detach()


class Holding:
    """The masks of a module in training: see `held`."""

    def __init__(self, parts: Mapping[str, tuple[nn.Module, str, Masked]]) -> None:
        self._parts = parts

    @contextmanager
    def without_smallest(self, share: float, scope: str = "global") -> Iterator[None]:
        """Within it the `share` of the remaining weights with least ``|θ|`` is left out of forward passes.

        These are the weights with ``p = 1 − |θ| / max|θ|`` at or above the (1 − share) quantile of p over the weights
        that are not pruned (DG2PF, eqs. 2 and 3); equal ones are left out together.
        """
        with torch.no_grad():
            for names in _pools(self._parts, scope):
                parts = [self._parts[name] for name in names]
                sizes = [getattr(layer.parametrizations, name).original.abs() for layer, name, _ in parts]
                left = torch.cat([size[held.mask] for size, (_, _, held) in zip(sizes, parts, strict=True)])
                count = round(share * len(left))
                limit = left.kthvalue(count).values if count else left.new_tensor(-1.0)
                for size, (_, _, held) in zip(sizes, parts, strict=True):
                    held.left_out = (size <= limit) & held.mask
        try:
            yield
        finally:
            for _, _, held in self._parts.values():
                held.left_out = None


@contextmanager
def held(module: nn.Module, masks: Mapping[str, Tensor]) -> Iterator[Holding]:
    """Within it the masked weights of the module are zero and stay it; afterwards they are plain zeros.

    Tied weights share a mask.
    """
    names, owned = parameter_names(module), dict(module.named_parameters())
    places, parts = [], {}
    try:
        for name, mask in masks.items():
            mine = Masked(mask.to(owned[name].device))
            for alias in names[id(owned[name])]:
                path, _, last = alias.rpartition(".")
                layer = module.get_submodule(path)
                parametrize.register_parametrization(layer, last, mine, unsafe=True)
                places.append((layer, last))
                parts[name] = (layer, last, mine)
        yield Holding(parts)
    finally:
        for layer, last in places:
            parametrize.remove_parametrizations(layer, last, leave_parametrized=True)


@torch.no_grad()
def apply(module: nn.Module, masks: Mapping[str, Tensor]) -> None:
    """Sets the masked weights to zero, in place."""
    parameters = dict(module.named_parameters())
    for name, mask in masks.items():
        parameters[name].masked_fill_(~mask.to(parameters[name].device), 0.0)


def told(weights: Mapping[str, Tensor], before: Masks, after: Masks) -> list[dict[str, Any]]:
    """What a step did to every layer, for a page; `weights` are those that it chose from.

    Each is ``{name, shape, weights, kept, sparsity, removed, regrown, margins, histogram}``: `margins` are the
    smallest and largest weight that the step removed (None where it removed none), between which magnitudes leave
    nothing; `histogram` is ``{low, high, kept, removed}``, counts in `BINS` bins of equal width of the weights that
    stay, and of those that leave now.
    """
    return [_told(name, weights[name].detach(), before[name], after[name]) for name in after]


def _told(name: str, weight: Tensor, before: Tensor, after: Tensor) -> dict[str, Any]:
    removed = weight[before & ~after]
    bound = max(float(weight.abs().max()), torch.finfo(torch.float32).tiny)
    counts = [torch.histc(values, BINS, -bound, bound).long().tolist() for values in (weight[after], removed)]
    return {
        "name": name,
        "shape": list(weight.shape),
        "weights": weight.numel(),
        "kept": int(after.sum()),
        "sparsity": 1 - int(after.sum()) / weight.numel(),
        "removed": len(removed),
        "regrown": int((after & ~before).sum()),
        "margins": [float(removed.min()), float(removed.max())] if len(removed) else None,
        "histogram": {"low": -bound, "high": bound, "kept": counts[0], "removed": counts[1]},
    }


def _pools(names: Iterable[str], scope: str) -> list[list[str]]:
    return [list(names)] if scope == "global" else [[name] for name in names]


def _joined(tensors: Mapping[str, Tensor], names: Sequence[str]) -> Tensor:
    return torch.cat([tensors[name].detach().flatten().cpu() for name in names])


def _parted(joined: Tensor, masks: Masks, names: Sequence[str]) -> dict[str, Tensor]:
    parts = joined.split([masks[name].numel() for name in names])
    return {name: part.view(masks[name].shape) for name, part in zip(names, parts, strict=True)}
