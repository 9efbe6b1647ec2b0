"""Variance matching: every channel that layers give gets back the mean and the variance that it had."""

from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from explorer.batches import Samples, evaluating, fetch
from explorer.criteria.tools.numbers import to_float64
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.progress import Report, silent
from explorer.pruning.unstructured import input_axis
from explorer.recovery.batchnorm import even_batches
from explorer.recovery.before import NOTHING_LEFT, Origin, along, norms_behind, on, restoring
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work
from explorer.structure.products import shared_names

NO_PLACE = "no batch norm with running statistics and no layer with a bias could take up what changed"
_DEAD = 1e-12  # a variance below which a channel is constant and can't be rescaled


@recovery(
    "variance",
    title="Variance matching",
    explanation="Brings the mean and variance of what every layer gives back to those before the cut, channel by "
    "channel, on calibration images. Seconds, no training; other than recalibration it also serves networks without "
    "batch norm.",
    needs={"calibration data"},
    cost="2 forwards",
    reference="without its shrinkage, Zhan et al. 2026, Adaptive Signal Resuscitation (arXiv:2605.21426)",
    rank=25,
)
def variance_matching(module: nn.Module, work: Work) -> History:
    origin, data = work.origin_for("variance"), work.task.calibration
    return match_variances(module, data, origin, device=work.device, seed=work.seed, report=work.report)


def match_variances(
    module: nn.Module,
    data: Samples,
    origin: Origin,
    *,
    device: torch.device,
    batch_size: int = 100,
    seed: int = 0,
    report: Report = silent,
) -> History:
    """Makes ``s·(y − mean y) + mean x`` of every channel y that was x in the whole network, s² = var x / var y.

    At the input of every batch norm with running statistics, by changing these, and at the output of every
    convolution and linear layer with a bias that lost inputs, by weights and bias. One pass does it all: as in
    batch-norm recalibration later layers see what earlier ones will give, here normalised batch by batch with the
    statistics of the same batch in the whole network, and what is written are averages over the batches. Where the
    cut changed nothing, nothing changes, even if running statistics are not those of `data`.

    Args:
        module: the cut network.
        data: whose inputs go through both networks.
        origin: what the module was cut from.
        device: on which it computes.
        batch_size: inputs at once, fewer where memory is short.
        seed: of the order of the data.
        report: hears how far it is.

    Raises:
        ExplorerError: fewer than two samples, or not even the smallest batch fits in memory.
    """
    start = perf_counter()
    if origin.plan.empty:
        return History("variance", seconds=0.0, warnings=(NOTHING_LEFT,))
    if len(data) < 2:
        raise ExplorerError("variance matching needs at least two calibration images: give more data")
    base, places, unmatched = origin.copied(), *_places(module, origin)
    warnings = (f"as cut: {', '.join(unmatched)} (no bias, and no batch norm behind)",) if unmatched else ()
    if not places:
        return History("variance", seconds=0.0, warnings=(*warnings, NO_PLACE))
    order, size = torch.randperm(len(data), generator=torch.Generator().manual_seed(seed)), BatchSize(batch_size)
    with evaluating(base, device), evaluating(module, device), restoring(module), torch.no_grad():
        statistics = size.retry(lambda n: _observe(base, module, places, data, even_batches(order, n), device, report))
        for place in places:
            if place.name in statistics:
                _write(module.get_submodule(place.name), statistics[place.name])
    return History("variance", seconds=perf_counter() - start, warnings=warnings)


@dataclass(frozen=True)
class Place:
    """Where channels are matched: the input of a batch norm, or the output of another layer.

    Args:
        name: of the layer.
        at_input: whether it is the layer's input.
        axis: of the channels.
        stays: which of the whole network's channels the cut one has there.
    """

    name: str
    at_input: bool
    axis: int
    stays: np.ndarray = field(repr=False)


def _places(module: nn.Module, origin: Origin) -> tuple[list[Place], list[str]]:
    """The places, and the layers that lost inputs and have none."""
    removed, read = origin.leaving(), origin.leaving("consumer")
    norms = norms_behind(origin.left, origin.module)
    shared, places, unmatched = shared_names(module), [], []
    for name, layer in module.named_modules():
        weight = f"{name}.weight"
        if isinstance(layer, _BatchNorm) and layer.track_running_stats:
            places.append(Place(name, True, 1, _stays(origin, removed, f"{name}.running_mean", 0)))
        elif weight not in read:
            continue
        elif _biased(layer) and weight not in shared:
            axis = 1 if isinstance(layer, _ConvNd) else -1
            places.append(Place(name, False, axis, _stays(origin, removed, weight, _outputs(layer))))
        elif weight not in norms:
            unmatched.append(name)
    return places, unmatched


