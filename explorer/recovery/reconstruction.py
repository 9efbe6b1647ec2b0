"""Least-squares reconstruction: a layer's inputs that are left stand in for those that it lost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.batches import Samples, evaluating, fetch
from explorer.criteria.tools.numbers import to_float64
from explorer.device import BatchSize, is_out_of_memory
from explorer.errors import ExplorerError
from explorer.modules import watching
from explorer.progress import Report, silent
from explorer.recovery.before import NOTHING_LEFT, Origin, as_cut, norms_behind, on, restoring
from explorer.recovery.least_squares import (
    SAFE,
    Moments,
    Observed,
    WindowMoments,
    from_blocks,
    to_blocks,
    window_share,
)
from explorer.recovery.portion import repair_samples
from explorer.recovery.readers import Place, Reached, Read, Reads, Walk
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work
from explorer.structure.adapt import follow_attention
from explorer.structure.products import shared_names

REPAIR = "reconstruct"
RIDGE = 1e-3  # of the mean variance of the inputs
TOGETHER = 2**31  # bytes that both networks may hold at once in a pass of all samples
ALIVE = 3  # of the largest activation, what a network holds while it runs: a layer's input, its output, a shortcut
MOST_UNKNOWNS = 5000  # of an output, solved over windows: their products take 200 MB, and grow by the square
UNREAD = "queries and keys meet each other, and no weights read them"
SHARED = "a weight that reads its channels is used by several layers"
TWICE = "a weight that reads its channels lost them along two axes"
UNEVEN = "its channels are not laid out alike where they are read"
UNSEEN = "what reads its channels is no product of them with a weight that could be solved"
OTHERWISE = "what reads its channels is called otherwise in the cut network"


@recovery(
    "reconstruct",
    title="Least-squares reconstruction",
    explanation="Lets the inputs that a layer kept stand in for those that it lost, by least squares on calibration "
    "images, layer after layer. No training; exact where the lost channels are combinations of the kept ones.",
    needs={"calibration data"},
    cost="about 3 to 6 forwards; 2 more for every layer where memory is short",
    reference="Chee et al. 2022, Model Preserving Compression for Neural Networks (arXiv:2108.00065); "
    "Luo et al. 2017, ThiNet (arXiv:1707.06342); "
    "He et al. 2017, Channel Pruning for Accelerating Very Deep Neural Networks (arXiv:1707.06168)",
    rank=35,
)
def reconstruction(module: nn.Module, work: Work) -> History:
    origin = work.origin_for("reconstruct")
    data = repair_samples(work.task.calibration, origin.structure.cost().macs)
    return reconstruct(module, data, origin, device=work.device, report=work.report)


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

    Where a kernel has several places, the weights that come of this are moved further: over windows u of what the layer
    reads now, ``Σ‖z − W'·u − b'‖²`` is made least, z being what it gave in the whole network (He et al. 2017,
    arXiv:1707.06168, equation 2), by a ridge towards those weights. Of many windows, `PER_UNKNOWN` for each unknown are
    looked at, drawn by a fixed seed. On the bundled networks that is worth up to four points of accuracy. Kernels of
    more than `MOST_UNKNOWNS` weights for an output keep W·T: over 2048 channels, sums would take gigabytes and minutes.

    A layer is every product of an activation with a weight, by whichever code: convolutions, grouped and transposed
    ones too, matrices, fused projections row by row, and what recurrent layers are given. T does not depend on the
    weights, so layers that read the same input share it. A depthwise convolution passes on the channels that it has
    and mixes none: what reads its output makes up for what it lost.

    T is drawn by a ridge towards passing on what stays, so that on `data` ``Σ‖x − T·y − c‖²`` is never larger than as
    cut; nor is the sum over windows larger than with W·T. Where x depends linearly on y the result is exact up to the
    ridge; with a constant in it only where the layer pads with no zeros. A layer without a bias has its c taken up by
    the batch norm behind it; if there is none either, it is called several times, so that each call may have a norm of
    its own, or it is a transposed convolution, c is zero. Products are summed up in double precision, and taken in
    single precision unless the ridge is below `SAFE`. Weights are restored if the work is cancelled.

    Args:
        module: the cut network.
        data: whose inputs go through both networks.
        origin: what the module was cut from.
        device: on which it computes.
        batch_size: inputs at once where `TOGETHER` can't hold all, fewer where it can't hold these or memory is short.
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
    base = origin.copied()  # passes end within it, and others may use the original
    follow_attention(base, module)
    readings, reasons = candidates(module, origin)
    with evaluating(base, device), evaluating(module, device), restoring(module), torch.no_grad():
        example = fetch(data, torch.arange(1))[0].to(device)
        seen = _observed_calls(base, module, example, readings, origin)
        mending = _Mending(base, module, data, origin, seen, batch_size, ridge, report)
        mending.all()
    reasons |= {**seen.reasons, **mending.reasons}
    few = (f"fewer examples than unknowns in {', '.join(mending.unsure)}: give more calibration images",)
    warnings = (*as_cut(_reasons(origin, reasons)), *(few if mending.unsure else ()))
    return History("reconstruct", seconds=perf_counter() - start, warnings=warnings)


def unsolved(module: nn.Module, origin: Origin) -> dict[str, str]:
    """Why groups that lost units, by name, are surely not made up for where they are read; `module` is the cut network.

    What reads them is known only when the network runs, so that further ones may show then.
    """
    return _reasons(origin, candidates(module, origin)[1])


@dataclass(frozen=True)
class Reading:
    """A weight that lost inputs.

    Args:
        tensor: its name.
        axis: on which the inputs lie.
        stays: which of its input channels are left, (channels,); of a grouped convolution those of every group.
        positions: how many entries in a row belong to one channel; more than one behind a flattening.
    """

    tensor: str
    axis: int
    stays: np.ndarray
    positions: int = 1

    @property
    def layer(self) -> str:
        """Its name for a person."""
        name = self.tensor.rpartition(".")
        return name[0] if name[2] in ("weight", "in_proj_weight") else self.tensor


def candidates(module: nn.Module, origin: Origin) -> tuple[dict[str, Reading], dict[str, str]]:
    """The weights that lost inputs and may be solved, by name, and why the others can't."""
    shared = shared_names(module)
    readings: dict[str, Reading] = {}
    reasons: dict[str, str] = {}
    for tensor, axes in origin.leaving("consumer").items():
        lost = {axis: out for axis, out in axes.items() if out.any()}
        if not lost:
            continue
        (axis, out), *others = lost.items()
        positions = 0 if others else _positions(origin, tensor, axis)
        if tensor in shared:
            reasons[tensor] = SHARED
        elif others:
            reasons[tensor] = TWICE
        elif not positions:
            reasons[tensor] = UNEVEN
        else:
            readings[tensor] = Reading(tensor, axis, ~out.reshape(-1, positions)[:, 0], positions)
    return readings, reasons


