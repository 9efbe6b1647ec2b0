"""Least-squares reconstruction: a layer's inputs that are left stand in for those that it lost."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.utils._pytree import tree_leaves

from explorer.batches import Samples, evaluating, fetch
from explorer.criteria.tools.numbers import to_float64
from explorer.device import BatchSize, is_out_of_memory
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.progress import Report, silent
from explorer.recovery.before import NOTHING_LEFT, Origin, as_cut, norms_behind, on, restoring
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work
from explorer.sources.networks.attention import SelfAttention
from explorer.structure.products import shared_names

RIDGE = 1e-3  # of the mean variance of the inputs
TOGETHER = 2**29  # bytes that layers mended in one pass may read in the whole network; also of its largest activation
UNREAD = "queries and keys meet each other, and no weights read them"
UNSOLVED = "a layer that reads its channels is shared, transposed, or of a kind that this can't solve"


@recovery(
    "reconstruct",
    title="Least-squares reconstruction",
    explanation="Lets the inputs that a layer kept stand in for those that it lost, by least squares on calibration "
    "images, layer after layer. No training; exact where the lost channels are combinations of the kept ones.",
    needs={"calibration data"},
    cost="2 forwards, and 2 more for every 512 MB that the layers read which lost inputs",
    rank=35,
)
def reconstruction(module: nn.Module, work: Work) -> History:
    origin = work.origin_for("reconstruct")
    return reconstruct(module, work.task.calibration, origin, device=work.device, report=work.report)


def reconstruct(
    module: nn.Module,
    data: Samples,
    origin: Origin,
    *,
    device: torch.device,
    batch_size: int = 100,
    ridge: float = RIDGE,
    report: Report = silent,
) -> History:
    """Gives every layer that lost inputs new weights and a new bias, by least squares over `data`, in place.

    With x what the layer read in the whole network, all channels, and y what it reads in the cut one, ``x ≈ T·y + c``
    is solved over all images and places (of a convolution as often as it reads them, padding included), and it gets
    ``W·T`` and ``b + W·c``: a channel is replaced at all kernel positions alike. This is the interpolative
    decomposition's ``W·T`` (Chee et al. 2022, arXiv:2108.00065) with the least squares of ThiNet (Luo et al. 2017,
    arXiv:1707.06342). Layers come in the order of their calls, and y is what the network gives that is already
    repaired up to there, so that each layer also makes up for what is left wrong before it; solved on the whole
    network alone, errors add up from layer to layer until only new batch-norm statistics help.

    T is drawn by a ridge towards passing on what stays, so that on `data`
    ``Σ‖x − T·y − c‖²`` is never larger than as cut. Where x depends linearly on y the result is exact up to
    the ridge; with a constant in it only where the layer pads with no zeros. A layer without a bias has its c taken up
    by the batch norm behind it; if there is none either, c is zero. Weights are restored if the work is cancelled.

    Args:
        module: the cut network.
        data: whose inputs go through both networks.
        origin: what the module was cut from.
        device: on which it computes.
        batch_size: inputs at once, fewer where memory is short.
        ridge: relative to the mean variance of y.
        report: hears how far it is.

    Raises:
        ExplorerError: there is no data, or not even a batch of one fits in memory.
    """
    start = perf_counter()
    if not origin.losses:
        return History("reconstruct", seconds=0.0, warnings=(NOTHING_LEFT,))
    if len(data) == 0:
        raise ExplorerError("reconstruction needs calibration images and there are none: give more data")
    base = origin.copied()  # hooks end its passes, and others may use the original
    with evaluating(base, device), evaluating(module, device), restoring(module):
        example = fetch(data, torch.arange(1))[0].to(device)
        readings = _in_order(module, _readings(module, origin), example)
        largest = _largest_activation(base, example)
        mending = _Mending(base, module, data, origin, readings, largest, BatchSize(batch_size), ridge, report)
        mending.all()
    unsure = mending.unsure
    few = (f"fewer examples than unknowns in {', '.join(unsure)}: give more calibration images",) if unsure else ()
    return History("reconstruct", seconds=perf_counter() - start, warnings=(*as_cut(_reasons(origin, readings)), *few))


def unsolved(module: nn.Module, origin: Origin) -> dict[str, str]:
    """Why groups that lost units, by name, are not made up for where they are read; `module` is the cut network."""
    return _reasons(origin, _readings(module, origin))


@dataclass(frozen=True)
class Reading:
    """A layer that lost inputs.

    Args:
        layer: its name.
        tensor: the name of its weight.
        axis: of the weight, on which the inputs lie.
        stays: which of its input channels are left, (channels,); of a grouped convolution those of every group.
        positions: how many entries in a row belong to one channel; more than one behind a flattening.
        calls: how often one forward pass calls it.
        size: bytes of what it reads of one sample in the whole network.
    """

    layer: str
    tensor: str
    axis: int
    stays: np.ndarray
    positions: int = 1
    calls: int = 1
    size: int = 0


def _readings(module: nn.Module, origin: Origin) -> list[Reading]:
    """The layers that lost inputs and can be solved."""
    shared, readings = shared_names(module), []
    for tensor, axes in origin.leaving("consumer").items():
        name, _, own = tensor.rpartition(".")
        layer = module.get_submodule(name)
        if tensor in shared or own not in ("weight", "in_proj_weight") or not _readable(layer) or len(axes) > 1:
            continue
        ((axis, out),) = axes.items()
        positions = _positions(origin, tensor, axis)
        if out.any() and positions:
            readings.append(Reading(name, tensor, axis, ~out.reshape(-1, positions)[:, 0], positions))
    return readings


def _reasons(origin: Origin, readings: list[Reading]) -> dict[str, str]:
    """Why groups, by name, are not made up for where they are read."""
    solved = {reading.tensor for reading in readings}
    reasons = {}
    for name, loss in origin.losses.items():
        readers = loss.group.of_role("consumer")
        read = {member.tensor for member in readers if np.isin(member.units, loss.removed).any()}
        if loss.group.contracted or not read:
            reasons[name] = UNREAD
        elif not read <= solved:
            reasons[name] = UNSOLVED
    return reasons


def _readable(layer: nn.Module) -> bool:
    if isinstance(layer, _ConvNd):
        return not isinstance(layer, _ConvTransposeNd)
    return isinstance(layer, nn.Linear | SelfAttention) or type(layer).__name__ == "Conv1D"  # of transformers


def _positions(origin: Origin, tensor: str, axis: int) -> int:
    """How many entries in a row belong to a channel; 0 where that differs, or they do not lie in a row."""
    positions = set()
    for group in origin.left.groups.values():
        for member in group.of_role("consumer"):
            if (member.tensor, member.axis) == (tensor, axis):
                counts = np.bincount(member.units[member.units >= 0])
                places = max(1, int(counts.max()) // group.unit)
                runs = member.units.reshape(-1, places) if len(member.units) % places == 0 else np.array([[0, 1]])
                positions.add(places if (runs == runs[:, :1]).all() else 0)
    return positions.pop() if len(positions) == 1 else 0


class _Reached(Exception):  # noqa: N818
    """Ends a forward pass at the last layer that is of interest."""


@contextmanager
def _ending(module: nn.Module, reading: Reading, seen: list[Tensor]) -> Iterator[None]:
    def look(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].clone())  # what follows may write into it
        if len(seen) == reading.calls:
            raise _Reached

    with suppress(_Reached), watching(module, before={reading.layer: look}):
        yield


@torch.no_grad()
def _in_order(module: nn.Module, readings: list[Reading], sample: Tensor) -> list[Reading]:
    """The layers that a forward pass of one sample calls, in the order of their first calls."""
    calls: list[int] = []
    sizes: dict[int, int] = {}

    def look(number: int, reading: Reading, inputs: tuple[Tensor, ...]) -> None:
        calls.append(number)
        sizes[number] = inputs[0].nbytes * len(reading.stays) // int(reading.stays.sum())

    hooks = [
        (reading.layer, lambda _, x, n=n, reading=reading: look(n, reading, x)) for n, reading in enumerate(readings)
    ]
    with watching(module, before=hooks):
        module(sample)
    return [replace(readings[number], calls=count, size=sizes[number]) for number, count in Counter(calls).items()]


@torch.no_grad()
def _largest_activation(module: nn.Module, sample: Tensor) -> int:
    """Bytes of the largest tensor that a forward pass of one sample takes or that a module in it gives."""
    sizes = [sample.nbytes]

    def measure(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        sizes.extend(leaf.nbytes for leaf in tree_leaves(output) if isinstance(leaf, Tensor))

    with watching(module, {name: measure for name, _ in module.named_modules()}):
        module(sample)
    return max(sizes)


class _Mending:
    """The layers of a cut network, given their new weights one after the other.

    Layers that follow each other are mended in one pass, as long as memory holds what all of them read: of every image
    at once, a layer's weights being written when its inputs have come, and before it computes. That pass is made only
    where all images are one batch anyway, or where memory holds the largest activation of all of them. What is left
    goes layer by layer and batch by batch, with a pass of its own for each of them.

    Args:
        largest: bytes of the largest activation of one sample.
        unsure: the layers that had fewer examples than unknowns.
    """

    def __init__(
        self,
        base: nn.Module,
        module: nn.Module,
        data: Samples,
        origin: Origin,
        readings: list[Reading],
        largest: int,
        size: BatchSize,
        ridge: float,
        report: Report,
    ) -> None:
        self._base, self._module, self._data, self._origin = base, module, data, origin
        self._readings, self._largest = readings, largest
        self._size, self._ridge, self._report = size, ridge, report
        self._norms = norms_behind(origin.left, base)
        self._device = next(tensor.device for tensor in module.state_dict().values())
        self._done = 0
        self.unsure: list[str] = []

    def all(self) -> None:
        room = TOGETHER
        while self._done < len(self._readings):
            segment = self._segment(room)
            try:
                if segment:
                    self._at_once(segment)
                else:
                    self._by_itself(self._readings[self._done])
            except (RuntimeError, MemoryError) as error:
                if not segment or not is_out_of_memory(error):
                    raise
                room = 0  # a pass of all images is too much for the device

    def _segment(self, room: int) -> list[Reading]:
        """The next layers that can be mended in one pass, if any."""
        segment: list[Reading] = []
        if len(self._data) > self._size.size and self._largest * len(self._data) > room:
            return segment
        for reading in self._readings[self._done :]:
            room -= reading.size * len(self._data)
            if room < 0 or reading.calls > 1:
                break
            segment.append(reading)
        return segment

    @torch.no_grad()
    def _at_once(self, segment: list[Reading]) -> None:
        inputs = fetch(self._data, torch.arange(len(self._data)))[0].to(self._device)
        whole: dict[str, Tensor] = {}

        def keep(reading: Reading, read: Tensor) -> None:
            whole[reading.layer] = read.clone()  # what follows may write into it
            self._tell(f"looked at what {reading.layer} reads")
            if reading is segment[-1]:
                raise _Reached

        def mend(reading: Reading, read: Tensor) -> None:
            moments = Moments()
            self._add(moments, reading, read, whole.pop(reading.layer))
            self._write(reading, moments)
            if reading is segment[-1]:
                raise _Reached

        for network, take in ((self._base, keep), (self._module, mend)):
            hooks = {
                reading.layer: lambda _, read, reading=reading, take=take: take(reading, read[0]) for reading in segment
            }
            with suppress(_Reached), watching(network, before=hooks):
                network(inputs)

    def _by_itself(self, reading: Reading) -> None:
        self._write(reading, self._size.retry(lambda size: self._observe(reading, size)))

    @torch.no_grad()
    def _observe(self, reading: Reading, size: int) -> "Moments":
        moments = Moments()
        for indices in torch.arange(len(self._data)).split(size):
            inputs = fetch(self._data, indices)[0].to(self._device)
            seen: list[list[Tensor]] = []
            for network in (self._module, self._base):
                seen.append([])
                with _ending(network, reading, seen[-1]):
                    network(inputs)
                self._tell(f"looked at what {reading.layer} reads")
            for mine, whole in zip(*seen, strict=True):
                self._add(moments, reading, mine, whole)
        return moments

    def _add(self, moments: "Moments", reading: Reading, mine: Tensor, whole: Tensor) -> None:
        """What a layer reads in the cut and in the whole network, part by part: sums take it in double precision."""
        layer = self._module.get_submodule(reading.layer)
        stays = torch.from_numpy(np.flatnonzero(reading.stays)).to(self._device)
        for some, of_whole in zip(mine.split(self._size.size), whole.split(self._size.size), strict=True):
            left, read = maps(layer, some, reading.positions)
            moments.add(left, maps(layer, of_whole, reading.positions)[0], stays, read)

    def _write(self, reading: Reading, moments: "Moments") -> None:
        _write(self._module, self._origin, reading, moments, self._norms.get(reading.tensor), self._ridge)
        if moments.places < reading.stays.sum():
            self.unsure.append(reading.layer)
        self._done += 1
        self._tell(f"reconstructed {reading.layer}, layer {self._done} of {len(self._readings)}")

    def _tell(self, message: str) -> None:
        self._report(self._done / len(self._readings), message)


@dataclass
class Moments:
    """Sums over all that a layer reads: of its inputs as they are, and of what they lack of the whole ones.

    Args:
        places: how many were seen.
        count: how often they were read.
        inputs: their sum, float64 (blocks, channels left).
        lacking: the sum of what they lack, float64 (blocks, channels).
        gram: the sum of products of inputs, float64 (blocks, left, left).
        cross: the sum of products of inputs and what is lacking, float64 (blocks, left, channels).
    """

    places: int = 0
    count: Any = 0.0
    inputs: Any = 0.0
    lacking: Any = 0.0
    gram: Any = 0.0
    cross: Any = 0.0

    def add(self, inputs: Tensor, whole: Tensor, stays: Tensor, reads: Tensor) -> None:
        """(blocks, places, channels left) and (blocks, places, channels); every place is read so often, (places,)."""
        inputs, whole = to_float64(inputs), to_float64(whole)
        self.places += inputs.shape[1]
        weighted = inputs * to_float64(reads)[:, None]
        total, gram = weighted.sum(1), weighted.mT @ inputs
        self.count = self.count + to_float64(reads).sum()
        self.inputs = self.inputs + total
        self.gram = self.gram + gram
        # what is lacking of the channels that stay is the difference, whose sums are the differences of the sums
        self.lacking = self.lacking + (to_float64(reads) @ whole).index_add(1, stays, total, alpha=-1)
        self.cross = self.cross + (weighted.mT @ whole).index_add(2, stays, gram, alpha=-1)


def maps(layer: nn.Module, inputs: Tensor, positions: int) -> tuple[Tensor, Tensor]:
    """What a layer reads, (blocks, places, channels), and how often it reads every place, (places,).

    Of a convolution the padding is read, too, and each of its groups is a block.
    """
    if not isinstance(layer, _ConvNd):
        read = inputs.unflatten(-1, (-1, positions)).transpose(-1, -2).flatten(0, -2)[None]
        return read, read.new_ones(read.shape[1])
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    padded = F.pad(inputs, layer._reversed_padding_repeated_twice, mode=mode)
    read = padded.flatten(2).unflatten(1, (layer.groups, -1)).permute(1, 0, 3, 2).flatten(1, 2)
    return read, _reads(layer, padded.shape[2:]).to(read).repeat(len(inputs))


def _reads(layer: _ConvNd, sizes: torch.Size) -> Tensor:
    """How often a convolution reads every place of a padded map, (places,)."""
    total = torch.ones(1)
    for size, kernel, stride, dilation in zip(sizes, layer.kernel_size, layer.stride, layer.dilation, strict=True):
        starts = torch.arange(0, size - dilation * (kernel - 1), stride)
        places = starts[:, None] + dilation * torch.arange(kernel)
        total = torch.outer(total, places.flatten().bincount(minlength=size).float()).flatten()
    return total


@torch.no_grad()
def _write(
    module: nn.Module, origin: Origin, reading: Reading, moments: Moments, norm: str | None, ridge: float
) -> None:
    layer, weight = module.get_submodule(reading.layer), module.get_parameter(reading.tensor)
    bias = getattr(layer, "bias" if reading.tensor.endswith(".weight") else "in_proj_bias")
    mix, constant = solve(moments, ridge, constant=bias is not None or norm is not None)
    whole = origin.module.get_parameter(reading.tensor).detach().to(weight.device)
    for axis, out in origin.leaving()[reading.tensor].items():
        if axis != reading.axis:
            whole = whole.index_select(axis, on(whole, np.flatnonzero(~out)))
    whole = to_float64(whole.movedim(reading.axis, 1))
    whole = whole.reshape(getattr(layer, "groups", 1), -1, len(reading.stays), whole[0, 0].numel() * reading.positions)
    left = whole[:, :, on(whole, np.flatnonzero(reading.stays))]
    solved = left + torch.einsum("boce,bkc->boke", whole, mix)
    weight.copy_(solved.reshape(weight.movedim(reading.axis, 1).shape).movedim(1, reading.axis))
    shift = torch.einsum("boce,bc->bo", whole, constant).flatten().to(weight)
    if bias is not None:
        bias.add_(shift)
    elif norm is not None:
        module.get_submodule(norm).running_mean.sub_(shift)


def solve(moments: Moments, ridge: float, *, constant: bool) -> tuple[Tensor, Tensor]:
    """What is lacking as ``inputs·mix + rest``: (blocks, channels left, channels) and (blocks, channels)."""
    mean, lacking = moments.inputs / moments.count, moments.lacking / moments.count
    gram, cross = moments.gram / moments.count, moments.cross / moments.count
    if constant:
        gram = gram - mean[:, :, None] * mean[:, None]
        cross = cross - mean[:, :, None] * lacking[:, None]
    size = gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(torch.finfo(torch.float32).tiny)
    damped = gram + ridge * torch.diag_embed(size[:, None].expand(gram.shape[:2]))
    mix = torch.linalg.solve(damped, cross)
    return mix, lacking - (mean[:, None] @ mix)[:, 0] if constant else torch.zeros_like(lacking)
