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

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from explorer.errors import ExplorerError
from explorer.structure import rules
from explorer.structure.blocks import Shortcuts
from explorer.structure.ledger import Ledger
from explorer.structure.running import Inputs, as_tuple, tensors_in, undisturbed

# By class: square weights whose module reshapes the output to the width of the input.
EQUAL_WIDTHS = {"SegformerSequenceReduction": ("sequence_reduction.weight",)}
TIME_LIMIT = 120.0  # seconds for one traced pass


@dataclass
class Source:
    """A view of a parameter or buffer: for every original axis, the index that each entry comes from."""

    name: str
    shape: tuple[int, ...]
    indices: tuple[Tensor, ...]
    moved: bool = True  # not the tensor itself
    computed: bool = False  # no view, but computed entry by entry

    @property
    def in_order(self) -> bool:
        """Whether it is the whole tensor, rows and columns in their order."""
        if self.computed or not self.moved:
            return not self.computed
        return all(
            tuple(index.shape) == self.shape
            and set(rules.varying(index)) <= {axis}
            and (axis > 1 or np.array_equal(rules.along(index, axis), np.arange(self.shape[axis])))
            for axis, index in enumerate(self.indices)
        )

    @classmethod
    def whole(cls, name: str, tensor: Tensor) -> "Source":
        shape = tuple(tensor.shape)
        indices = (
            torch.arange(size).view([-1 if d == axis else 1 for d in range(len(shape))]).expand(shape)
            for axis, size in enumerate(shape)
        )
        return cls(name, shape, tuple(indices), moved=False)


class Tracer(TorchDispatchMode):
    """Watches every operator of a forward pass and keeps the ledger."""

    def __init__(self, module: nn.Module, ledger: Ledger, *, costs: bool) -> None:
        super().__init__()
        self.module = module
        self.ledger = ledger
        self.costs = costs
        self.path: list[str] = [""]
        self.shortcuts = Shortcuts()
        self.labels = WeakTensorKeyDictionary()
        self.sources = WeakTensorKeyDictionary()
        self._names: dict[int, str] = {}
        self._deadline = time.monotonic() + TIME_LIMIT
        saved = module.state_dict(keep_vars=True)  # a buffer that is not saved can't be cut
        for name, tensor in [*module.named_parameters(), *((n, b) for n, b in module.named_buffers() if n in saved)]:
            self.sources[tensor] = Source.whole(name, tensor)
            self._names[id(tensor)] = name  # they outlive the tracer

    @property
    def here(self) -> str:
        """The innermost module that is running, for a person."""
        return self.path[-1] or "the model"

    def label(self, tensor: Any, like: Tensor | None = None) -> Tensor | None:
        """Channel identities of a tensor's entries.

        A parameter used as it is counts as born along its last axis, or where the label `like`, which it meets, varies.
        """
        if not isinstance(tensor, Tensor):
            return None
        if tensor in self.labels:
            return self.labels[tensor]
        source = self.sources.get(tensor)
        return None if source is None else rules.born_from(self, source, like)

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if time.monotonic() > self._deadline:
            raise ExplorerError(
                f"tracing took longer than {TIME_LIMIT:.0f} s at {self.here}: try a smaller --input for this model"
            )
        tensors = [a for a in (*tree_leaves(args), *(kwargs or {}).values()) if isinstance(a, Tensor)]
        self.ledger.used.update(self._names[id(a)] for a in tensors if id(a) in self._names)
        if any(a in self.labels or a in self.sources for a in tensors):
            rules.apply(self, func, args, kwargs or {}, out)
        self.shortcuts.operator(func, args, kwargs or {}, out)
        return out


@contextmanager
def _module_path(module: nn.Module, tracer: Tracer) -> Iterator[None]:
    """Keep in the tracer's `path` the names of the modules that are running, and write down what passes leaves."""

    def enter(name: str, leaf: bool) -> Any:
        def hook(_: nn.Module, args: tuple) -> None:
            tracer.path.append(name)
            tracer.shortcuts.enter(name, args, len(tracer.ledger.contractions))
            label = tracer.label(args[0]) if leaf and args else None
            axes = [] if label is None else rules.varying(label)
            seen[name] = (args[0].shape, axes[0], rules.along(label, axes[0])) if len(axes) == 1 else None

        return hook

    def leave(name: str) -> Any:
        def hook(_: nn.Module, __: tuple, out: Any) -> None:
            tracer.path.pop()
            tracer.shortcuts.leave(name, out, len(tracer.ledger.contractions))
            shown = out[0] if isinstance(out, tuple) and out else out  # attention gives its weights too
            label = tracer.labels.get(shown) if isinstance(shown, Tensor) else None
            if label is not None and len(rules.varying(label)) == 1:
                tracer.ledger.shown[name] = label
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


def trace(module: nn.Module, example: Inputs) -> Ledger:
    """The ledger of one evaluation pass, and of a training pass where that reaches more (auxiliary heads).

    Raises:
        ExplorerError: no tensor is found in what the model returns, or tracing takes too long.
    """
    ledger = _passes(module, as_tuple(example))
    ledger.settle()
    return ledger


def _passes(module: nn.Module, inputs: tuple[Tensor, ...]) -> Ledger:
    ledger = Ledger()
    _run(module, inputs, ledger, training=False)
    _equal_widths(module, ledger)
    if all(name in ledger.used for name, _ in module.named_parameters()):
        return ledger
    for scale in (1, 2, 4):  # auxiliary heads may need a larger input than inference
        more = copy.deepcopy(ledger)
        with contextlib.suppress(RuntimeError, AssertionError):
            _run(module, tuple(_enlarged(tensor, scale) for tensor in inputs), more, training=True)
            return more
    return ledger


def _enlarged(tensor: Tensor, scale: int) -> Tensor:
    """A batch of two, of images (or rows) `scale` times as large."""
    larger = torch.cat([tensor, tensor]).repeat_interleave(scale, -1)
    return larger.repeat_interleave(scale, -2) if tensor.dim() == 4 else larger


def _equal_widths(module: nn.Module, ledger: Ledger) -> None:
    """Unite the axes of tensors that a module's code takes to be of one width."""
    for name, layer in module.named_modules():
        for tensor in EQUAL_WIDTHS.get(type(layer).__name__, ()):
            path = f"{name}.{tensor}"
            made, read = ledger.axes.get((path, 0)), ledger.axes.get((path, 1))
            if made is not None and read is not None:
                ledger.unite(made, read, "equal widths", name)


def _run(module: nn.Module, inputs: tuple[Tensor, ...], ledger: Ledger, *, training: bool) -> None:
    tracer = Tracer(module, ledger, costs=not training)
    with undisturbed(module, training=training), _module_path(module, tracer), tracer:
        out = module(*inputs)
    if not training:
        ledger.blocks = tracer.shortcuts.found
    outputs = tensors_in(out)
    if not outputs:
        raise ExplorerError(
            f"no tensor is found in what the model returns ({type(out).__name__}), so its outputs can't be told from "
            "channels: let it return tensors, in tuples, dicts or data classes"
        )
    for tensor in outputs:
        label = tracer.label(tensor)
        if label is not None:
            ledger.freeze(rules.entries(label), "these are the model's outputs")
