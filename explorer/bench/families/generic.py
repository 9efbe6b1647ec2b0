"""Makes the weights of an untrained network generic, so that nothing that a cut forgets is hidden by zeros."""

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd

SMALL = 0.5  # of the spread that keeps the size of activations: weights below are drawn anew
FAINT, TABLE = 0.1, 0.5  # spread of embeddings and positions below which they are drawn anew, and with which
ZERO = 1e-8


def stir(module: nn.Module) -> nn.Module:
    """Random normalisation and biases, in place."""
    for name, parameter in module.named_parameters():
        if parameter.dim() == 1:
            nn.init.normal_(parameter, mean=1.0 if name.endswith("weight") else 0.0, std=0.3)
    for name, buffer in module.named_buffers():
        if name.endswith("running_mean"):
            nn.init.normal_(buffer, std=0.3)
        elif name.endswith("running_var"):
            nn.init.uniform_(buffer, 0.5, 1.5)
    return module


@torch.no_grad()
def wake(module: nn.Module) -> nn.Module:
    """Weights that start at zero or nearly so, as transformers' do, become as large as trained ones; in place.

    Small weights make all attention even and all residual branches faint: a wrong cut would hardly show. Kernels are
    left alone unless they are zero, since norms follow them.
    """
    layers = list(module.modules())
    tables = {id(layer.weight) for layer in layers if isinstance(layer, nn.Embedding)}
    kernels = {id(layer.weight) for layer in layers if isinstance(layer, _ConvNd)}
    for parameter in module.parameters():
        if parameter.dim() < 2 or parameter.numel() < 2 or not parameter.is_floating_point():
            continue
        usual = parameter[0].numel() ** -0.5
        least, wanted = SMALL * usual, usual
        if id(parameter) in kernels:
            least = ZERO
        elif id(parameter) in tables or 1 in parameter.shape[:2]:  # also positions and class tokens
            least, wanted = FAINT, TABLE
        if float(parameter.std()) < least:
            parameter.normal_(std=wanted)
    return module


@torch.no_grad()
def settle(module: nn.Module, images: Tensor) -> nn.Module:
    """Batch norms with the statistics of `images`, in place; deep networks would else forget what they see."""
    norms = [layer for layer in module.modules() if isinstance(layer, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 1.0
    module.train()(images)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return module
