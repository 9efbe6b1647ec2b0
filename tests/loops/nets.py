"""A network, its data and its problem, small enough to be trained in every test."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import explorer as ex
from tests.nets import conv


class Small(nn.Module):
    """A residual stream, batch norms, a linear layer: everything that a cut narrows in several ways."""

    def __init__(self, width: int = 12) -> None:
        super().__init__()
        self.stem, self.norm = conv(1, width), nn.BatchNorm2d(width)
        self.a, self.b = conv(width, width), conv(width, width)
        self.hidden, self.head = nn.Linear(width, 16), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        x = (x + self.b(F.relu(self.a(x)))).mean((2, 3))
        return self.head(F.relu(self.hidden(x)))


def network() -> Small:
    torch.manual_seed(0)
    return Small()


def samples(count: int = 96, seed: int = 0) -> TensorDataset:
    """Pictures (count, 1, 6, 6) and classes that their mean and spread tell."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 1, 6, 6, generator=generator) * (0.5 + torch.rand(count, 1, 1, 1, generator=generator))
    return TensorDataset(x, (x.mean((1, 2, 3)) > 0).long() + (x.std((1, 2, 3)) > 1).long())


def problem(module: nn.Module, **options: Any) -> ex.Problem:
    given = {
        "example": torch.zeros(1, 1, 6, 6),
        "train": samples(),
        "loss": F.cross_entropy,
        "metric": "top1",
        "device": "cpu",
    } | options
    return ex.Problem(module, **given)


def batches(count: int, size: int = 16) -> list[tuple[Tensor, Tensor]]:
    """The first so many mini-batches of the samples, over and over."""
    x, y = samples().tensors
    places = [torch.arange(start, start + size) % len(x) for start in range(0, count * size, size)]
    return [(x[index], y[index]) for index in places]


def one_step(module: nn.Module, optimizer: torch.optim.Optimizer, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Plain training; the loss, with its graph, as loops hold it until the next step."""
    loss = F.cross_entropy(module(batch[0]), batch[1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss
