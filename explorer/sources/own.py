"""A person's own network and data as the engine works with them: one tensor in, one tensor out, samples by number.

The engine traces, masks, cuts and counts networks of one tensor. `adapted` gives any module that face without touching
it: several inputs travel side by side in one tensor, several outputs leave side by side in one, and parameters and
their names stay the module's own. `OwnData` gives any loader that face: sample by sample, a packed input and a
dictionary of targets. The loss and the metric see what the person's own functions expect.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten
from torch.utils.data import DataLoader, Dataset, IterableDataset, default_collate

from explorer.batches import Targets
from explorer.errors import ExplorerError

Function = Callable[[Any, Any], Any]
"""Of a network's outputs and a batch's targets."""


@dataclass(frozen=True)
class Ports:
    """How a network is called: the nesting of its inputs, and the shape and type of each without the batch.

    Inputs are a tensor, a tuple of tensors (positional arguments) or a dictionary of them (keyword arguments).
    """

    nesting: TreeSpec
    shapes: tuple[tuple[int, ...], ...]
    types: tuple[torch.dtype, ...]
    names: tuple[str, ...] | None

    @classmethod
    def of(cls, example: Any) -> "Ports":
        """The ports that an example shows, a batch of at least one.

        Raises:
            ExplorerError: it holds something else than tensors with a common batch axis.
        """
        if isinstance(example, list):
            example = tuple(example)
        leaves, nesting = tree_flatten(example)
        if not leaves or not all(isinstance(leaf, Tensor) and leaf.dim() for leaf in leaves):
            raise ExplorerError(
                "the example must be what the network is called with: a tensor, a tuple of tensors, or a dictionary of "
                "them by argument, each with the batch as its first axis"
            )
        if len({len(leaf) for leaf in leaves}) > 1:
            raise ExplorerError("the example's tensors have different batch sizes: give one batch of inputs")
        names = tuple(example) if isinstance(example, Mapping) else None
        return cls(
            nesting, tuple(tuple(leaf.shape[1:]) for leaf in leaves), tuple(leaf.dtype for leaf in leaves), names
        )

    def pack(self, inputs: Any) -> Tensor:
        """Inputs side by side: (batch, values) in float32, or a single one as it is.

        Raises:
            ExplorerError: the inputs have other shapes than the example, or whole numbers too large for float32.
        """
        leaves, nesting = tree_flatten(tuple(inputs) if isinstance(inputs, list) else inputs)
        shapes = tuple(tuple(leaf.shape[1:]) for leaf in leaves if isinstance(leaf, Tensor))
        if nesting != self.nesting or shapes != self.shapes:
            raise ExplorerError(
                f"the data gives inputs of shapes {shapes} where the example has {self.shapes}: make them alike, for "
                "example by padding in the data set"
            )
        if len(leaves) == 1:
            return leaves[0]
        for leaf in leaves:
            if not leaf.is_floating_point() and leaf.numel() and int(leaf.abs().max()) >= 2**24:
                raise ExplorerError("an input has whole numbers above 16,777,215, which can't be packed exactly")
        return torch.cat([leaf.reshape(len(leaf), -1).float() for leaf in leaves], dim=1)

    def takes(self, batch: Any) -> bool:
        """Whether a batch is inputs alone, without targets."""
        leaves, nesting = tree_flatten(tuple(batch) if isinstance(batch, list) else batch)
        alike = nesting == self.nesting and all(isinstance(leaf, Tensor) for leaf in leaves)
        return alike and tuple(tuple(leaf.shape[1:]) for leaf in leaves) == self.shapes

    def unpack(self, packed: Tensor) -> Any:
        """The inputs as the network is called with them."""
        if len(self.shapes) == 1:
            return tree_unflatten([packed], self.nesting)
        sizes = [max(1, torch.Size(shape).numel()) for shape in self.shapes]
        parts = zip(packed.split(sizes, dim=1), self.shapes, self.types, strict=True)
        leaves = []
        for part, shape, dtype in parts:
            leaf = part.reshape(len(packed), *shape)
            leaves.append(leaf if dtype == torch.float32 else leaf.to(dtype))  # else in the precision of the caller
        return tree_unflatten(leaves, self.nesting)

    def split(self, batch: Any) -> tuple[Any, Any]:
        """A loader's batch as inputs and targets.

        A dictionary is split by the example's names; of anything else the first entry, or as many as the example
        has, are the inputs.

        Raises:
            ExplorerError: the batch has no such parts.
        """
        if isinstance(batch, Mapping) and self.names is not None:
            missing = [name for name in self.names if name not in batch]
            if missing:
                raise ExplorerError(f"the data has no {', '.join(missing)} as the example has: name its parts alike")
            rest = {name: value for name, value in batch.items() if name not in self.names}
            return {name: batch[name] for name in self.names}, rest
        count = 1 if isinstance(self.nesting, TreeSpec) and self.nesting.is_leaf() else len(self.shapes)
        if isinstance(batch, tuple | list):
            if len(batch) == 2:
                return (tuple(batch[0]) if isinstance(batch[0], list) else batch[0]), batch[1]
            if len(batch) > count:
                inputs = batch[0] if count == 1 else tuple(batch[:count])
                return inputs, batch[count] if len(batch) == count + 1 else tuple(batch[count:])
        raise ExplorerError(
            "the data must give pairs (inputs, targets); for a dictionary give the example as one with the names of "
            "the inputs, the rest are the targets"
        )


def call(function: Callable[..., Any], inputs: Any) -> Any:
    """A module, or its forward pass, on its inputs.

    Args:
        inputs: a tensor, positional arguments in a tuple, or keyword arguments in a dictionary.
    """
    if isinstance(inputs, Mapping):
        return function(**inputs)
    return function(*inputs) if isinstance(inputs, tuple) else function(inputs)


@dataclass(frozen=True)
class Own:
    """What a person says of her network beside the module: how it is called, and how it is judged.

    Args:
        ports: how it is called.
        loss: of (outputs, targets), the mean over a batch.
        metric: of (outputs, targets) over all samples; None: the loss.
        maximise: whether more of the metric is better.
    """

    ports: Ports
    loss: Function | None = None
    metric: Function | None = None
    maximise: bool = True

    def __deepcopy__(self, memo: dict[int, Any]) -> "Own":
        return self  # nothing in it belongs to one network

    @property
    def judges(self) -> bool:
        """Whether there is anything to judge by."""
        return self.loss is not None or self.metric is not None

    @property
    def title(self) -> str:
        """What it is judged by, as the metric's function is named."""
        name = "loss" if self.metric is None else getattr(self.metric, "__name__", "metric")
        return name if name.isidentifier() else "metric"  # that of a lambda says nothing

    @property
    def sign(self) -> int:
        """What turns the metric into a number of which more is better."""
        return 1 if self.metric is not None and self.maximise else -1


