"""Rules of products with weights: they read channels and produce others."""

from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import Ids, along, flat, on_axis, restrict, varying
from explorer.structure.ledger import Contraction, Observation
from explorer.structure.operators import Operator
from explorer.structure.tracing import POSITIONS, Tracing
from explorer.structure.views import Axis, View

INPUT = "it reads the model's input"


# Convolutions --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Convolution:
    """One call: its tensors, and how its weight (outputs, inputs, …) is shared by groups of channels."""

    x: Tensor
    weight: Tensor
    transposed: bool
    groups: int

    @property
    def depthwise(self) -> bool:
        return self.groups > 1 and self.groups == self.x.shape[1]

    @property
    def turned(self) -> bool:
        """Whether the weight is (inputs, outputs, …); that of a depthwise one has its channels first anyway."""
        return self.transposed and not self.depthwise

    @property
    def copies(self) -> int:
        """How many channels each row of the weight produces."""
        return self.groups if self.turned else 1

    @property
    def sums(self) -> bool:
        """Whether it adds up channels in more than one group."""
        return self.groups > 1 and not self.depthwise


def convolution(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Tensor) -> None:
    """The input's channels are read, rows of the weight are produced; depthwise, both are the same."""
    x, weight, bias = args[:3]
    view, label = tracing.views.get(weight), tracing.read_along(x, 1)
    plain = operator.name in ("convolution", "_convolution")  # the others have no `transposed`
    call = _Convolution(x, weight, *((args[6], args[8]) if plain else (False, args[-1])))
    if weight in tracing.labels or view is None or not view.has_order:
        if view is None and bias is None and _is_one_filter(tracing, call):
            _filter(tracing, call, label, out)
            return
        for tensor in (x, weight):
            tracing.freeze(tracing.label(tensor), "convolution with a computed kernel")
    elif (passed := _beside_positions(tracing, call, view, label, out)) is not None:
        tracing.assign(out, passed)
    else:
        tracing.assign(out, on_axis(_convolve(tracing, call, view, label, bias, out), 1, out.shape))


