"""Numbers as sums want them: in double precision."""

import operator
from collections.abc import Iterable
from functools import reduce
from typing import TypeVar

import numpy as np
from torch import Tensor

Summand = TypeVar("Summand", Tensor, np.ndarray)


def added(values: Iterable[Summand]) -> Summand:
    """The sum of one array or more of one shape."""
    return reduce(operator.add, values)


def to_float64(tensor: Tensor) -> Tensor:
    """In float64, on the processor where the device has none."""
    return tensor.cpu().double() if tensor.device.type == "mps" else tensor.double()


def to_numpy(values: Tensor) -> np.ndarray:
    """The values as float64 in numpy, where sums have a fixed order on every device."""
    return values.detach().cpu().double().numpy()
