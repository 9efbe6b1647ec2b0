"""Averages of the weights over the course of training, which a cut narrows along with the network."""

from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import Narrowed, Plan, entries_that_stay, narrow
from explorer.structure import Structure

WRAPPERS = ("module", "ema", "ema_model")
"""Under what the copy is kept by torch's `AveragedModel`, timm's `ModelEmaV2`, `ModelEmaV3`, `ModelEma`, and others."""

Average = nn.Module | MutableMapping[str, Tensor]
"""A copy of the network, or tensors by the names of its parameters and buffers."""


def averages_in(given: Any, module: nn.Module) -> list[Average]:
    """The averages that a person's objects hold; None: none.

    Args:
        given: a copy of the network, an object that holds one, a dictionary of tensors by the parameters' names, or
            several of these in a list.
        module: the network.

    Raises:
        ExplorerError: one of them holds no average of this network.
    """
    if given is None:
        return []
    return [_average(each, module) for each in (given if isinstance(given, list | tuple) else [given])]


def check_averages(averages: Sequence[Average], module: nn.Module) -> None:
    """Sees to it that averages have the shapes of the network as it is.

    Raises:
        ExplorerError: one has not.
    """
    for average in averages:
        if not _fits(average, module):
            raise ExplorerError(
                "the average of the weights has other shapes than the network, which was cut without it: make the "
                "average before the schedule's first step, and give it as ema="
            )


def follow_average(average: Average, structure: Structure, plan: Plan, narrowed: Narrowed) -> None:
    """Does the cut that the network had in its average.

    Args:
        structure: of the network before the cut.
        narrowed: what the cut did to the network.
    """
    if isinstance(average, nn.Module):
        narrow(average, structure, plan)
        return
    for each in narrowed.tensors:
        for name in set(each.names) & set(average):
            average[name] = entries_that_stay(average[name], each.kept)


def _average(given: Any, module: nn.Module) -> Average:
    for candidate in (given, *(getattr(given, name, None) for name in WRAPPERS)):
        if isinstance(candidate, nn.Module | MutableMapping) and _fits(candidate, module):
            return candidate
    raise ExplorerError(
        f"ema= was given {type(given).__name__}, which holds no average of this network: give a copy of the network, "
        "what holds one (timm's ModelEmaV3, torch's AveragedModel), or a dictionary of tensors by parameter"
    )


def _fits(average: Average, module: nn.Module) -> bool:
    own, buffers = _shapes(module.named_parameters()), _shapes(module.named_buffers())
    if isinstance(average, nn.Module):
        return average is not module and _shapes(average.named_parameters()) == own
    found = _shapes((name, tensor) for name, tensor in average.items() if isinstance(tensor, Tensor))
    known = {name: shape for name, shape in found.items() if name in own or name in buffers}
    return bool(known.keys() & own.keys()) and known.items() <= (buffers | own).items()


def _shapes(tensors: Iterable[tuple[str, Tensor]]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors}
