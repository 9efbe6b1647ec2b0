"""What zeros in the weights of a dense network save in theory, and where hardware skips them, in time."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.evaluation.timing import latency
from explorer.structure import count
from explorer.structure.operators import operator_of
from explorer.structure.running import undisturbed

_AMPERE = (8, 0)  # the first CUDA capability with 2:4 sparse matrix units
_TILE = 64  # rows and columns that the sparse kernels of half precision want multiples of


def nonzero(module: nn.Module, weights: Mapping[str, nn.Parameter], example: Tensor) -> dict[str, int]:
    """`nonzero_params`, and `nonzero_macs` of one input: multiply-accumulates with a weight that isn't zero.

    Only zeros of `weights` count, not those of activations. No dense kernel saves anything by them.
    """
    whole, zeros = count(module, example), sum(int((weight == 0).sum()) for weight in weights.values())
    watch = _Skipped(weights)
    with undisturbed(module), watch:
        module(example)
    return {"nonzero_params": whole.params - zeros, "nonzero_macs": whole.macs - watch.macs // len(example)}


class _Skipped(TorchDispatchMode):
    """Counts the products with a weight of zero in everything that is computed with these weights or views of them."""

    def __init__(self, weights: Mapping[str, nn.Parameter]) -> None:
        super().__init__()
        self._storages = {weight.untyped_storage().data_ptr() for weight in weights.values()}
        self.macs = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if (multiplied := operator_of(func).multiplied) is not None:
            macs, weight = multiplied(out, *args)
            if weight is not None and weight.untyped_storage().data_ptr() in self._storages:
                self.macs += macs // weight.numel() * int((weight == 0).sum())
        return out


def semi_structured(module: nn.Module, example: Tensor, device: torch.device) -> dict[str, Any]:
    """Latency with 2:4 sparse linear layers in half precision, against the same in dense half precision.

    Returns:
        ``{measured: True, layers, dense: [latency], sparse: [latency]}``, or ``{measured: False, reason}`` where the
        device or the network has nothing that skips zeros.
    """
    if device.type != "cuda" or torch.cuda.get_device_capability(device) < _AMPERE:
        return {"measured": False, "reason": f"{device.type} has no 2:4 sparse matrix units"}
    half = deepcopy(module).half()
    layers = {name: part for name, part in half.named_modules() if isinstance(part, nn.Linear) and _fits(part)}
    if not layers:
        return {"measured": False, "reason": "no linear layer has the 2:4 pattern at a width that the kernels take"}
    inputs = example.half() if example.is_floating_point() else example
    times = {"dense": [asdict(time) for time in latency(half, inputs, device=device)]}
    half.to(device)
    for part in layers.values():
        part.weight = nn.Parameter(torch.sparse.to_sparse_semi_structured(part.weight.detach()), requires_grad=False)
    return {
        "measured": True,
        "layers": list(layers),
        **times,
        "sparse": [asdict(time) for time in latency(half, inputs.to(device), device=device)],
    }


def _fits(layer: nn.Linear) -> bool:
    rows, columns = layer.weight.shape
    if rows % _TILE or columns % _TILE:
        return False
    return bool((layer.weight.view(rows, -1, 4).count_nonzero(dim=2) <= 2).all())
