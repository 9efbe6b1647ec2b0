"""Reading a dataset in batches, and putting a module where it computes."""

import contextlib
import math
from collections.abc import Iterator, Sequence, Sized
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.utils.data import Subset, TensorDataset, default_collate

from explorer import memory
from explorer.modules import borrowed


class Samples(Sized, Protocol):
    """Indexable by position: (input, label).

    The input is a float32 image (C, H, W) or the int64 token ids (L,) of a text; the label a class, a float score,
    an int64 map of classes (H, W), or ``{"boxes": (n, 4) float32 x1 y1 x2 y2 in pixels, "labels": (n,) int64}``.
    """

    def __getitem__(self, index: int, /) -> tuple[Tensor, Any]: ...


class Targets(dict):
    """What one sample of a person's own task is judged by: tensors by name."""


def fetch(data: Samples, indices: Tensor) -> tuple[Tensor, Any]:
    """The inputs (batch, …) and labels, as `collate` makes them, at `indices`."""
    if isinstance(data, TensorDataset):
        inputs, labels = data[indices]
        return inputs, torch.as_tensor(labels)
    return collate([data[index] for index in indices.tolist()])


def collate(pairs: list[tuple[Tensor, Any]]) -> tuple[Tensor, Any]:
    """Inputs stacked, and their labels: a tensor (batch, …), or a list with a dictionary of tensors for each sample."""
    if isinstance(pairs[0][1], dict):
        return torch.stack([image for image, _ in pairs]), [label for _, label in pairs]
    inputs, labels = default_collate(pairs)
    if labels.dtype == torch.float64:  # what Python's numbers become
        labels = labels.float()
    return inputs, labels


def subset(data: Samples, places: Sequence[int]) -> Samples:
    """The samples at these places."""
    return Subset(data, places)  # type: ignore[arg-type]  # it asks for torch's own class, and needs no more than this


def spread(total: int, count: int) -> Sequence[int]:
    """The places of so many samples, evenly over all of them, which may be sorted by class."""
    return range(total) if count >= total else [place * total // count for place in range(count)]


def to_device(labels: Any, device: torch.device) -> Any:
    """Labels, or inputs, on the device."""
    if isinstance(labels, list):
        return [type(label)({name: tensor.to(device) for name, tensor in label.items()}) for label in labels]
    return labels.to(device)


def batches(data: Samples, size: int, order: Tensor | None = None) -> Iterator[tuple[Tensor, Any]]:
    """`data` in batches of at most `size`, in the given order of indices (default: its own)."""
    indices = torch.arange(len(data)) if order is None else order
    for chunk in indices.split(size):
        yield fetch(data, chunk)


def sample_inputs(inputs: tuple[int, ...] | Tensor, batch: int) -> Tensor:
    """`batch` inputs on the CPU: normal noise where a shape is given, always the same, or the given ones repeated.

    Raises:
        ExplorerError: so many would take too much memory.
    """
    one = inputs[0].nbytes if isinstance(inputs, Tensor) else 4 * math.prod(inputs)
    memory.require(batch * one, f"a batch of {batch:,}", "use a smaller one")
    if isinstance(inputs, Tensor):
        return inputs[torch.arange(batch) % len(inputs)]
    return torch.randn(batch, *inputs, generator=torch.Generator().manual_seed(0))


@contextlib.contextmanager
def evaluating(module: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """The module on `device`, in evaluation mode, in full float32; afterwards as it was before.

    CUDA convolutions otherwise round their inputs to TF32, which moves accuracies between devices.
    """
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        with borrowed(module, device=device, training=False):
            yield module
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
