"""A network without signs: absolute weights, no biases, no statistics, and non-linearities that let everything pass."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.numbers import added
from explorer.structure.products import Product, product

TOKENS = "the network reads numbered tokens, which have no input of ones"
_LIPSCHITZ = frozenset(
    "relu relu6 hardtanh leaky_relu prelu rrelu elu celu selu gelu silu mish hardswish softplus tanh softsign".split()
)
_GATES = frozenset(("sigmoid", "hardsigmoid"))
_NORMS = frozenset(("layer_norm", "group_norm", "instance_norm", "rms_norm"))
_TIMES = frozenset(("mul", "multiply", "__mul__", "__rmul__", "__imul__"))


class Absolute(TorchFunctionMode):
    """Inside ``with``, what a network computes becomes non-negative and linear in each of its weights.

    Batch norm multiplies by |γ|/σ, other norms by |γ|, non-linearities pass what they get, gates that are multiplied
    into activations count as one, and attention's weights are constants.
    """

    def __init__(self, names: dict[int, list[str]]) -> None:
        super().__init__()
        self._names = names
        self._gates: dict[int, Tensor] = {}

    def multiplied(self, call: Product, names: list[str]) -> Tensor:
        """What a product with the parameter `names` gives."""
        return call.run(call.input, call.weight)

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        plain = name.removesuffix("_") if not name.startswith("__") else name
        if (call := product(function, args, kwargs)) is not None and id(call.weight) in self._names:
            return self.multiplied(call, self._names[id(call.weight)])
        if (
            name == "batch_norm" and len(args) > 2 and args[2] is not None
        ):  # one without statistics standardises weights
            return _batch_norm(*args, **kwargs)
        if name in _NORMS:
            return _norm(function, args, kwargs)
        if plain in _LIPSCHITZ:
            return args[0]
        if plain in _GATES:
            passed = args[0].view_as(args[0])
            self._gates[id(passed)] = passed
            return passed
        if plain in _TIMES and any(id(arg) in self._gates for arg in args):
            return next((arg for arg in args if id(arg) not in self._gates), args[0])
        if plain == "softmax":
            return function(args[0].detach(), *args[1:], **kwargs)
        if name == "scaled_dot_product_attention":
            return function(args[0].detach(), args[1].detach(), *args[2:], **kwargs)
        return function(*args, **kwargs)


def _batch_norm(
    inputs: Tensor, mean: Tensor, variance: Tensor, weight: Tensor | None = None, *others: Any, **named: Any
) -> Tensor:
    epsilon = others[3] if len(others) > 3 else named.get("eps", 1e-5)
    scale = (variance + epsilon).rsqrt()
    weight = named.get("weight", weight)
    return inputs * _along(scale if weight is None else scale * weight.abs(), inputs, 1)


def _norm(function: Callable, args: tuple, kwargs: dict) -> Tensor:
    name = function.__name__
    inputs = args[0]
    weight = kwargs.get("weight", args[2] if len(args) > 2 else None)
    if name == "instance_norm":
        weight = kwargs.get("weight", args[3] if len(args) > 3 else None)
    if weight is None:
        return inputs
    return inputs * (weight.abs() if name in ("layer_norm", "rms_norm") else _along(weight.abs(), inputs, 1))


def _along(values: Tensor, like: Tensor, axis: int) -> Tensor:
    shape = [1] * like.ndim
    shape[axis] = -1
    return values.view(shape)


def absolute_weights(module: nn.Module) -> dict[str, Tensor]:
    """All parameters without their signs and all other floating-point numbers as they are, in float64."""
    parameters = {name: p.detach().double().abs() for name, p in module.named_parameters()}
    buffers = {name: b.double() if b.is_floating_point() else b for name, b in module.named_buffers()}
    return parameters | buffers


def ones(context: Context, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """One example of ones for every input of the network, (1, …) on the device."""
    shapes = context.structure.input_shape
    shapes = shapes if isinstance(shapes[0], tuple) else (shapes,)
    return tuple(torch.ones(1, *shape, dtype=dtype, device=context.device) for shape in shapes)


def run_on_ones(context: Context, tensors: dict[str, Tensor], mode: Absolute, scale: float = 1.0) -> Tensor:
    """The sum of what the module gives under `mode` for one input that is `scale` everywhere."""
    inputs = tuple(tensor * scale for tensor in ones(context, torch.float64))
    with torch.enable_grad(), mode:
        return total(functional_call(context.module, tensors, inputs))


def total(outputs: Tensor | tuple | list | dict) -> Tensor:
    """The sum of all numbers that a network gives."""
    if isinstance(outputs, Tensor):
        return outputs.sum()
    parts = outputs.values() if isinstance(outputs, dict) else outputs
    return added(total(part) for part in parts if part is not None)


def reads_tokens(context: Context) -> bool:
    """Whether the network's input is numbers of tokens."""
    embeds = any(isinstance(part, nn.Embedding) for part in context.module.modules())
    return embeds and len(context.structure.input_shape) == 1
