"""Whether two passes computed the same, but for the noise of rounding."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from explorer.structure.passes import Pass

MARGIN = 20.0  # times the noise: two sums of the same numbers in another order are as far apart
LEAST, MOST = 1e-6, 1e-3  # bounds of the tolerance, of the largest entry

Noise = Mapping[str, float]  # by module: how far rounding moves its outputs, of their largest entry


def noise_between(quiet: Pass, noisy: Pass) -> dict[str, float]:
    """The noise of every module, from a pass and the same one with outputs changed by as much as rounding does.

    What the whole returned, under "", is always at hand, that of parts as far as there was room for it.
    """
    noise = {}
    for path, tensors in {**quiet.shown, "": quiet.outputs}.items():
        others = noisy.shown.get(path, ()) if path else noisy.outputs
        pairs = [(a, b) for a, b in zip(tensors, others, strict=False) if a.shape == b.shape]
        noise[path] = max((distance(a, b) for a, b in pairs), default=0.0)
    return noise


def drowns(noise: Noise) -> bool:
    """Whether rounding moves the outputs, or those of a part, by more than a difference that must show."""
    return any(MARGIN * each > MOST for each in noise.values())


def agree(masked: Pass, cut: Pass, noise: Noise, kept: Callable[[str, Tensor], Tensor]) -> bool:
    """Whether all outputs, and those of parts, are close where the cut model has them.

    Args:
        kept: takes from a module's output, by its path, the channels that stay.
    """
    if [tensor.shape for tensor in masked.outputs] != [tensor.shape for tensor in cut.outputs]:
        return False
    if not all(_close(*pair, noise.get("", 0.0)) for pair in zip(masked.outputs, cut.outputs, strict=True)):
        return False
    compared: set[tuple[int, int]] = set()  # what a part returns is often what its last part returned
    for path, tensors in masked.shown.items():
        for whole, left in zip(tensors, cut.shown.get(path, ()), strict=False):
            if (pair := (id(whole), id(left))) in compared:
                continue
            compared.add(pair)
            same = whole if whole.shape == left.shape else kept(path, whole)
            if same.shape == left.shape and not _close(same, left, noise.get(path, 0.0)):
                return False
    return True


def _close(a: Tensor, b: Tensor, noise: float) -> bool:
    return distance(a, b) <= min(max(MARGIN * noise, LEAST), MOST)


def distance(a: Tensor, b: Tensor) -> float:
    """The largest difference, of the largest finite entry of `a`; infinite where one is no number and the other is."""
    if not a.numel() or not a.is_floating_point():
        return 0.0 if torch.equal(a, b) else 1.0
    difference, largest = _largest(a - b), _largest(a)
    if not (math.isfinite(difference) and math.isfinite(largest)):
        finite = a.isfinite()
        if (
            finite.all()
            or not torch.equal(finite, b.isfinite())
            or not torch.equal(a[~finite].nan_to_num(), b[~finite].nan_to_num())
        ):
            return float("inf")
        return distance(a[finite], b[finite])
    return difference / largest if largest else float(difference > LEAST)


def _largest(tensor: Tensor) -> float:
    """The largest absolute value."""
    least, most = tensor.aminmax()
    return max(-float(least), float(most))
