"""Counts what a model costs by watching one forward pass: the check on the closed-form cost."""

from math import prod
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.structure.running import Inputs, as_tuple, undisturbed
from explorer.structure.types import Cost


def count(module: nn.Module, example: Inputs) -> Cost:
    """Parameters, and the multiply-accumulates of one forward pass per input of the batch.

    Counted are the products of convolutions, matrix multiplications and both products of attention; not
    counted are additions of biases, normalisation, activations and pooling, as in the field's tables.

    Args:
        example: a batch for the module, of any size; a tuple for several inputs.
    """
    counter = _Counter()
    inputs = as_tuple(example)
    with undisturbed(module), counter:
        module(*inputs)
    return Cost(sum(p.numel() for p in module.parameters()), counter.macs // inputs[0].shape[0])


class _Counter(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__
        if name in _MACS:
            self.macs += _MACS[name](out, *args)
        elif name.startswith("_scaled_dot_product") and name.endswith(("attention", "attention_for_cpu")):
            self.macs += _attention(out, *args)
        return out


def _convolution(out: Tensor, x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> int:
    transposed = rest[3]
    grid = x if transposed else out  # where the kernel is applied
    return grid.shape[0] * prod(grid.shape[2:]) * weight.numel()


def _attention(out: Any, q: Tensor, k: Tensor, v: Tensor, *rest: Any) -> int:
    batch, rows, columns = prod(q.shape[:-2]), q.shape[-2], k.shape[-2]
    return batch * rows * columns * (q.shape[-1] + v.shape[-1])


_MACS = {
    "convolution": _convolution,
    "mm": lambda out, a, b, *rest: a.shape[0] * a.shape[1] * b.shape[1],
    "addmm": lambda out, bias, a, b, *rest: a.shape[0] * a.shape[1] * b.shape[1],
    "bmm": lambda out, a, b, *rest: prod(a.shape) * b.shape[2],
    "baddbmm": lambda out, bias, a, b, *rest: prod(a.shape) * b.shape[2],
    "linear": lambda out, x, weight, *rest: x.numel() * weight.shape[0],
}
