"""The layers that read channels, seen while a network runs: what each takes, and with which weights it meets it.

Seen are the products themselves, not modules: so it does not matter by which code a layer computes them.
"""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.structure.products import names_by_identity, product

_SEQUENCES = ("lstm", "gru", "rnn_tanh", "rnn_relu")
_CELLS = tuple(f"{name}_cell" for name in _SEQUENCES)


class Place(NamedTuple):
    """Whose weights meet an activation: a parameter's name, and the first of its rows where it is some of them."""

    tensor: str
    row: int = 0


@dataclass(frozen=True)
class Geometry:
    """How a layer goes over its input.

    Args:
        groups: into how many its channels fall; of matrices one.
        window: of a convolution, for every axis of the maps: kernel, stride, padding, dilation.
        transposed: of a convolution, whether it is one.
        inputs_first: of matrices, whether the weight is (inputs, outputs).
    """

    groups: int = 1
    window: tuple[tuple[int, int, int, int], ...] = ()
    transposed: bool = False
    inputs_first: bool = False

    @property
    def axis(self) -> int:
        """Of the weight, on which the inputs lie."""
        return 0 if self.transposed or self.inputs_first else 1


@dataclass(frozen=True)
class Read:
    """A layer's weights meet an activation.

    Args:
        place: of the weights.
        input: the activation.
        weight: a parameter, or some of its rows.
        bias: of the same rows; None: the call adds none.
        geometry: how the layer goes over the input.
    """

    place: Place
    input: Tensor
    weight: Tensor
    bias: Tensor | None
    geometry: Geometry = Geometry()