def _biased(layer: nn.Module) -> bool:
    plain = isinstance(layer, _ConvNd) and not isinstance(layer, _ConvTransposeNd)
    known = plain or isinstance(layer, nn.Linear) or type(layer).__name__ == "Conv1D"
    return known and layer.bias is not None


def _outputs(layer: nn.Module) -> int:
    """The axis of a layer's weight on which its outputs lie: of the first two the other one."""
    return 1 - input_axis(layer)


def _stays(origin: Origin, removed: dict[str, dict[int, np.ndarray]], tensor: str, axis: int) -> np.ndarray:
    size = origin.module.state_dict()[tensor].shape[axis]
    return np.flatnonzero(~removed.get(tensor, {}).get(axis, np.zeros(size, dtype=bool)))


@dataclass
class Statistics:
    """Means and variances of a place's channels, (channels,), summed over calls.

    Args:
        mean: in the cut network.
        variance: in the cut network.
        mean_before: in the whole one.
        variance_before: in the whole one.
        calls: how many there were.
    """

    mean: Any = 0.0
    variance: Any = 0.0
    mean_before: Any = 0.0
    variance_before: Any = 0.0
    calls: int = 0

    def scale_and_means(self) -> tuple[Tensor, Tensor, Tensor]:
        """The factor s, the mean in the cut network and that in the whole one."""
        scale = _scale(self.variance / self.calls, self.variance_before / self.calls)
        return scale, self.mean / self.calls, self.mean_before / self.calls


def _scale(variance: Tensor, before: Tensor) -> Tensor:
    alive = (variance > _DEAD) & (before > _DEAD)
    return torch.where(alive, (before / torch.where(alive, variance, 1.0)).sqrt(), 1.0)


def _observe(
    base: nn.Module,
    module: nn.Module,
    places: list[Place],
    data: Samples,
    order: tuple[Tensor, ...],
    device: torch.device,
    report: Report,
) -> dict[str, Statistics]:
    statistics: dict[str, Statistics] = defaultdict(Statistics)
    for step, indices in enumerate(order, start=1):
        inputs = fetch(data, indices)[0].to(device)
        before: dict[str, deque] = defaultdict(deque)

        def remember(place: Place, values: Tensor, before: dict[str, deque] = before) -> None:
            kept = values.index_select(place.axis, on(values, place.stays))
            before[place.name].append(_statistics(kept, place.axis))

        def match(place: Place, values: Tensor, before: dict[str, deque] = before) -> Tensor:
            mean, variance = _statistics(values, place.axis)
            mean_before, variance_before = before[place.name].popleft()
            sums = statistics[place.name]
            sums.mean, sums.variance = sums.mean + mean, sums.variance + variance
            sums.mean_before = sums.mean_before + mean_before
            sums.variance_before = sums.variance_before + variance_before
            sums.calls += 1
            scale = _scale(variance, variance_before)
            shift = mean_before - scale * mean
            return values * along(scale, values, place.axis) + along(shift, values, place.axis)

        with _looking(base, places, remember):
            base(inputs)
        with _looking(module, places, match):
            module(inputs)
        report(step / len(order), f"matching variances: batch {step} of {len(order)}")
    return dict(statistics)


def _looking(
    module: nn.Module, places: list[Place], see: Callable[[Place, Tensor], Tensor | None]
) -> AbstractContextManager[None]:
    """Shows what passes at the places; what `see` gives takes its place."""
    at_inputs = {p.name: lambda _, inputs, p=p: see(p, inputs[0]) for p in places if p.at_input}
    at_outputs = {p.name: lambda _, __, output, p=p: see(p, output) for p in places if not p.at_input}
    return watching(module, at_outputs, before=at_inputs)


def _statistics(values: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel, float64."""
    channels = to_float64(values.movedim(axis, 0)).flatten(1)
    return channels.mean(1), channels.var(1, correction=0)


def _write(layer: nn.Module, statistics: Statistics) -> None:
    scale, mean, before = statistics.scale_and_means()
    if isinstance(layer, _BatchNorm):
        # The same as normalising s·(y − mean y) + mean x by what the statistics were.
        layer.running_mean.copy_(mean + (to_float64(layer.running_mean) - before).to(mean) / scale)
        spread = (to_float64(layer.running_var) + layer.eps).to(scale) / scale.square()
        layer.running_var.copy_((spread - layer.eps).clamp_min(0.0))
        return
    layer.weight.mul_(along(scale, layer.weight, _outputs(layer)))
    layer.bias.copy_(to_float64(layer.bias).to(scale) * scale + before - scale * mean)
