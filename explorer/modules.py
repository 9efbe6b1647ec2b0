"""Modules that are borrowed for a while and given back as they were, and hooks that are surely removed."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from typing import Any

import torch
from torch import nn
from torch.utils.hooks import RemovableHandle

Hook = Callable[..., Any]
Hooks = Mapping[str, Hook] | Iterable[tuple[str, Hook]]  # by path; pairs where a module may have several


@contextmanager
def borrowed(
    module: nn.Module,
    *,
    device: torch.device | None = None,
    training: bool | None = None,
    gradients: bool | None = None,
) -> Iterator[nn.Module]:
    """The module on a device and in a mode; afterwards it is back where, and as, it was.

    Put back are the device, the mode of every submodule, and of every parameter whether it requires a gradient; mode
    and gradients also where only what ran inside changed them.

    Args:
        device: where it computes; None: where it is.
        training: training or evaluation mode; None: that which it is in.
        gradients: whether its parameters require gradients; None: as they do.
    """
    home = None if device is None else next((tensor.device for tensor in _tensors(module)), device)
    modes = [(part, part.training) for part in module.modules()]
    required = [(parameter, parameter.requires_grad) for parameter in module.parameters()]
    try:
        if device is not None:
            _move(module, device)
        if training is not None and any(mode != training or heeds_mode(part) for part, mode in modes):
            module.train(training)
        if gradients is not None:
            module.requires_grad_(gradients)
        yield module
    finally:
        if home is not None:
            _move(module, home)
        for part, mode in modes:
            if part.training != mode:
                part.training = mode
        for parameter, flag in required:
            if parameter.requires_grad != flag:
                parameter.requires_grad_(flag)


def _tensors(module: nn.Module) -> Iterator[torch.Tensor]:
    return chain(module.parameters(), module.buffers())


def _move(module: nn.Module, device: torch.device) -> None:
    """Puts a module on a device, where it is not there, as going through all parts takes a while."""
    if any(tensor.device != device for tensor in _tensors(module)):
        module.to(device)


def heeds_mode(part: nn.Module) -> bool:
    """Whether a module does more than to note it when it is put into training or evaluation mode."""
    return "train" in vars(part) or type(part).train is not nn.Module.train


@contextmanager
def watching(module: nn.Module, after: Hooks = (), *, before: Hooks = (), named: bool = False) -> Iterator[None]:
    """Inside it the hooks hear of every call of the submodules at these paths, "" being the module itself.

    What a hook returns takes the place of the output, or of the inputs, unless it is None.

    Args:
        after: hooks of calls that are done, ``hook(module, inputs, output)``.
        before: hooks of calls that begin, ``hook(module, inputs)``.
        named: whether hooks get arguments given by name, too: ``hook(module, inputs, named, output)``.
    """
    parts = dict(module.named_modules(remove_duplicate=False))
    handles: list[RemovableHandle] = []
    try:
        for path, hook in _pairs(before):
            handles.append(_part(parts, module, path).register_forward_pre_hook(hook, with_kwargs=named))
        for path, hook in _pairs(after):
            handles.append(_part(parts, module, path).register_forward_hook(hook, with_kwargs=named))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _part(parts: Mapping[str, nn.Module], module: nn.Module, path: str) -> nn.Module:
    return parts[path] if path in parts else module.get_submodule(path)  # which says what is missing


def _pairs(hooks: Hooks) -> Iterable[tuple[str, Hook]]:
    return hooks.items() if isinstance(hooks, Mapping) else hooks
