"""Scores of single weights, by the criteria that have them: the same computations as for channels, before any sum."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from explorer.batches import Samples
from explorer.criteria.connections import connection_sensitivity, gradient_flow
from explorer.criteria.datafree import flow_shares
from explorer.criteria.tools.absolute import TOKENS, reads_tokens
from explorer.criteria.tools.context import Context
from explorer.criteria.tools.gradients import set_gradients
from explorer.criteria.tools.registry import CRITERIA
from explorer.criteria.tools.scoring import opened
from explorer.errors import ExplorerError
from explorer.progress import Report, silent
from explorer.structure import Structure

Weights = Mapping[str, nn.Parameter]


def _magnitude(context: Context, weights: Weights, options: Mapping[str, str]) -> dict[str, Tensor]:
    return {name: weight.abs() for name, weight in weights.items()}


def _snip(context: Context, weights: Weights, options: Mapping[str, str]) -> dict[str, Tensor]:
    return connection_sensitivity(context, weights)


def _grasp(context: Context, weights: Weights, options: Mapping[str, str]) -> dict[str, Tensor]:
    return gradient_flow(context, weights, float(options["temperature"]))


def _synflow(context: Context, weights: Weights, options: Mapping[str, str]) -> dict[str, Tensor]:
    if reads_tokens(context):
        raise ExplorerError(f"criterion synflow can't score this model ({TOKENS}): use --criterion l1")
    shares = flow_shares(context, weights)
    return {name: shares.get(name, torch.zeros_like(weight)) for name, weight in weights.items()}


def _random(context: Context, weights: Weights, options: Mapping[str, str]) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(context.seed)
    return {name: torch.rand(weight.shape, generator=generator) for name, weight in weights.items()}


SINGLE: dict[str, Callable[[Context, Weights, Mapping[str, str]], dict[str, Tensor]]] = {
    "l1": _magnitude,
    "snip": _snip,
    "grasp": _grasp,
    "synflow": _synflow,
    "random": _random,
}


def score_weights(
    criterion: str,
    module: nn.Module,
    structure: Structure,
    data: Samples,
    weights: Weights,
    *,
    options: Mapping[str, str] = MappingProxyType({}),
    device: torch.device,
    samples: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> dict[str, Tensor]:
    """What every single weight of `weights` is worth, higher = keep: tensors of their shapes, on the CPU.

    l1 is ``|θ|``; snip, grasp and synflow are as in their papers, in evaluation mode.

    Args:
        criterion: its name.
        module: that has the weights.
        structure: of the module.
        data: pairs of an input and its label.
        weights: that are scored, by name.
        options: settings of the criterion that differ from their defaults.
        device: on which it computes.
        samples: how many examples are taken from the data, seeded; None: all.
        seed: of all that is drawn.
        report: hears how far it is.

    Raises:
        ExplorerError: the criterion scores channels alone, or can't score this model.
    """
    if criterion not in SINGLE:
        raise ExplorerError(f"criterion {criterion!r} scores channels, not single weights: use {', '.join(SINGLE)}")
    settings = CRITERIA[criterion].read(options)
    with opened(module, structure, data, device, samples=samples, seed=seed, report=report) as context:
        scored = SINGLE[criterion](context, weights, settings)
    return {name: scores.detach().cpu() for name, scores in scored.items()}


def dense_gradients(
    module: nn.Module,
    structure: Structure,
    data: Samples,
    weights: Weights,
    *,
    device: torch.device,
    samples: int | None = None,
    seed: int = 0,
    report: Report = silent,
) -> dict[str, Tensor]:
    """``∂L/∂θ`` of the mean loss over a slice of the data, also of weights that are zero, on the CPU.

    Its arguments are those of `score_weights`.
    """
    with opened(module, structure, data, device, samples=samples, seed=seed, report=report) as context:
        return {name: gradient.cpu() for name, gradient in set_gradients(context, weights).items()}
