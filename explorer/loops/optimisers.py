"""What an optimiser remembers of parameters that were narrowed: momentum, moments, and so on."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import NarrowedTensor, entries_that_stay

FACTORED = ("torch.optim.Adafactor", "transformers.optimization.Adafactor")
"""Keep second moments of matrices as means over one axis, whatever their widths; others ask these whether to do so."""
FACTORS = {"row_var": -1, "exp_avg_sq_row": -1, "col_var": -2, "exp_avg_sq_col": -2}
"""Such a moment, and the axis of the parameter over which it is a mean."""


class UnreadableError(Exception):
    """Raised for what an optimiser remembers in a form of its own, such as blocks of quantised values."""


def torch_optimiser(optimiser: Any, module: nn.Module) -> torch.optim.Optimizer:
    """The optimiser itself, out of a wrapper as accelerate has it.

    Raises:
        ExplorerError: it is none of torch's kind, or trains other parameters than the module's.
    """
    while not hasattr(optimiser, "_optimizer_step_pre_hooks") and hasattr(optimiser, "optimizer"):
        optimiser = optimiser.optimizer
    if not isinstance(optimiser, torch.optim.Optimizer):
        raise ExplorerError(
            f"{type(optimiser).__name__} is no torch.optim.Optimizer: give the one whose step() your loop calls"
        )
    if isinstance(optimiser, torch.optim.LBFGS):
        raise ExplorerError("LBFGS remembers all parameters in one vector, which can't follow a cut: use another one")
    own = {id(parameter) for parameter in module.parameters()}
    if not any(id(parameter) in own for parameter in held_by(optimiser)):
        raise ExplorerError(
            f"{type(optimiser).__name__} trains none of the network's parameters, but perhaps copies of them: give the "
            "problem the network that the optimiser was made for, and one that keeps no copies"
        )
    return optimiser


def held_by(optimiser: torch.optim.Optimizer) -> Iterable[nn.Parameter]:
    """All parameters that it trains."""
    return (parameter for group in optimiser.param_groups for parameter in group["params"])


def follow(optimiser: torch.optim.Optimizer, narrowed: Sequence[NarrowedTensor]) -> list[str]:
    """Lets what the optimiser remembers of narrowed parameters lose the same entries.

    Momentum and moments keep the rows of what stays, to the bit, and counts of steps go on. Of moments in factors, as
    those of torch's and transformers' Adafactor, the entries of rows and columns that stay are kept, which were means
    over those, too, that have left.

    Returns:
        names of parameters of which something is remembered that can't be read entry by entry: with these the
        optimiser begins anew.
    """
    forgotten = []
    factored = f"{type(optimiser).__module__}.{type(optimiser).__qualname__}" in FACTORED
    for each in narrowed:
        state = optimiser.state.get(each.tensor)
        if not state:
            continue
        try:
            optimiser.state[each.tensor] = {key: _left(key, value, each, factored) for key, value in state.items()}
        except UnreadableError:
            del optimiser.state[each.tensor]
            forgotten.append(each.names[0])
    return forgotten


def _left(key: str, value: Any, each: NarrowedTensor, factored: bool) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if type(value) not in (Tensor, nn.Parameter):
        raise UnreadableError
    if value.numel() == 1:  # how many steps, a rate
        return value
    if value.shape == each.shape and (value.is_floating_point() or value.is_complex()):
        return entries_that_stay(value, each.kept)
    if not factored or key not in FACTORS:
        raise UnreadableError
    mean = len(each.shape) + FACTORS[key]  # an axis of length 1, or none
    gone = 0 if value.dim() == len(each.shape) else 1
    own = {axis - gone * (axis > mean): places for axis, places in each.kept.items() if axis != mean}
    return entries_that_stay(value, own)
