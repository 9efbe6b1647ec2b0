"""Reading a dataset in batches, and putting a module where it computes."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset, TensorDataset, default_collate


def fetch(data: Dataset, indices: Tensor) -> tuple[Tensor, Tensor]:
    """The images (batch, C, H, W) and labels (batch,) at `indices`."""
    if isinstance(data, TensorDataset):
        images, labels = data[indices]
    else:
        images, labels = default_collate([data[index] for index in indices.tolist()])
    return images, torch.as_tensor(labels)


def batches(data: Dataset, size: int, order: Tensor | None = None) -> Iterator[tuple[Tensor, Tensor]]:
    """`data` in batches of at most `size`, in the given order of indices (default: its own)."""
    indices = torch.arange(len(data)) if order is None else order
    for chunk in indices.split(size):
        yield fetch(data, chunk)


@contextlib.contextmanager
def evaluating(module: nn.Module, device: torch.device) -> Iterator[nn.Module]:
    """The module on `device`, in evaluation mode, in full float32; afterwards as it was before.

    CUDA convolutions otherwise round their inputs to TF32, which moves accuracies between devices.
    """
    home = next((tensor.device for tensor in module.state_dict().values()), device)
    modes = [(part, part.training) for part in module.modules()]
    tf32 = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    try:
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
        yield module.to(device).eval()
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = tf32
        module.to(home)
        for part, training in modes:
            part.training = training
