"""Masks of ones in a running network, and the loss's derivative with respect to them, sample by sample."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.criteria.tools.context import Context
from explorer.modules import watching
from explorer.structure.products import parameter_names, product
from explorer.structure.types import Group, Member

_ALIASES = {"relu6": "hardtanh"}  # what PyTorch's module calls


class Gate(NamedTuple):
    """A place for a mask: a module's output, or a product with a weight.

    Args:
        module: whose output it is.
        activation: that is masked in its place where the network hands the output straight to it.
        axis: of the channels.
        weight: of the product, by name; its input is masked.
        made: whether what the product gives is masked instead.
    """

    module: str = ""
    activation: str = ""
    axis: int = 1
    weight: str = ""
    made: bool = False


class Slopes(NamedTuple):
    """``Σ a·∂L_n/∂a`` over the positions of a channel, (samples, channels), and how many positions there are."""

    values: Tensor
    positions: int


class Gates(TorchFunctionMode):
    """Inside ``with``, multiplies a mask of ones, (samples, channels), into every place that the network passes.

    Where a place is passed several times in a pass, the same mask is used. Inputs whose first axis is a multiple of
    the samples, such as windows, are taken to be grouped by sample.
    """

    def __init__(self, module: nn.Module, gates: Collection[Gate], samples: int) -> None:
        super().__init__()
        self._module, self._gates, self._samples = module, gates, samples
        self._weights = {
            key: [gate for gate in gates if gate.weight in tied] for key, tied in parameter_names(module).items()
        }
        self._masks: dict[tuple[Gate, bool], Tensor] = {}  # the flag says: after the activation
        self._positions: dict[Gate, int] = {}
        self._waiting: dict[int, tuple[Tensor, Gate]] = {}
        self._hooks = ExitStack()

    def __enter__(self) -> "Gates":
        hooks = [(gate.module, self._at_output(gate)) for gate in self._gates if not gate.weight]
        self._hooks.enter_context(watching(self._module, hooks))
        return super().__enter__()

    def __exit__(self, *error: object) -> None:
        self._hooks.close()
        self._waiting.clear()
        super().__exit__(*error)

    def slopes(self, loss: Tensor) -> dict[Gate, Slopes]:
        """For every gate that was passed; `loss` is the sum of the samples' own losses."""
        if not self._masks:
            return {}
        gradients = torch.autograd.grad(loss, list(self._masks.values()), allow_unused=True)
        slopes: dict[Gate, Slopes] = {}
        for (gate, late), mask, gradient in zip(self._masks, self._masks.values(), gradients, strict=True):
            if late or (gate, True) not in self._masks:
                slopes[gate] = Slopes(torch.zeros_like(mask) if gradient is None else gradient, self._positions[gate])
        return slopes

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        call = product(function, args, kwargs)
        met = [] if call is None else [(gate, call) for gate in self._weights.get(id(call.weight), ())]
        for gate, one in met:
            if not gate.made:
                masked = self._masked(gate, one.input, one.axis, late=False)
                args = tuple(masked if arg is one.input else arg for arg in args)
                kwargs = {key: masked if arg is one.input else arg for key, arg in kwargs.items()}
        output = function(*args, **kwargs)
        for gate, one in met:
            if gate.made:
                output = self._masked(gate, output, one.axis, late=False)
        seen, late = self._waiting.get(id(args[0]), (None, None)) if args else (None, None)
        called = getattr(function, "__name__", "").removesuffix("_")
        if late is not None and seen is args[0] and called in (late.activation, _ALIASES.get(late.activation)):
            return self._masked(late, output, late.axis, late=True)
        return output

    def _at_output(self, gate: Gate) -> Callable:
        def hook(_: nn.Module, __: Any, output: Any) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            masked = self._masked(gate, first, gate.axis, late=False)
            if gate.activation:
                self._waiting[id(masked)] = masked, gate
            return (masked, *output[1:]) if isinstance(output, tuple) else masked

        return hook

    def _masked(self, gate: Gate, tensor: Tensor, axis: int, *, late: bool) -> Tensor:
        """The tensor times the gate's mask; as it is where its first axis doesn't hold the samples."""
        copies, rest = divmod(len(tensor), self._samples)
        if rest:
            return tensor
        channels = tensor.shape[axis]
        key = gate, late
        if key not in self._masks:
            self._masks[key] = torch.ones(self._samples, channels, dtype=tensor.dtype, device=tensor.device)
            self._masks[key].requires_grad_()
        self._positions[gate] = tensor.numel() // (self._samples * channels)
        shape = [1] * tensor.ndim
        shape[0], shape[axis] = len(tensor), channels
        return tensor * self._masks[key].repeat_interleave(copies, 0).view(shape)


def sample_slopes(context: Context, gates: Collection[Gate]) -> Iterator[dict[Gate, Slopes]]:
    """For every mini-batch the slopes of all gates that it passes, L_n the loss of sample n alone."""
    for inputs, labels in context.batches() if gates else ():

        def work(size: int, inputs: Tensor = inputs, labels: Any = labels) -> dict[Gate, Slopes]:
            chunks = [_slopes(context, gates, *chunk) for chunk in context.sample_chunks(size, inputs, labels)]
            seen = [gate for gate in gates if all(gate in chunk for chunk in chunks)]
            return {
                gate: Slopes(torch.cat([chunk[gate].values for chunk in chunks]), chunks[0][gate].positions)
                for gate in seen
            }

        yield context.batch.retry(work)


def _slopes(context: Context, gates: Collection[Gate], inputs: Tensor, labels: Any) -> dict[Gate, Slopes]:
    with torch.enable_grad(), Gates(context.module, gates, len(inputs)) as masks:
        loss = context.loss(inputs, labels) * len(inputs)
        return masks.slopes(loss)


def reader_gates(group: Group) -> list[tuple[Gate, Member]]:
    """Where the group's channels meet the weights that read them; if they meet each other first, where they are made.

    At either place masks scale what the unit does, so that their derivatives can be added.
    """
    if group.contracted:
        return [(Gate(weight=m.tensor, made=True), m) for m in group.of_role("producer")]
    return [(Gate(weight=m.tensor), m) for m in group.of_role("consumer")]


def maker_gates(group: Group) -> list[tuple[Gate, Member]]:
    """Where the group's activations are made; of heads, which only appear joined, where they are read."""
    if group.kind in ("heads", "head-dims"):
        return reader_gates(group)
    producers = {member.tensor: member for member in group.of_role("producer")}
    return [(Gate(tap.module, tap.activation, tap.axis), producers[tap.producer]) for tap in group.taps]


def on_axis(values: Tensor, member: Member) -> Tensor:
    """Values of channels, (…, channels), on the member's axis: of the groups of a convolution, their sum."""
    return values.unflatten(-1, (-1, len(member.units))).sum(-2)
