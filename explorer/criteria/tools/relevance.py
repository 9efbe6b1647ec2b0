"""Layer-wise relevance propagation as a changed derivative, for networks with additions, gates and attention."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from explorer.structure.products import Product, product

EPSILON = 1e-6
TINY = 1e-9  # inputs of a non-linearity below it have no relevance to hand on
_CURVED = frozenset(
    "gelu silu mish hardswish softplus tanh elu celu selu leaky_relu relu6 hardtanh sigmoid hardsigmoid".split()
)
_GATES = frozenset("sigmoid hardsigmoid softmax".split())
_MOVES = frozenset(
    "dropout to float type_as contiguous view reshape transpose permute expand expand_as unsqueeze squeeze flatten "
    "unflatten masked_fill clone".split()
)
_SCALES = frozenset("rsqrt std var".split())
_TIMES = frozenset("mul multiply __mul__ __rmul__ __imul__".split())
_OVER = frozenset("div true_divide __truediv__ __itruediv__".split())


class Relevance(TorchFunctionMode):
    """Inside ``with``, networks compute what they always do, but activation times derivative is relevance.

    A tensor x at which some output f has the derivative g holds the relevance ``R = x·g`` (entry by entry). Then
    additions, pooling, concatenation and views conserve relevance by themselves, each summand getting its share.
    What does not gets a derivative that does:

    - weights: ``epsilon`` shares R in proportion to ``w·x`` of z = Σw·x + b (Bach et al. 2015, equation 58), biases
      getting theirs; ``zplus`` in proportion to the positive ones among them alone (Montavon et al. 2017), a batch
      norm behind a layer being folded into its weights.
    - non-linearities hand on what they get: y = x·(y/x), the fraction a constant.
    - gates and attention are constants, what passes them gets all (Arras et al. 2017; Ali et al. 2022), as are the
      deviations that normalisation divides by. Other products share half and half.

    One object serves one pass.
    """

    def __init__(self, rule: str) -> None:
        super().__init__()
        self._positive = rule == "zplus"
        self._gates: dict[int, Tensor] = {}
        self._made: dict[int, tuple[Tensor, Product]] = {}  # kept alive, so that no `id` is used twice

    def __torch_function__(self, function: Callable, types: Any, args: tuple = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(function, "__name__", "")
        plain = name if name.startswith("__") else name.removesuffix("_")
        call = product(function, args, kwargs)
        if call is not None and _learnt(call.input):
            return self._multiplied(function, call, args, kwargs)
        if name == "batch_norm":
            return self._batch_norm(function, args, kwargs)
        if name in _NORMS:
            return _NORMS[name](*args, **kwargs)
        if name == "scaled_dot_product_attention":
            return function(args[0].detach(), args[1].detach(), *args[2:], **kwargs)
        if plain == "relu":
            return torch.relu(args[0])
        if plain in _CURVED and _learnt(args[0]):
            bent = _bent(args[0], function(args[0].detach().clone(), *args[1:], **kwargs))
            return self._gate(bent) if plain in _GATES else bent
        if plain in _TIMES | _OVER and all(isinstance(arg, Tensor) and _learnt(arg) for arg in args[:2]):
            return self._scaled(torch.mul if plain in _TIMES else torch.div, args[0], args[1], divided=plain in _OVER)
        if name == "__iadd__":
            return args[0] + args[1]
        output = function(*args, **kwargs)
        if plain in _SCALES:
            return output.detach()
        passed = plain in _MOVES and args and id(args[0]) in self._gates
        return self._gate(output) if plain in _GATES or passed else output

    def _gate(self, tensor: Tensor) -> Tensor:
        self._gates[id(tensor)] = tensor
        return tensor

    def _scaled(self, function: Callable, a: Tensor, b: Tensor, divided: bool = False) -> Tensor:
        """A product of two activations."""
        if id(a) in self._gates and not divided:
            return function(a.detach(), b)
        if id(b) in self._gates or divided:
            return function(a, b.detach())
        return (function(a, b.detach()) + function(a.detach(), b)) / 2

    def _multiplied(self, function: Callable, call: Product, args: tuple, kwargs: dict) -> Tensor:
        if _learnt(call.weight):
            return self._scaled(function, *args[:2])
        output = function(*args, **kwargs)
        shared = _by_positive_parts(call, call.weight, output) if self._positive else _stabilised(output)
        self._made[id(shared)] = shared, call
        return shared

    def _batch_norm(self, function: Callable, args: tuple, kwargs: dict) -> Tensor:
        output = function(*args, **kwargs)
        _, call = self._made.get(id(args[0]), (None, None))
        if call is None or not self._positive or call.inputs_first:
            return output
        shape = [1] * call.weight.ndim
        ones = torch.ones_like(args[0][:1].detach())
        slope = function(ones, *args[1:], **kwargs) - function(0 * ones, *args[1:], **kwargs)
        shape[0] = slope.shape[1]
        if len(call.weight) != slope.shape[1]:  # transposed convolutions
            return output
        return _by_positive_parts(call, call.weight * slope.movedim(1, -1).flatten(0, -2)[0].view(shape), output)


def _learnt(tensor: Tensor) -> bool:
    """Whether it is an activation: weights need no derivative here."""
    return tensor.requires_grad


def _share(basis: Tensor, fraction: Tensor, value: Tensor) -> Tensor:
    """`value`, with the derivative of ``basis·fraction``, the fraction a constant."""
    shared = basis * fraction.detach()
    return shared + (value - shared).detach()


def _stabilised(output: Tensor) -> Tensor:
    signed = EPSILON * torch.where(output >= 0, 1.0, -1.0)
    return _share(output, output / (output + signed), output)


def _by_positive_parts(call: Product, weight: Tensor, output: Tensor) -> Tensor:
    """Relevance goes to where w·x is positive, in proportion to it; where it nowhere is, to all of it."""
    total = call.run(call.input.clamp(min=0), weight.clamp(min=0))
    if (call.input < 0).any():
        total = total + call.run(call.input.clamp(max=0), weight.clamp(max=0))
    present = total > 0
    fraction = torch.where(present, output / total.where(present, 1), 1)
    return _share(total.where(present, output), fraction, output)


def _bent(inputs: Tensor, output: Tensor) -> Tensor:
    valid = inputs.abs() > TINY
    return _share(inputs, torch.where(valid, output / inputs.where(valid, 1), 0), output)


def _layer_norm(
    inputs: Tensor, shape: Any, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, **_: Any
) -> Tensor:
    axes = tuple(range(-len(shape), 0))
    centred = inputs - inputs.mean(axes, keepdim=True)
    return _affine(centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt().detach(), weight, bias)


def _rms_norm(inputs: Tensor, shape: Any, weight: Tensor | None = None, eps: float | None = None) -> Tensor:
    axes = tuple(range(-len(shape), 0))
    eps = torch.finfo(inputs.dtype).eps if eps is None else eps
    return _affine(inputs * (inputs.square().mean(axes, keepdim=True) + eps).rsqrt().detach(), weight, None)


def _group_norm(
    inputs: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5, **_: Any
) -> Tensor:
    grouped = inputs.unflatten(1, (groups, -1)).flatten(2)
    flat = _layer_norm(grouped, grouped.shape[2:], eps=eps)
    shape = [-1, *[1] * (inputs.ndim - 2)]
    weight, bias = (None if part is None else part.view(shape) for part in (weight, bias))
    return _affine(flat.view(inputs.shape), weight, bias)


def _affine(tensor: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    tensor = tensor if weight is None else tensor * weight
    return tensor if bias is None else tensor + bias


_NORMS: dict[str, Callable[..., Tensor]] = {"layer_norm": _layer_norm, "rms_norm": _rms_norm, "group_norm": _group_norm}
