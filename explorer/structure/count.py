"""Counts what a model costs by watching one forward pass: the check on the closed-form cost."""

from typing import Any

from torch import nn

from explorer.structure.operators import operator_of
from explorer.structure.running import Inputs, as_tuple, undisturbed
from explorer.structure.types import Cost
from explorer.structure.watching import OperatorMode


def count(module: nn.Module, example: Inputs) -> Cost:
    """Parameters, and the multiply-accumulates of one forward pass per input of the batch.

    Counted are the products of convolutions, matrix multiplications and both products of attention; not
    counted are additions of biases, normalisation, activations and pooling, as in the field's tables.

    Args:
        example: a batch for the module, of any size; a tuple for several inputs.
    """
    counter = _Counter(module)
    inputs = as_tuple(example)
    with undisturbed(module), counter:
        module(*inputs)
    return Cost(sum(p.numel() for p in module.parameters()), counter.macs // inputs[0].shape[0])


class _Counter(OperatorMode):
    def __init__(self, module: nn.Module) -> None:
        super().__init__(module)
        self.macs = 0

    def hear(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        if (multiplied := operator_of(func).multiplied) is not None:
            self.macs += multiplied(out, *args).macs
