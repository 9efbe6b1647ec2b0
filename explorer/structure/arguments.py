"""What modules are given that has no channels of its own: slopes of ALiBi, with a number for every head.

A network makes such constants anew in every pass, for as many heads as it was built with. So they are followed from the
arguments of a module to the channels that they meet, each of which has entries of its own: these are left out of what
the module is given when channels leave (see `explorer.structure.adapt.narrow`). What is made of buffers that are not
saved is followed like that, too; these lose the entries themselves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from explorer.structure.labels import Ids, along, restrict, varying
from explorer.structure.ledger import Argument
from explorer.structure.tracing import Tracing
from explorer.structure.types import InputAxis
from explorer.structure.views import Axis, Received, View


def enter(tracing: Tracing, module: str, args: Sequence[Any], named: Mapping[str, Any]) -> None:
    """A module begins to run on these arguments."""
    arguments: list[tuple[int | str, Any]] = [*enumerate(args), *named.items()]
    followed = [
        (argument, value)
        for argument, value in arguments
        if isinstance(value, Tensor) and value.numel() > 1
        if value not in tracing.labels and value not in tracing.views
    ]
    around = tracing.path[:-1]
    for _, value in followed:
        tracing.given[value] = tuple(each for each in tracing.given.get(value, ()) if each.module in around)
    for argument, value in followed:
        tracing.given[value] = (*tracing.given[value], Received(module, argument, View.whole("", value)))


def take(tracing: Tracing, tensor: Tensor, label: Tensor) -> set[int]:
    """Let entries of an argument, or buffer, leave with the channels that meet them along the first axis of a label.

    Args:
        tensor: a constant with numbers of its own along that axis.

    Returns:
        The axis, if the constant's numbers are theirs; else none.
    """
    row, *places = varying(label)
    running = [each for each in tracing.given.get(tensor, ()) if each.module in tracing.path]
    if not running:
        return set()
    inner = max((each.module for each in running), key=tracing.path.index)
    dim = row - label.dim() + tensor.dim()
    met = [each for each in running if each.module == inner and _runs(each, dim)]
    axes = [axis for each in met if (axis := each.view.axis_along(dim)) is not None]
    if not met or len(axes) < len(met) or any((axis.index < 0).any() for axis in axes):
        return set()
    if places:  # all channels of a row leave together, as it has one number
        spread = restrict(label, [row, *places])
        tracing.unite(restrict(label, [row]).expand(spread.shape), spread, "attention head")
    around = {(each.module, each.argument) for each in running if each.module != inner and each.argument is not None}
    for each, axis in zip(met, axes, strict=True):
        _leave(tracing, each, axis, along(label, row), around)
    return {row}


def _runs(received: Received, dim: int) -> bool:
    return any(dim in varying(index) for index in received.view.indices)


def _leave(tracing: Tracing, received: Received, axis: Axis, ids: Ids, around: set[Argument]) -> None:
    """Let what is received along an axis leave with these channels.

    Args:
        around: arguments of other modules that are the same.
    """
    _, first, entry = np.unique(axis.index, return_index=True, return_inverse=True)
    tracing.ledger.unite(ids, ids[first][entry], "one number of a constant", tracing.here)
    owners = np.full(received.view.shape[axis.number], -1, dtype=np.int64)
    owners[axis.index] = ids
    if received.argument is None:
        met = np.flatnonzero(owners >= 0)
        name, size = received.view.name, len(owners)
        tracing.ledger.record(name, axis.number, met, owners[met], size=size, role="affine")
        return
    owners = owners if axis.number else _of_one_input(owners)
    tracing.ledger.receive(InputAxis(received.module, received.argument, axis.number), owners, around)


def _of_one_input(owners: Ids) -> Ids:
    """The first of equal parts, one for each input of a batch that is folded into the axis."""
    sizes = (size for size in range(1, len(owners)) if len(owners) % size == 0)
    return next((owners[:size] for size in sizes if (owners.reshape(-1, size) == owners[:size]).all()), owners)