class Reads(TorchFunctionMode):
    """Within it every product of an activation with a wanted parameter is told before it is computed.

    Args:
        module: whose parameters they are.
        wanted: their names.
        take: is told; it may write to the weights.
    """

    def __init__(self, module: nn.Module, wanted: Collection[str], take: Callable[[Read], None]) -> None:
        super().__init__()
        named = [(name, module.get_parameter(name)) for name in wanted]
        self._names = {key: names[0] for key, names in names_by_identity(named).items()}
        self._take = take

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        for read in self._reads(function, args, kwargs or {}):
            self._take(read)
        return function(*args, **(kwargs or {}))

    def _reads(self, function: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Iterator[Read]:
        name = getattr(function, "__name__", "")
        if name in _SEQUENCES or name in _CELLS:
            for inputs, weight, bias in recurrent(name, args):
                if (place := self._place(weight)) is not None:
                    yield Read(place, inputs, weight, bias)
            return
        call = product(function, args, kwargs)
        if call is None or (place := self._place(call.weight)) is None:
            return
        window = _window(call.options, call.input, call.weight) if call.convolution else ()
        geometry = Geometry(call.groups, window, call.transposed, call.inputs_first)
        yield Read(place, call.input, call.weight, call.bias, geometry)

    def _place(self, weight: Any) -> Place | None:
        if (name := self._names.get(id(weight))) is not None:
            return Place(name)
        base = getattr(weight, "_base", None)  # of the rows of a fused projection
        if base is None or (name := self._names.get(id(base))) is None:
            return None
        if weight.dim() != base.dim() or weight.stride() != base.stride() or weight.shape[1:] != base.shape[1:]:
            return None
        return Place(name, weight.storage_offset() // base.stride(0) - base.storage_offset() // base.stride(0))


def recurrent(name: str, args: tuple) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """(activation, weight, bias) of a recurrent call in which an activation is given that weights meet.

    What flows between its steps and between stacked layers, is seen by nobody: of a stack the first layer is told, in
    each direction.
    """
    if name in _CELLS:
        inputs, hidden, over_inputs, over_hidden, *biases = args
        state = hidden[0] if isinstance(hidden, tuple) else hidden
        for place, (read, weight) in enumerate(((inputs, over_inputs), (state, over_hidden))):
            yield read, weight, biases[place] if len(biases) > place else None
        return
    place = next(place for place, each in enumerate(args) if isinstance(each, list))
    weights, biased, layers, _, _, both_ways, *_ = args[place:]  # between them dropout, and whether it trains
    directions = 2 if both_ways else 1
    step = len(weights) // (layers * directions)  # 2 matrices, with a projection 3, and 2 biases
    for first in range(0, directions * step, step):
        yield args[0], weights[first], weights[first + 2] if biased else None


def _window(options: Mapping[str, Any], inputs: Tensor, weight: Tensor) -> tuple[tuple[int, int, int, int], ...]:
    kernels = weight.shape[2:]
    stride, padding, dilation = (options.get(name, usual) for name, usual in _USUAL.items())
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(_each(dilation, len(kernels)), kernels, strict=True)]
        padding = tuple(each // 2 for each in reach) if padding == "same" else 0
    sizes = (_each(option, len(kernels)) for option in (stride, padding, dilation))
    return tuple(zip(kernels, *sizes, strict=True))


_USUAL = {"stride": 1, "padding": 0, "dilation": 1}


def _each(option: Any, count: int) -> tuple[int, ...]:
    values = tuple(option) if isinstance(option, tuple | list | torch.Size) else (option,)
    return values * count if len(values) == 1 else values


def reading_counts(geometry: Geometry, sizes: torch.Size) -> tuple[list[np.ndarray], int]:
    """How often a convolution reads each row, column, …, and all places together, padding included.

    Args:
        sizes: of its maps, without padding.
    """
    counts, total = [], 1
    for size, (kernel, stride, padding, dilation) in zip(sizes, geometry.window, strict=True):
        steps = dilation * np.arange(kernel)
        if geometry.transposed:
            reached = stride * np.arange(size)[:, None] - padding + steps
            outputs = stride * (size - 1) - 2 * padding + dilation * (kernel - 1) + 1
            own = ((reached >= 0) & (reached < outputs)).sum(1)
            total *= int(own.sum())
        else:
            padded = size + 2 * padding
            places = np.arange(0, padded - dilation * (kernel - 1), stride)[:, None] + steps
            counted = np.bincount(places.ravel(), minlength=padded)
            own = counted[padding : padding + size]
            total *= int(counted.sum())
        counts.append(own)
    return counts, total


class Reached(BaseException):
    """Ends a forward pass at the last product that is of interest; no `except Exception` of the network keeps it."""


class Walk:
    """A network's forward pass in a thread of its own, which halts at every product that is of interest.

    Two networks can so be led through a pass together, with nothing kept of it but what is alive.
    """

    def __init__(self, module: nn.Module, inputs: Tensor, wanted: Collection[str]) -> None:
        self._module, self._inputs, self._wanted = module, inputs, wanted
        self._go, self._halted = threading.Semaphore(0), threading.Semaphore(0)
        self._read: Read | None = None
        self._error: BaseException | None = None
        self._ended = self._over = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Walk":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._go.release()
        self._thread.join()

    def next(self) -> Read | None:
        """The next product, before it is computed; None at the end of the pass.

        Raises:
            BaseException: what the network raised.
        """
        if self._over:
            return None
        self._go.release()
        self._halted.acquire()
        if self._error is not None:
            raise self._error
        return self._read

    def _run(self) -> None:
        self._go.acquire()
        try:
            with torch.no_grad(), Reads(self._module, self._wanted, self._halt):
                if not self._ended:
                    self._module(self._inputs)
        except Reached:
            pass
        except BaseException as error:
            self._error = error
        self._read, self._over = None, True
        self._halted.release()

    def _halt(self, read: Read) -> None:
        if self._ended:  # and the network has gone on all the same: nobody waits for it any more
            raise Reached
        self._read = read
        self._halted.release()
        self._go.acquire()
        if self._ended:
            raise Reached
