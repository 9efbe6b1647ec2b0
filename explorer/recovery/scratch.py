"""Training from scratch: the cut network as nothing but a smaller network of its family."""

from math import sqrt
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.errors import ExplorerError
from explorer.pruning.unstructured import input_axis
from explorer.recovery.finetuning import finetune
from explorer.recovery.registry import History, recovery
from explorer.recovery.work import Work
from explorer.sources import build

EPOCHS = 30  # as long as the bundled networks were trained


@recovery(
    "scratch",
    title="Training from scratch",
    explanation="Forgets the weights and trains a network of the cut widths from its random beginning: a smaller "
    "network of the same family, and what pruning must beat. Takes several times as long as fine-tuning.",
    needs={"training data"},
    cost="1 forward and 1 backward per epoch",
    reference="Liu et al. 2019, Rethinking the Value of Network Pruning (arXiv:1810.05270)",
    rank=45,
)
def training_from_scratch(module: nn.Module, work: Work) -> History:
    if work.architecture is None:
        raise ExplorerError(
            "recovery 'scratch' needs the architecture that the network was cut from: give it, or use finetune"
        )
    initialise(module, work.architecture, work.seed)
    epochs, seed = EPOCHS if work.epochs is None else work.epochs, work.seed
    return finetune(module, work.task, epochs=epochs, seed=seed, device=work.device, name="scratch", report=work.report)


@torch.no_grad()
def initialise(module: nn.Module, architecture: dict[str, Any], seed: int) -> None:
    """Gives every parameter a fresh random value, and batch norms fresh statistics, in place.

    The values are those of a newly built whole network, as many as fit, so that they follow the architecture's own
    initialisation, which layers' `reset_parameters` would lose, and bare parameters (class tokens, positions, layer
    scales) have theirs. A weight that sums over n of the whole layer's N inputs grows by ``√(N/n)``: what a layer
    gives then spreads as in the whole network, where a corner of its weights alone would let signals fade from layer
    to layer. Buffers that are no statistics belong to the architecture and stay.

    Raises:
        ExplorerError: see `explorer.sources.build`.
    """
    fresh = dict(build(architecture, seed=seed).named_parameters(remove_duplicate=False))
    for path, layer in module.named_modules():
        for name, parameter in layer.named_parameters(recurse=False):
            whole = fresh[f"{path}.{name}" if path else name]
            corner = whole[tuple(slice(size) for size in parameter.shape)]
            parameter.copy_(corner * sqrt(_inputs(layer, name, whole) / _inputs(layer, name, parameter)))
        if isinstance(layer, _BatchNorm):
            layer.reset_running_stats()


def _inputs(layer: nn.Module, name: str, parameter: torch.Tensor) -> int:
    """How many channels a weight sums over; 1 for what is added, multiplied or looked up."""
    if parameter.ndim < 2 or not name.endswith("weight") or isinstance(layer, nn.Embedding | nn.EmbeddingBag):
        return 1
    return parameter.shape[input_axis(layer)]
