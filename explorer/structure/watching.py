"""A mode that hears of every operator of a running network, of recurrent layers as a whole."""

import sys
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import nullcontext
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any, Self

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from explorer.structure.operators import OPERATORS, Kind

_WHOLE = {
    getattr(torch, name): getattr(
        getattr(torch.ops.aten, name), "input" if operator.kind is Kind.RECURRENT else "default"
    )
    for name, operator in OPERATORS.items()
    if operator.kind in (Kind.RECURRENT, Kind.STEP)
}


class OperatorMode(TorchDispatchMode):
    """Tells `hear` of every operator of a module that reaches PyTorch's dispatcher.

    A recurrent layer is one operator here: what it falls into before it gets there differs between devices and builds
    of PyTorch, and is a dozen operators for every step.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.inside = False  # a recurrent layer
        kinds: set[Any] = {type(part) for part in module.modules()}
        recurrent = any(map(_may_recur, kinds))
        self._layers = _RecurrentLayers(self) if recurrent else nullcontext()  # which costs as much as a dispatch

    @abstractmethod
    def hear(self, func: Any, args: tuple, kwargs: dict, out: Any) -> None:
        """An operator has run."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if not self.inside:
            self.hear(func, args, kwargs or {}, out)
        return out

    def __enter__(self) -> Self:
        self._layers.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._layers.__exit__(*error)


class _RecurrentLayers(TorchFunctionMode):
    """Tells a mode of recurrent layers, and keeps what they fall into from it."""

    def __init__(self, mode: OperatorMode) -> None:
        super().__init__()
        self._mode = mode

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if func not in _WHOLE:
            return func(*args, **(kwargs or {}))
        self._mode.inside = True
        try:
            out = func(*args, **(kwargs or {}))
        finally:
            self._mode.inside = False
        self._mode.hear(_WHOLE[func], args, kwargs or {}, out)
        return out


@lru_cache(maxsize=1024)
def _may_recur(kind: type) -> bool:
    """Whether a module's code, that of its bases and of what is at hand in their files, names a recurrent layer."""
    files = {base.__module__ for base in kind.__mro__ if not base.__module__.startswith("torch.nn.modules")}
    beside = [value for file in files if file in sys.modules for value in vars(sys.modules[file]).values()]
    own = [value for base in kind.__mro__ for value in vars(base).values()]
    names = {getattr(whole, "__name__", "") for whole in _WHOLE}
    return issubclass(kind, nn.RNNBase | nn.RNNCellBase) or any(
        names & {*code.co_names}
        for function in (*own, *beside)
        if isinstance(function, FunctionType)
        for code in _codes(function.__code__)
    )


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code, and that of the functions inside it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _codes(inner)
