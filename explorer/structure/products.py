"""Products of activations with weights, recognised while a network runs, wherever its code computes them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

_CONVOLUTIONS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), ("stride", "padding", "dilation", "groups")),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
        ("stride", "padding", "output_padding", "groups", "dilation"),
    ),
}


@dataclass(frozen=True)
class Product:
    """One call, of a convolution or of matrices.

    Args:
        input: the activation.
        weight: the other factor, which may be an activation, too.
        run: ``run(input, weight)`` repeats the call without its bias; of a convolution it takes another number of
            groups, too.
        axis: where channels lie in its input and output.
        groups: of a convolution, into how many its channels fall.
        inputs_first: of matrices, whether the weight is (inputs, outputs).
        bias: what is added to the output's channels by the same call, if anything is.
        options: of a convolution, as the call has them: stride, padding, dilation.
        transposed: of a convolution, whether it is one.
    """

    input: Tensor
    weight: Tensor
    run: Callable[..., Tensor]
    axis: int = -1
    groups: int = 1
    inputs_first: bool = False
    bias: Tensor | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    transposed: bool = False

    @property
    def depthwise(self) -> bool:
        """Whether every channel has a filter of its own."""
        return 1 < self.groups == self.input.shape[self.axis]

    @property
    def convolution(self) -> bool:
        """Whether it is a convolution, not a product of matrices."""
        return self.axis == 1


def product(function: Callable, args: tuple, kwargs: Mapping[str, Any]) -> Product | None:
    """The product that a call in `torch.nn.functional` or `torch` is, None for any other call."""
    name = getattr(function, "__name__", "")
    if name in _CONVOLUTIONS:
        given = dict(zip(("input", "weight", "bias", *_CONVOLUTIONS[name]), args, strict=False)) | dict(kwargs)
        bias = given.pop("bias", None)
        inputs, weight, groups = given.pop("input"), given.pop("weight"), given.pop("groups", 1)
        run = partial(_convolve, function, given, groups)
        return Product(inputs, weight, run, 1, groups, bias=bias, options=given, transposed="transpose" in name)
    if name == "linear":
        given = dict(zip(("input", "weight", "bias"), args, strict=False)) | dict(kwargs)
        return Product(given["input"], given["weight"], function, bias=given.get("bias"))
    if name == "addmm":  # of GPT-2: bias, inputs, weight (in, out)
        return Product(args[1], args[2], torch.matmul, inputs_first=True, bias=args[0])
    if name in ("matmul", "__matmul__", "mm"):
        return Product(args[0], args[1], torch.matmul, inputs_first=True)
    return None


def _convolve(
    function: Callable, options: Mapping[str, Any], own: int, inputs: Tensor, weight: Tensor, groups: int | None = None
) -> Tensor:
    return function(inputs, weight, None, groups=own if groups is None else groups, **options)


def names_by_identity(tensors: Iterable[tuple[str, Tensor]]) -> dict[int, list[str]]:
    """The names of every tensor, by the `id` under which calls show it; tied ones have several."""
    names: dict[int, list[str]] = {}
    for name, tensor in tensors:
        names.setdefault(id(tensor), []).append(name)
    return names


def parameter_names(module: nn.Module) -> dict[int, list[str]]:
    """See `names_by_identity`."""
    return names_by_identity(module.named_parameters(remove_duplicate=False))


def shared_names(module: nn.Module) -> set[str]:
    """All names of the parameters that have several."""
    return {name for names in parameter_names(module).values() if len(names) > 1 for name in names}
