"""Runs a model for observation without leaving a trace on it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def undisturbed(module: nn.Module, *, training: bool = False) -> Iterator[None]:
    """No gradients, evaluation (or training) mode, no fused paths that hide operators; all put back afterwards.

    Put back are the mode of every submodule, the buffers that training mode updates, and the random state.
    """
    modes = [(layer, layer.training) for layer in module.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()] if training else []
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.train(training)
    try:
        with torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        torch.backends.mha.set_fastpath_enabled(fused)
        for layer, mode in modes:
            layer.training = mode