def _reasons(origin: Origin, unsolved: Mapping[str, str]) -> dict[str, str]:
    """Why groups, by name, are not made up for where they are read, from why tensors are not."""
    reasons = {}
    for name, loss in origin.losses.items():
        readers = loss.group.of_role("consumer")
        read = [member.tensor for member in readers if np.isin(member.units, loss.removed).any()]
        if loss.group.contracted or not read:
            reasons[name] = UNREAD
        elif why := next((unsolved[tensor] for tensor in read if tensor in unsolved), ""):
            reasons[name] = why
    return reasons


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


@dataclass(frozen=True)
class _Calls:
    """What a forward pass of one sample shows.

    Args:
        readings: the weights that can be solved, in the order of their first calls.
        calls: how often a pass uses each of them.
        order: of all these calls, the same in both networks; None where it is not.
        largest: bytes of the largest activation of the whole network.
        reasons: why other weights can't be solved.
    """

    readings: tuple[Reading, ...]
    calls: Mapping[str, int]
    order: tuple[Place, ...] | None
    largest: int
    reasons: Mapping[str, str]


def _observed_calls(
    base: nn.Module, module: nn.Module, sample: Tensor, readings: Mapping[str, Reading], origin: Origin
) -> _Calls:
    mine, whole = (_reads(network, sample, readings) for network in (module, base))
    reasons = dict.fromkeys(readings, UNSEEN)
    solved = []
    for tensor in dict.fromkeys(read.place.tensor for read in mine):
        pairs = _pairs(tensor, mine, whole)
        if not pairs or not all(_alike(readings[tensor], *pair, origin) for pair in pairs):
            reasons[tensor] = OTHERWISE
        else:
            solved.append(readings[tensor])
            del reasons[tensor]
    names = {reading.tensor for reading in solved}
    calls = Counter(read.place.tensor for read in mine if read.place.tensor in names)
    orders = [tuple(read.place.tensor for read in reads if read.place.tensor in names) for reads in (mine, whole)]
    order = tuple(read.place for read in mine if read.place.tensor in names) if orders[0] == orders[1] else None
    return _Calls(tuple(solved), calls, order, _largest_activation(base, sample), reasons)