def _convolve(
    tracing: Tracing, call: _Convolution, view: View, label: Tensor | None, bias: Tensor | None, out: Tensor
) -> Ids:
    """The channels along the second axis of the output."""
    axis = 1 if call.turned else 0
    rows = tracing.ledger.produce(view.name, axis, call.weight.shape[axis], role="producer", copies=call.copies)
    read = _read_by_convolution(tracing, call, label, rows)
    sides: tuple[Ids, ...]
    if call.depthwise:
        tracing.ledger.unite(np.repeat(read, len(rows) // len(read)), rows, "depthwise convolution", tracing.here)
        made, sides = np.repeat(rows, out.shape[1] // len(rows)), (rows,)
    else:
        made, sides = np.tile(rows, call.copies), (rows, _consume(tracing, call, view, read, rows))
    inputs = None if call.depthwise else _Side(1 - axis, 1 - axis, sides[-1])
    _compute(tracing, view, _Side(axis, axis, rows), inputs)
    if bias is not None:
        tracing.attach(bias, made)
    if len(made) == len(rows):
        _observe(tracing, view, 1)
    if tracing.costs:
        tracing.ledger.contractions.append(Contraction(_applications(call, out), sides))
    return made


def _beside_positions(
    tracing: Tracing, call: _Convolution, view: View, label: Tensor | None, out: Tensor
) -> Tensor | None:
    """The label of what a convolution makes that has its channels where others have positions; None elsewhere."""
    mixed = _mix_positions(tracing, call, view, label, out)
    return _see_neighbours(tracing, call, view, label, out) if mixed is None else mixed


def _mix_positions(
    tracing: Tracing, call: _Convolution, view: View, label: Tensor | None, out: Tensor
) -> Tensor | None:
    """The label of what a convolution makes out of positions, where it takes channels one by one; None elsewhere."""
    axes = varying(label)
    if (
        label is None
        or not axes
        or any(d < 2 or call.weight.shape[d] > 1 or label.shape[d] != out.shape[d] for d in axes)
    ):
        return None
    rows = tracing.ledger.produce(view.name, 0, call.weight.shape[0], role="producer")
    tracing.ledger.freeze(rows, f"{POSITIONS} in {tracing.here}")
    if tracing.costs:
        channels = flat(label, axes)
        each = _taps(call, out) // len(channels) * prod(call.weight.shape[:2])
        tracing.ledger.contractions.append(Contraction(each, (channels,)))
    return restrict(label, axes).expand([-1 if d in axes else size for d, size in enumerate(out.shape)])


def _see_neighbours(
    tracing: Tracing, call: _Convolution, view: View, label: Tensor | None, out: Tensor
) -> Tensor | None:
    """The label of what a kernel makes that runs along channels, as in efficient channel attention; None elsewhere.

    Neighbours are those that stay, in a cut and in its mask alike.
    """
    axes = varying(label)
    if label is None or len(axes) != 1 or axes[0] < 2 or label.shape[axes[0]] != out.shape[axes[0]] or call.transposed:
        return None
    channels = along(label, axes[0])
    tracing.ledger.blur(channels, f"the kernel in {tracing.here} runs along these channels", tracing.path[-1])
    if call.weight.shape[0] > 1:
        rows = tracing.ledger.produce(view.name, 0, call.weight.shape[0], role="producer")
        tracing.ledger.freeze(rows, f"each of them meets the channels that the kernel in {tracing.here} runs along")
    if tracing.costs:
        each = _taps(call, out) // len(channels) * prod(call.weight.shape[:2])
        tracing.ledger.contractions.append(Contraction(each, (channels,)))
    return restrict(label, axes).expand([-1 if d in axes else size for d, size in enumerate(out.shape)])


def _is_one_filter(tracing: Tracing, call: _Convolution) -> bool:
    """Whether a constant kernel does the same to every channel, as a blur does."""
    kernels = call.weight.reshape(call.groups, -1)
    return call.depthwise and call.weight not in tracing.labels and bool((kernels == kernels[:1]).all())


def _filter(tracing: Tracing, call: _Convolution, label: Tensor | None, out: Tensor) -> None:
    """Channels pass a constant kernel."""
    label = None if label is None else tracing.unmix(label, set(range(label.dim())) - {1}, "filtered over mixed axes")
    if label is not None:
        read = along(label, 1)
        if tracing.costs:
            each = _taps(call, out) * prod(call.weight.shape[:2]) // len(read)
            tracing.ledger.contractions.append(Contraction(each, (read,)))
        tracing.assign(out, on_axis(np.repeat(read, out.shape[1] // len(read)), 1, out.shape))


def _read_by_convolution(tracing: Tracing, call: _Convolution, label: Tensor | None, rows: Ids) -> Ids:
    """The channels of its input; where they lie along other axes, too, `rows` can't leave."""
    if label is not None:
        unmixed = tracing.unmix(label, set(range(label.dim())) - {1}, "convolution over mixed axes")
        if unmixed is not None:
            return along(unmixed, 1)
        tracing.ledger.freeze(rows, f"convolution over mixed axes in {tracing.here}")
    return tracing.ledger.constant(call.x.shape[1], INPUT)


def _consume(tracing: Tracing, call: _Convolution, view: View, read: Ids, rows: Ids) -> Ids:
    """The channels that the weight reads: of groups, which stay equally wide, the first one's stand for all."""
    if call.sums:
        for ids in (read,) if call.transposed else (rows, read):
            tracing.unite_rows(ids.reshape(call.groups, -1), "grouped convolution")
    inner = read if call.transposed else read[: call.weight.shape[1]]
    axis = 0 if call.turned else 1
    tracing.ledger.record(view.name, axis, np.arange(len(inner)), inner, size=len(inner), role="consumer")
    return inner


def _applications(call: _Convolution, out: Tensor) -> int:
    """How often each pair of an output and an input channel is multiplied."""
    return _taps(call, out) * (call.weight.shape[1] if call.depthwise else 1)


def _taps(call: _Convolution, out: Tensor) -> int:
    """How many products a kernel makes over all positions."""
    grid = call.x if call.transposed else out
    return len(grid) * prod(grid.shape[2:]) * prod(call.weight.shape[2:])  # boxes of one image make a batch, too


class _Side(NamedTuple):
    """The channels along one axis of a weight: which axis of the parameter, and of the view of it that is met."""

    axis: int
    dim: int
    ids: Ids


def _compute(tracing: Tracing, view: View, made: _Side, read: _Side | None) -> None:
    """Where a weight is computed, what it is computed from follows its channels, and zeros may be no cut."""
    tracing.attach_beside(view, {side.dim: side.ids for side in (made, read) if side is not None})
    blurred = [made.ids] if made.axis in view.spread else []
    if read is not None and (view.spread or not view.keeps_zeros):
        blurred.append(read.ids)
    for ids in blurred:
        tracing.ledger.computing.add(tracing.path[-1])
        tracing.ledger.blur(ids, f"{tracing.here} computes its weights from all of them", tracing.path[-1])


# Matrices ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weight:
    """A parameter in a matrix product: the axes that produce and that read channels, and where they run in it."""

    view: View
    outer: Axis
    inner: Axis
    dims: tuple[int, int]
    batched: bool


def as_weight(tracing: Tracing, tensor: Tensor, outer: int, inner: int) -> Weight | None:
    """A tensor as a parameter with rows along `outer` and inputs along `inner`.

    It is batched where other axes of the parameter (experts) run along other axes of the tensor.
    """
    view = tracing.views.get(tensor) if tensor not in tracing.labels else None
    if view is None:
        return None
    rows, inputs = view.axis_along(outer), view.axis_along(inner)
    if rows is None or inputs is None or rows.number == inputs.number:
        return None
    batched = any(set(varying(index)) - {outer, inner} for index in view.indices)
    return Weight(view, rows, inputs, (outer, inner), batched)


def weigh(
    tracing: Tracing,
    weight: Weight,
    label: Tensor | None,
    shape: tuple[int, ...],
    bias: Tensor | None = None,
    *,
    mixed: Tensor | None = None,
) -> Tensor:
    """The label of ``x @ weight (+ bias)``, x of this label and shape: its last axis is read, rows are produced.

    Args:
        mixed: where the last axis has positions that a weight made: which; see `Tracing`.
    """
    view, outer, inner = weight.view, weight.outer, weight.inner
    last = len(shape) - 1
    positions = set(varying(label)) - {last}
    size = view.shape[outer.number]
    expert = prod(view.shape) > size * view.shape[inner.number]  # one of several, to which a single token may go
    tokens = bool(positions) or expert or prod(shape[:-1]) > 2
    facts = {"tokens": tokens, "mixes": bool(positions)}
    rows = tracing.ledger.produce(view.name, outer.number, size, role="producer", **facts)[outer.index]
    if positions and mixed is not None and varying(mixed) == [last]:
        read = along(mixed, last)
    else:
        tracing.freeze(mixed, POSITIONS)
        read = _read_by_matrix(tracing, label, positions, last, len(inner.index))
    size = view.shape[inner.number]
    tracing.ledger.record(view.name, inner.number, inner.index, read, size=size, role="consumer")
    rows_dim, read_dim = weight.dims
    _compute(tracing, view, _Side(outer.number, rows_dim, rows), _Side(inner.number, read_dim, read))
    if bias is not None:
        tracing.attach(bias, rows)
    if tracing.costs:
        each = Contraction(prod(shape[:-1]), (rows, read))
        if label is not None and positions:
            each = Contraction(1, (rows, read, label.select(-1, 0).reshape(-1).numpy()))
        tracing.ledger.contractions.append(each)
    made = (*shape[:-1], len(rows))
    if label is not None and positions:
        return restrict(label, positions).expand(made)
    return on_axis(rows, last, made)


def _read_by_matrix(tracing: Tracing, label: Tensor | None, positions: set[int], last: int, size: int) -> Ids:
    """The channels along the last axis of an input; those of one whose channels lie elsewhere can't leave."""
    if label is not None and not positions:
        return along(label, last)
    read = tracing.ledger.constant(size, INPUT)
    if label is not None and last in varying(label):  # the same for all heads, as a table of relative positions is
        tracing.bundle(label, positions, "a matrix product over mixed axes")
    return read


def mix(tracing: Tracing, weight: Weight, label: Tensor | None, out: Tensor, dim: int) -> None:
    """Where channels lie along other axes of what a weight read, its rows are positions along `dim` of the output."""
    if label is not None and set(varying(label)) - {label.dim() - 1}:
        rows = tracing.ledger.rows[weight.view.name, weight.outer.number][weight.outer.index]
        tracing.mixed[out] = on_axis(rows, dim % out.dim(), out.shape)


def observe_rows(tracing: Tracing, view: View) -> None:
    """The channels that a matrix produces are seen behind the module that is running, along the last axis."""
    _observe(tracing, view, -1)


def _observe(tracing: Tracing, view: View, axis: int) -> None:
    tracing.ledger.observations.setdefault(view.name, Observation(tracing.path[-1], axis))


def embedding(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """A table's columns are produced along the last axis."""
    view = tracing.views.get(args[0])
    axis = None if view is None else view.axis_along(1)
    if axis is None:
        tracing.freeze_all((args, kwargs), f"the operator {operator.name}")
        return
    ids = tracing.ledger.produce(view.name, axis.number, view.shape[axis.number], role="producer")[axis.index]
    observe_rows(tracing, view)
    found = tree_leaves(out)[0]
    tracing.assign(found, on_axis(ids, found.dim() - 1, found.shape))
