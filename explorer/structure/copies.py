"""Copies of modules that share tensors, made quickly."""

import copy

from torch import nn

_PLAIN = (int, float, str, bool, tuple, type(None))


def copied(module: nn.Module, memo: dict[int, object]) -> nn.Module:
    """A deep copy in which some objects are replaced by others, as `memo` says by their `id`.

    What `copy.deepcopy` does, but that the innermost layers of torch, which are most of a network, are copied without
    looking into what can't change. Its parts are in the mode of those of the module, which graphs of `torch.fx` forget.
    """
    for layer in module.modules():
        if id(layer) not in memo and not layer._modules and type(layer).__module__.startswith("torch.nn.modules."):
            _copy_leaf(layer, memo)
    made = copy.deepcopy(module, memo)
    if made.training != module.training:
        made.train(module.training)
        parts = dict(made.named_modules())
        for path, part in module.named_modules():
            if path in parts:
                parts[path].training = part.training
    return made


def _copy_leaf(layer: nn.Module, memo: dict[int, object]) -> None:
    """Put a copy of a layer into the memo, if it holds nothing but tensors that are replaced and plain values."""
    held = layer.__dict__
    tensors = [*layer._parameters.values(), *layer._buffers.values()]
    if any(tensor is not None and id(tensor) not in memo for tensor in tensors):
        return
    values = dict(held)
    for name, value in held.items():
        if name in ("_parameters", "_buffers"):
            values[name] = {key: None if tensor is None else memo[id(tensor)] for key, tensor in value.items()}
        elif isinstance(value, dict | set) and not value:
            values[name] = type(value)()
        elif not isinstance(value, _PLAIN):
            return
    alone = object.__new__(type(layer))
    alone.__dict__.update(values)
    memo[id(layer)] = alone
