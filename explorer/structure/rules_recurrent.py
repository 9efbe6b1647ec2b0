"""Rules of recurrent layers: LSTM, GRU and Elman's, over whole sequences or one step at a time.

A hidden unit is a row of every gate; what it puts out is read by all gates of the next step. A layer keeps one number
of hidden units for all its depths and directions, so the same unit of each of them leaves.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves

from explorer.structure.labels import Ids, along, on_axis, varying
from explorer.structure.ledger import Contraction
from explorer.structure.operators import Operator
from explorer.structure.rules_entrywise import differs_along
from explorer.structure.rules_weights import INPUT
from explorer.structure.tracing import Tracing

ONE_WIDTH = "one width for all depths and directions"


@dataclass(frozen=True)
class _Weights:
    """What runs through a sequence once.

    Args:
        read: of the input, (gates · hidden, inputs).
        fed: of what the step before put out, (gates · hidden, outputs).
        biases: none, or two vectors of gates · hidden.
        projection: of the cells to what is put out, (outputs, hidden), if the layer has one.
    """

    read: Tensor
    fed: Tensor
    biases: Sequence[Tensor | None] = ()
    projection: Tensor | None = None

    @property
    def matrices(self) -> list[Tensor]:
        return [weight for weight in (self.read, self.fed, self.projection) if weight is not None]


class _State(NamedTuple):
    """The channels of what is put out, and of the cells: the same where nothing projects them."""

    outputs: Ids
    cells: Ids


def recurrent(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """A layer that runs over a sequence of shape (steps, batch, inputs) or, packed, (steps of all, inputs)."""
    packed = isinstance(args[2], Tensor)  # with the sizes of its batches in second place
    initial, weights, biased, depths = args[2:6] if packed else args[1:5]
    ways = 2 if (args[8] if packed else args[7]) else 1
    count = len(weights) // (depths * ways)
    runs = [_of_layer(weights[start : start + count], biased) for start in range(0, len(weights), count)]
    through = _through(tracing, args[0], initial, [runs[start : start + ways] for start in range(0, len(runs), ways)])
    if through is not None:
        outputs, state = through
        _assign(tracing, out, (outputs, *state))


def step(tracing: Tracing, operator: Operator, args: tuple, kwargs: dict, out: Any) -> None:
    """One step of such a layer: of shape (batch, inputs)."""
    x, initial, read, fed, *biases = args
    through = _through(tracing, x, initial, [[_Weights(read, fed, biases)]])
    if through is not None:
        _assign(tracing, out, through[1])


def _of_layer(weights: Sequence[Tensor], biased: bool) -> _Weights:
    """Those of one depth and direction, as the layer lists them."""
    read, fed, *rest = weights
    return _Weights(read, fed, rest[:2] if biased else (), rest[-1] if len(rest) % 2 else None)


def _assign(tracing: Tracing, out: Any, channels: Sequence[Ids]) -> None:
    for made, ids in zip(tree_leaves(out), channels, strict=False):  # only an LSTM shows its cells
        tracing.assign(made, on_axis(ids, made.dim() - 1, made.shape))


def _through(tracing: Tracing, x: Tensor, initial: Any, depths: list[list[_Weights]]) -> tuple[Ids, _State] | None:
    """What comes out along the last axis, and the state; None where the weights are not the parameters themselves."""
    views = [tracing.views.get(weight) for runs in depths for run in runs for weight in run.matrices]
    if any(view is None or not view.in_order for view in views):
        tracing.freeze_all((x, initial), "the weights of a recurrent layer are computed")
        return None
    read, states = _read(tracing, x), []
    for runs in depths:
        states += (made := [_weigh(tracing, run, read, prod(x.shape[:-1])) for run in runs])
        read = np.concatenate([state.outputs for state in made])
    for state in states[1:]:
        for first, other in zip(states[0], state, strict=True):
            tracing.ledger.unite(first, other, ONE_WIDTH, tracing.here)
    for given, ids in zip(tree_leaves(initial), states[0], strict=False):
        _begin(tracing, given, ids)
    return read, states[0]


def _read(tracing: Tracing, x: Tensor) -> Ids:
    """The channels of the input, along its last axis."""
    label = tracing.read_along(x, -1)
    if label is not None and set(varying(label)) <= {x.dim() - 1}:
        return along(label, x.dim() - 1)
    tracing.freeze(label, "a recurrent layer over mixed axes")
    return tracing.ledger.constant(x.shape[-1], INPUT)


def _weigh(tracing: Tracing, weights: _Weights, read: Ids, positions: int) -> _State:
    """The state of one depth and direction: its gates read the input, and what the step before put out."""
    rows = _rows(tracing, weights.read)
    tracing.ledger.unite(rows, _rows(tracing, weights.fed), "addition", tracing.here)
    cells = outputs = rows[: (weights.projection if weights.projection is not None else weights.fed).shape[1]]
    tracing.unite_rows(rows.reshape(-1, len(cells)), "gates")
    for bias in weights.biases:
        tracing.attach(bias, rows)
    products = [(weights.read, rows, read)]
    if weights.projection is not None:
        tracing.ledger.freeze(cells, f"PyTorch projects to fewer channels than hidden units only, in {tracing.here}")
        outputs = _rows(tracing, weights.projection)
        products.append((weights.projection, outputs, cells))
    for weight, made, inputs in (*products, (weights.fed, rows, outputs)):
        view = tracing.views[weight]
        tracing.ledger.record(view.name, 1, np.arange(len(inputs)), inputs, size=len(inputs), role="consumer")
        if tracing.costs:
            tracing.ledger.contractions.append(Contraction(positions, (made, inputs)))
    return _State(outputs, cells)


def _rows(tracing: Tracing, weight: Tensor) -> Ids:
    return tracing.ledger.produce(tracing.views[weight].name, 0, len(weight), role="producer")


def _begin(tracing: Tracing, initial: Tensor, ids: Ids) -> None:
    """The state before the first step: zeros, a parameter, or what other layers made."""
    own = on_axis(ids, initial.dim() - 1, initial.shape)
    label = tracing.label(initial, own)
    if label is not None:
        tracing.unite(label.expand(own.shape), own, "initial state")
    elif differs_along(initial, -1):
        tracing.ledger.freeze(ids, f"the initial state in {tracing.here} is a tensor of fixed width")
