"""Runs a model once and propagates channel identities beside its values.

For every activation an integer tensor of the same shape is carried along (expanded with stride 0 where the
identity does not vary, so it costs little); for every view of a parameter, one such tensor per axis of the
parameter. `explorer.structure.rules` says what each operator does to them.
"""

import contextlib
import copy
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.errors import ExplorerError
from explorer.structure import rules
from explorer.structure.ledger import Ledger
from explorer.structure.running import undisturbed

# By class: square weights whose module reshapes the output to the width of the input.
EQUAL_WIDTHS = {"SegformerSequenceReduction": ("sequence_reduction.weight",)}
TIME_LIMIT = 120.0  # seconds for one traced pass


@dataclass
class Source:
    """A view of a parameter or buffer: for every original axis, the index that each entry comes from."""

    name: str
    shape: tuple[int, ...]
    indices: tuple[Tensor, ...]

    @classmethod
    def whole(cls, name: str, tensor: Tensor) -> "Source":
        shape = tuple(tensor.shape)
        indices = (
            torch.arange(size).view([-1 if d == axis else 1 for d in range(len(shape))]).expand(shape)
            for axis, size in enumerate(shape)
        )
        return cls(name, shape, tuple(indices))


class Tracer(TorchDispatchMode):
    """Watches every operator of a forward pass and keeps the ledger."""

    def __init__(self, module: nn.Module, ledger: Ledger, *, costs: bool) -> None:
        super().__init__()
        self.ledger = ledger
        self.costs = costs
        self.path: list[str] = [""]
        self.labels = WeakTensorKeyDictionary()
        self.sources = WeakTensorKeyDictionary()
        self._deadline = time.monotonic() + TIME_LIMIT
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            self.sources[tensor] = Source.whole(name, tensor)

    @property
    def here(self) -> str:
        """The innermost module that is running, for a person."""
        return self.path[-1] or "the model"

    def label(self, tensor: Any) -> Tensor | None:
        """Channel identities of a tensor's entries; a parameter used as it is counts as born along its last axis."""
        if not isinstance(tensor, Tensor):
            return None
        if tensor in self.labels:
            return self.labels[tensor]
        source = self.sources.get(tensor)
        return None if source is None else rules.born_from(self, source)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if time.monotonic() > self._deadline:
            raise ExplorerError(
                f"tracing took longer than {TIME_LIMIT:.0f} s at {self.here}: try a smaller --input for this model"
            )
        if any(isinstance(a, Tensor) and (a in self.labels or a in self.sources) for a in tree_leaves(args)):
            rules.apply(self, func, args, kwargs or {}, out)
        return out


@contextmanager
def _module_path(module: nn.Module, tracer: Tracer) -> Iterator[None]:
    """Keep in the tracer's `path` the names of the modules that are running, and write down what passes leaves."""

    def enter(name: str, leaf: bool) -> Any:
        def hook(_: nn.Module, args: tuple) -> None:
            tracer.path.append(name)
            label = tracer.label(args[0]) if leaf and args else None
            axes = [] if label is None else rules.varying(label)
            seen[name] = (args[0].shape, axes[0], rules.along(label, axes[0])) if len(axes) == 1 else None

        return hook

    def leave(name: str) -> Any:
        def hook(_: nn.Module, __: tuple, out: Any) -> None:
            tracer.path.pop()
            if seen[name] and isinstance(out, Tensor) and out.shape == seen[name][0]:
                tracer.ledger.pass_through(name, *seen[name][1:])

        return hook

    seen: dict[str, Any] = {}
    handles = []
    for name, layer in module.named_modules():
        leaf = next(layer.children(), None) is None
        handles += [layer.register_forward_pre_hook(enter(name, leaf)), layer.register_forward_hook(leave(name))]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def trace(module: nn.Module, example: Tensor) -> Ledger:
    """The ledger of one evaluation pass, and of a training pass where that reaches more (auxiliary heads)."""
    ledger = Ledger()
    _run(module, example, ledger, training=False)
    _equal_widths(module, ledger)
    met = {name for name, _ in ledger.axes}
    if all(name in met for name, _ in module.named_parameters()):
        return ledger
    for scale in (1, 2, 4):  # auxiliary heads may need a larger input than inference
        more = copy.deepcopy(ledger)
        inputs = torch.cat([example, example]).repeat_interleave(scale, -1)
        with contextlib.suppress(RuntimeError, AssertionError):
            _run(module, inputs.repeat_interleave(scale, -2) if inputs.dim() == 4 else inputs, more, training=True)
            return more
    return ledger


def _equal_widths(module: nn.Module, ledger: Ledger) -> None:
    """Unite the axes of tensors that a module's code takes to be of one width."""
    for name, layer in module.named_modules():
        for tensor in EQUAL_WIDTHS.get(type(layer).__name__, ()):
            path = f"{name}.{tensor}"
            made, read = ledger.axes.get((path, 0)), ledger.axes.get((path, 1))
            if made is not None and read is not None:
                ledger.unite(made, read, "equal widths", name)


def _run(module: nn.Module, example: Tensor, ledger: Ledger, *, training: bool) -> None:
    tracer = Tracer(module, ledger, costs=not training)
    with undisturbed(module, training=training), _module_path(module, tracer), tracer:
        out = module(example)
    for tensor in tree_leaves(out):
        label = tracer.label(tensor)
        if label is not None:
            ledger.freeze(rules.entries(label), "these are the model's outputs")