def _reads(module: nn.Module, sample: Tensor, wanted: Iterable[str]) -> list[Read]:
    """All products of one pass, as they are called; activations may have been written into since."""
    seen: list[Read] = []
    with Reads(module, list(wanted), seen.append):
        module(sample.clone())
    return seen


def _pairs(tensor: str, mine: list[Read], whole: list[Read]) -> list[tuple[Read, Read]]:
    """The calls of one weight in both networks; none where they are not as many."""
    own, others = ([read for read in reads if read.place.tensor == tensor] for reads in (mine, whole))
    return list(zip(own, others, strict=True)) if len(own) == len(others) else []


def _alike(reading: Reading, mine: Read, whole: Read, origin: Origin) -> bool:
    """Whether what was read in the whole network can be told apart as what is left and what is not."""
    if mine.geometry != whole.geometry or mine.geometry.axis != reading.axis:
        return False
    stays, left = reading.stays, int(reading.stays.sum())
    blocks = mine.geometry.groups if mine.geometry.transposed else 1
    sizes = [read.weight.shape[reading.axis] // reading.positions for read in (mine, whole)]
    if sizes != [left, len(stays)]:
        return False
    by_block = stays.reshape(blocks, -1)
    if (by_block != by_block[:1]).any():
        return False
    rows = _rows_left(whole, reading, origin)
    return _comparable(mine, whole) and len(rows) == mine.weight.shape[1 - reading.axis]


def _rows_left(whole: Read, reading: Reading, origin: Origin) -> np.ndarray:
    """Which of the rows of a weight, or of the part of it that was used, the cut network still has."""
    axis = 1 - reading.axis
    count = whole.weight.shape[axis]
    out = origin.leaving()[reading.tensor].get(axis)
    return np.arange(count) if out is None else np.flatnonzero(~out[whole.place.row : whole.place.row + count])


def _largest_activation(module: nn.Module, sample: Tensor) -> int:
    """Bytes of the largest tensor that a forward pass of one sample takes or that a module in it gives."""
    sizes = [sample.nbytes]

    def measure(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        sizes.extend(leaf.nbytes for leaf in tree_leaves(output) if isinstance(leaf, Tensor))

    with watching(module, {name: measure for name, _ in module.named_modules()}):
        module(sample.clone())
    return max(sizes)


class _Solution:
    """What stands in for what a layer lost: the sums over what both networks read there, and what follows from them.

    Args:
        reading: the layer.
        mine, whole: what it reads in the cut network and in the whole one.
        ridge: of the least squares.
        windows: of a convolution whose kernel has several places, the sums over these.
    """

    def __init__(
        self, reading: Reading, mine: Read, whole: Read, ridge: float, windows: WindowMoments | None = None
    ) -> None:
        self.reading, self.mine, self.whole, self._ridge = reading, mine, whole, ridge
        self._versions = mine.input._version, whole.input._version
        stays = reading.stays
        if mine.geometry.transposed:  # whose weight has the channels of all groups in a row
            stays = stays.reshape(mine.geometry.groups, -1)[0]
        self.moments = Moments(np.flatnonzero(stays), exact=ridge < SAFE)
        self.windows = windows
        self._found: dict[bool, tuple[Tensor, Tensor]] = {}

    def add(self, mine: Read, whole: Read) -> None:
        """Some samples."""
        self.moments.add(*(Observed(read.input, read.geometry, self.reading.positions) for read in (mine, whole)))
        if self.windows is not None:
            self.windows.add(mine.input, whole.input)

    @property
    def unsure(self) -> bool:
        """Whether there were fewer examples than unknowns."""
        few = self.moments.seen < len(self.moments.stays)
        return few or (self.windows is not None and self.windows.count < self.windows.unknowns)

    def replaced(self, weights: Tensor, *, constant: bool) -> tuple[Tensor, Tensor]:
        """The weights over what is left that stand in for those of the whole network, and what the outputs lack.

        Args:
            weights: of the whole network, (blocks, outputs, channels, entries).
            constant: whether a constant may be added to the outputs.

        Returns:
            (blocks, outputs, left, entries) and (blocks, outputs), float64.
        """
        if constant not in self._found:
            self._found[constant] = self.moments.solved(self._ridge, constant=constant)
        mix, rest = self._found[constant]
        stays = weights[:, :, on(weights, self.moments.stays)]
        replaced = stays + torch.einsum("boce,bkc->boke", weights, mix)
        if self.windows is None:
            return replaced, torch.einsum("boce,bc->bo", weights, rest)
        return self.windows.solved(replaced, self._ridge, constant=constant)

    def serves(self, reading: Reading, mine: Read, whole: Read) -> bool:
        """Whether another layer reads the same in the same way, so that the same stands in for what it lost."""
        return (
            self.windows is None  # which are about one layer's weights
            and mine.input is self.mine.input
            and whole.input is self.whole.input
            and (mine.input._version, whole.input._version) == self._versions
            and mine.geometry == self.mine.geometry
            and reading.positions == self.reading.positions
            and np.array_equal(reading.stays, self.reading.stays)
        )


class _OutOfStep(Exception):  # noqa: N818
    """The two networks do not call their layers in one order."""


class _Mending:
    """The layers of a cut network, given their new weights one after the other.

    Where memory holds all samples at once, both networks are led through one pass together: at every layer the whole
    network halts, what both read there is compared, the weights are written, and both go on. A layer that is called
    several times is solved over all its calls before, batch by batch, in passes of its own, after which both networks
    begin anew. Where memory can't hold all samples, each layer is.

    Args:
        seen: the layers, as a pass of one sample showed them.
        unsure: the layers that had fewer examples than unknowns.
        reasons: why tensors could not be solved after all.
    """

    def __init__(
        self,
        base: nn.Module,
        module: nn.Module,
        data: Samples,
        origin: Origin,
        seen: _Calls,
        batch_size: int,
        ridge: float,
        report: Report,
    ) -> None:
        self._base, self._module, self._data, self._origin, self._seen = base, module, data, origin, seen
        self._most = TOGETHER // (2 * ALIVE * seen.largest)  # samples at once
        self._size, self._ridge, self._report = BatchSize(max(1, min(batch_size, self._most))), ridge, report
        self._shifts: dict[tuple[int, int, int], tuple[Tensor, dict[Place, Tensor]]] = {}
        self._biases = _own_biases(module)
        self._norms = norms_behind(origin.left, base)
        self._device = next(tensor.device for tensor in module.state_dict().values())
        self._waiting = {reading.tensor: reading for reading in seen.readings}
        self._last: _Solution | None = None
        self.unsure: list[str] = []
        self.reasons: dict[str, str] = {}

    def all(self) -> None:
        together = self._seen.order is not None and len(self._data) <= self._most
        while self._waiting:
            segment = self._segment() if together else {}
            try:
                if segment:
                    self._at_once(segment)
                else:
                    self._by_itself(next(iter(self._waiting.values())))
            except (_OutOfStep, RuntimeError, MemoryError) as error:
                if not segment or not (isinstance(error, _OutOfStep) or is_out_of_memory(error)):
                    raise
                together = False
            finally:
                self._last = None

    def _segment(self) -> dict[str, Reading]:
        """The next layers that can be mended in one pass: up to one whose weights are used several times."""
        segment = {}
        for tensor, reading in self._waiting.items():
            parts = {place for place in self._seen.order or () if place.tensor == tensor}
            if len(parts) < self._seen.calls[tensor]:
                break
            segment[tensor] = reading
        return segment

    def _at_once(self, segment: Mapping[str, Reading]) -> None:
        inputs = fetch(self._data, torch.arange(len(self._data)))[0].to(self._device)
        left = Counter({tensor: self._seen.calls[tensor] for tensor in segment})

        def mend(mine: Read) -> None:
            tensor = mine.place.tensor
            whole = walk.next()
            if whole is None or whole.place.tensor != tensor:
                raise _OutOfStep
            self._tell(f"looked at what {segment[tensor].layer} reads")
            self._mend(segment[tensor], mine, whole)
            left[tensor] -= 1
            if not left[tensor]:
                self._end(segment[tensor])
            if not left.total():
                raise Reached

        with (
            Walk(self._base, inputs.clone(), segment) as walk,
            suppress(Reached),
            Reads(self._module, segment, mend),
        ):
            self._module(inputs)
        if left.total():
            raise _OutOfStep

    def _mend(self, reading: Reading, mine: Read, whole: Read) -> None:
        if not _comparable(mine, whole):
            self.reasons[reading.tensor] = OTHERWISE
            return
        if self._last is None or not self._last.serves(reading, mine, whole):
            self._last = self._solution(reading, mine, whole)
            self._last.add(mine, whole)
        self._write(reading, mine, whole, self._last)

    def _by_itself(self, reading: Reading) -> None:
        solutions = self._size.retry(lambda size: self._observe(reading, size))
        if not solutions:
            self.reasons[reading.tensor] = OTHERWISE
        for solution in solutions:
            self._write(reading, solution.mine, solution.whole, solution)
        self._end(reading)

    def _observe(self, reading: Reading, size: int) -> list[_Solution]:
        """The sums over all calls of a weight, of each part of it that is used apart; none where calls differ."""
        solutions: dict[Place, _Solution] = {}
        for indices in torch.arange(len(self._data)).split(size):
            inputs = fetch(self._data, indices)[0].to(self._device)
            own, others = (self._calls_of(reading, network, inputs) for network in (self._module, self._base))
            if len(own) != len(others):
                return []
            for mine, whole in zip(own, others, strict=True):
                if not _comparable(mine, whole):
                    return []
                if mine.place not in solutions:
                    solutions[mine.place] = self._solution(reading, mine, whole)
                solutions[mine.place].add(mine, whole)
        return list(solutions.values())

    def _calls_of(self, reading: Reading, network: nn.Module, inputs: Tensor) -> list[Read]:
        seen: list[Read] = []

        def take(read: Read) -> None:
            seen.append(replace(read, input=read.input.clone()))  # what follows may write into it
            if len(seen) == self._seen.calls[reading.tensor]:
                raise Reached

        with suppress(Reached), Reads(network, [reading.tensor], take):
            network(inputs.clone())
        self._tell(f"looked at what {reading.layer} reads")
        return seen

    def _write(self, reading: Reading, mine: Read, whole: Read, solution: _Solution) -> None:
        calls = self._seen.calls[reading.tensor]
        norm = self._norms.get(reading.tensor) if calls == 1 else None  # else each call may have a norm of its own
        bias = mine.bias if mine.bias is not None and _whose(mine.bias) in self._biases else None
        constant = not mine.geometry.transposed and (bias is not None or norm is not None)
        weights, shift = solution.replaced(self._weights(reading, whole), constant=constant)
        mine.weight.copy_(from_blocks(weights, mine.geometry, mine.weight.shape))
        if bias is not None and constant:
            self._shift(bias, mine.place, shift)
        elif norm is not None and constant:
            self._shift(self._module.get_submodule(norm).running_mean, mine.place, -shift)
        if solution.unsure and reading.layer not in self.unsure:
            self.unsure.append(reading.layer)

    def _shift(self, target: Tensor, place: Place, shift: Tensor) -> None:
        """Adds to what the cut left in a bias or a mean, once for each place, however often its layer is solved."""
        whole = target if target._base is None else target._base
        part = id(whole), target.storage_offset(), len(target)
        left, shifts = self._shifts.setdefault(part, (target.clone(), {}))
        shifts[place] = shift.flatten().to(target)
        target.copy_(left + torch.stack(list(shifts.values())).sum(0))

    def _solution(self, reading: Reading, mine: Read, whole: Read) -> _Solution:
        geometry, windows = mine.geometry, None
        several = not geometry.transposed and any(kernel > 1 for kernel, *_ in geometry.window)
        if several and mine.weight[0].numel() <= MOST_UNKNOWNS:
            samples = len(self._data) * self._seen.calls[reading.tensor]
            share = window_share(geometry, mine.weight, mine.input.shape[2:], samples)
            windows = WindowMoments(self._weights(reading, whole), geometry, share, exact=self._ridge < SAFE)
        return _Solution(reading, mine, whole, self._ridge, windows)

    def _weights(self, reading: Reading, whole: Read) -> Tensor:
        """Those of the whole network, in the rows that are left: (blocks, outputs, channels, entries), float64."""
        rows = on(whole.weight, _rows_left(whole, reading, self._origin))
        left = whole.weight.detach().index_select(1 - reading.axis, rows)
        return to_blocks(to_float64(left), whole.geometry, reading.positions)

    def _end(self, reading: Reading) -> None:
        del self._waiting[reading.tensor]
        total = len(self._seen.readings)
        self._tell(f"reconstructed {reading.layer}, layer {total - len(self._waiting)} of {total}")

    def _tell(self, message: str) -> None:
        self._report(1 - len(self._waiting) / len(self._seen.readings), message)


def _comparable(mine: Read, whole: Read) -> bool:
    """Whether both networks read the same places of the same samples: a router may send others to an expert."""
    axis = 1 if mine.geometry.window else -1
    sizes = [
        [size for place, size in enumerate(read.input.shape) if place != axis % read.input.dim()]
        for read in (mine, whole)
    ]
    return sizes[0] == sizes[1]


def _own_biases(module: nn.Module) -> set[int]:
    """The parameters, by `id`, that one layer alone adds as its bias: they may be written to."""
    shared = shared_names(module)
    return {id(parameter) for name, parameter in module.named_parameters() if name not in shared}


def _whose(tensor: Tensor) -> int:
    """The `id` of a parameter, also from some of its entries."""
    base = tensor._base
    return id(tensor if base is None else base)