class OneTensor(nn.Module):
    """Mixed into the class of a person's module, in front: it takes one packed tensor and gives one."""

    own_: Own
    caught_: list[Any] | None = None

    def forward(self, packed: Tensor) -> Tensor:
        outputs = self.outputs_(packed)
        if self.caught_ is not None:
            self.caught_.append(outputs)
        leaves = [leaf for leaf in tree_flatten(outputs)[0] if isinstance(leaf, Tensor) and leaf.dim()]
        if not leaves:
            raise ExplorerError("the network returns no tensors: outputs may be tensors, tuples, lists or dictionaries")
        return (
            leaves[0]
            if len(leaves) == 1
            else torch.cat([leaf.reshape(len(leaf), -1).float() for leaf in leaves], dim=1)
        )

    def outputs_(self, packed: Tensor) -> Any:
        """What the person's module returns for packed inputs."""
        return call(super().forward, self.own_.ports.unpack(packed))

    def loss_of(self, packed: Tensor, labels: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """The person's loss of a batch, differentiable. The network is called as ever, so that hooks see it.

        Raises:
            ExplorerError: see `loss_between`.
        """
        self.caught_ = []
        try:
            self(packed)
            return self.loss_between(self.caught_[-1], labels)
        finally:
            self.caught_ = None

    def loss_between(self, outputs: Any, labels: Sequence[Mapping[str, Tensor]]) -> Tensor:
        """The person's loss of outputs.

        Raises:
            ExplorerError: there is none, or it gives no single number.
        """
        if self.own_.loss is None:
            raise ExplorerError("this takes a loss and the problem has none: give Problem(..., loss=function)")
        loss = self.own_.loss(outputs, targets_of(labels))
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            raise ExplorerError("the loss must be one number, a tensor that gradients can be taken of")
        return loss.reshape(())

    def judged(self, outputs: Any, labels: Sequence[Mapping[str, Tensor]], loss: float) -> float:
        """The metric of the outputs of all samples, with the sign by which more is better."""
        own = self.own_
        return own.sign * (loss if own.metric is None else float(own.metric(outputs, targets_of(labels))))


def adapted(module: nn.Module, own: Own) -> nn.Module:
    """The module with the engine's face: it shares all tensors and children, and the module itself stays as it is."""
    face = copy.copy(module)
    face.__class__ = type(type(module).__name__, (OneTensor, type(module)), {"__module__": type(module).__module__})
    face.__dict__["own_"] = own
    return face


def plain(module: nn.Module) -> nn.Module:
    """A network made from an adapted one, for example by a cut, with the face of the person's own class again."""
    if not isinstance(module, OneTensor):
        return module
    face = copy.copy(module)
    face.__class__ = type(module).__mro__[2]
    for name in ("own_", "caught_"):
        face.__dict__.pop(name, None)
    return face


_VALUE = "value"  # of targets that are a single tensor


def named(targets: Any) -> dict[str, Any]:
    """Targets as a dictionary."""
    if isinstance(targets, Mapping):
        return {str(name): value for name, value in targets.items()}
    if isinstance(targets, tuple | list):
        return {str(place): value for place, value in enumerate(targets)}
    return {_VALUE: targets}


def targets_of(labels: Sequence[Mapping[str, Tensor]]) -> Any:
    """Samples' dictionaries of targets as one batch, in the form that the data has them."""
    stacked = {name: torch.stack([label[name] for label in labels]) for name in labels[0]}
    if list(stacked) == [_VALUE]:
        return stacked[_VALUE]
    if all(name.isdecimal() for name in stacked):
        return tuple(stacked.values())
    return stacked


class OwnData(Dataset):
    """A person's data, sample by sample: (packed input, {name: target}).

    Args:
        source: a data set whose samples can be asked for by number; a loader of one, whose `collate_fn` is used; or any
            iterable of batches, which are kept in memory.
    """

    def __init__(self, source: Any, ports: Ports) -> None:
        self._ports = ports
        self._batches: list[tuple[Tensor, dict[str, Any]]] = []
        self._starts: list[int] = []  # the first sample of each
        self._collate: Callable[[list[Any]], Any] = default_collate
        self._samples: Any = None
        if isinstance(source, DataLoader) and source.batch_size and not isinstance(source.dataset, IterableDataset):
            self._samples, self._collate = source.dataset, source.collate_fn
        elif (
            not isinstance(source, DataLoader)
            and hasattr(source, "__getitem__")
            and not isinstance(source, list | tuple)
        ):
            self._samples = source
        else:
            self._keep(source)

    def _keep(self, batches: Iterable[Any]) -> None:
        """Reads all batches of an iterable."""
        count = 0
        for batch in batches:
            inputs, targets = self._ports.split(batch)
            packed = self._ports.pack(inputs)
            self._batches.append((packed, named(targets)))
            self._starts.append(count)
            count += len(packed)
        self._count = count

    def __len__(self) -> int:
        return self._count if self._samples is None else len(self._samples)

    def __getitem__(self, index: int) -> tuple[Tensor, Targets]:
        if not 0 <= index < len(self):
            raise IndexError(index)
        if self._samples is not None:
            inputs, targets = self._ports.split(self._collate([self._samples[index]]))
            return self._ports.pack(inputs)[0], Targets({key: _at(value, 0) for key, value in named(targets).items()})
        place = max(place for place, start in enumerate(self._starts) if start <= index)
        packed, targets = self._batches[place]
        inside = index - self._starts[place]
        return packed[inside], Targets({key: _at(value, inside) for key, value in targets.items()})


def _at(values: Any, place: int) -> Tensor:
    """One sample's value in a batch; Python's numbers become single precision, as in training."""
    value = torch.as_tensor(values[place])
    return value.float() if value.dtype == torch.float64 else value
