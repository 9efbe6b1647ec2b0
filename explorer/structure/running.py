"""Runs a model for observation without leaving a trace on it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.modules import borrowed, heeds_mode

Inputs = Tensor | tuple[Tensor, ...]  # what a model is called with


@contextmanager
def undisturbed(module: nn.Module, *, training: bool = False) -> Iterator[None]:
    """No gradients, evaluation (or training) mode, no fused paths that hide operators; all put back afterwards.

    Put back are the mode of every submodule, the buffers that training mode updates, and the random state.
    """
    buffers = [(buffer, buffer.clone()) for buffer in module.buffers()] if training else []
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with borrowed(module, training=training), torch.no_grad(), torch.random.fork_rng():
            yield
    finally:
        with torch.no_grad():
            for buffer, value in buffers:
                buffer.copy_(value)
        torch.backends.mha.set_fastpath_enabled(fused)


def forget(module: nn.Module) -> None:
    """Let modules drop what they keep from earlier calls in evaluation mode, as they do when training starts."""
    modes = [(part, part.training) for part in module.modules()]
    if not any(heeds_mode(part) for part, _ in modes):
        return
    module.train()
    module.train(modes[0][1])  # which swaps graphs of `torch.fx` back
    for part, mode in modes:
        part.training = mode


def as_tuple(inputs: Inputs) -> tuple[Tensor, ...]:
    """The arguments of a model's call."""
    return (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)


def tensors_in(out: Any) -> list[Tensor]:
    """All tensors in what a model returns, also in mappings and data classes that are nested in it."""
    tensors: list[Tensor] = []
    for leaf in tree_leaves(out):
        if isinstance(leaf, Tensor):
            tensors.append(leaf)
        elif isinstance(leaf, Mapping):
            tensors += tensors_in(list(leaf.values()))
        elif is_dataclass(leaf) and not isinstance(leaf, type):
            tensors += tensors_in([getattr(leaf, field.name) for field in fields(leaf)])
    return tensors
