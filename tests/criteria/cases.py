"""Three tiny networks whose groups are written down by hand."""

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from explorer.structure.types import CostModel, Group, Member, Structure, Tap


@dataclass(frozen=True)
class Case:
    module: nn.Module
    structure: Structure
    data: TensorDataset


class Plain(nn.Module):
    """Convolution, batch norm, ReLU; convolution, SiLU; classifier."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(2, 4, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 6, 3)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        x = self.relu(self.bn1(self.conv1(x)))
        return self.fc(F.silu(self.conv2(x)).mean((2, 3)))


class Residual(nn.Module):
    """A stem and a block whose second convolution adds to the stem: one stream with two producers."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.bn0 = nn.BatchNorm2d(4)
        self.inner = nn.Conv2d(4, 5, 3, padding=1)
        self.outer = nn.Conv2d(5, 4, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(self.bn0(self.stem(x)))
        x = F.relu(x + self.bn1(self.outer(F.relu(self.inner(x)))))
        return self.fc(x.mean((2, 3)))


class Heads(nn.Module):
    """Tokens through an attention of two heads of width two, and a feed-forward layer."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(3, 4)
        self.qkv = nn.Linear(4, 12)
        self.proj = nn.Linear(4, 4)
        self.up = nn.Linear(4, 6)
        self.down = nn.Linear(6, 3)

    def forward(self, x):
        x = self.embed(x.flatten(2).transpose(1, 2))
        q, k, v = (part.unflatten(-1, (-1, 2)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        x = self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return self.down(F.gelu(self.up(x)).mean(1))


def member(tensor, role, units, axis=None):
    return Member(tensor, int(role == "consumer") if axis is None else axis, role, np.array(units))


def group(name, size, members, taps=(), unit=1, kind="conv"):
    return Group(name, kind, size, unit, True, "", "", tuple(members), tuple(taps))


def structure(*groups):
    return Structure({g.name: g for g in groups}, (), CostModel((), ()), (), 0.0)


def batch_norm(name, size):
    tensors = ("weight", "bias", "running_mean", "running_var")
    return [member(f"{name}.{tensor}", "affine", range(size)) for tensor in tensors]


def plain_structure():
    first = [member("conv1.weight", "producer", range(4)), *batch_norm("bn1", 4)]
    second = [member("conv2.weight", "producer", range(6)), member("conv2.bias", "affine", range(6))]
    return structure(
        group(
            "conv1", 4, [*first, member("conv2.weight", "consumer", range(4))], [Tap("conv1.weight", "bn1", "relu", 1)]
        ),
        group(
            "conv2", 6, [*second, member("fc.weight", "consumer", range(6))], [Tap("conv2.weight", "conv2", "silu", 1)]
        ),
    )


def residual_structure():
    stream = [
        member("stem.weight", "producer", range(4)),
        member("outer.weight", "producer", range(4)),
        *batch_norm("bn0", 4),
        *batch_norm("bn1", 4),
        member("inner.weight", "consumer", range(4)),
        member("fc.weight", "consumer", range(4)),
    ]
    inner = [member("inner.weight", "producer", range(5)), member("inner.bias", "affine", range(5))]
    return structure(
        group(
            "stem", 4, stream, [Tap("stem.weight", "bn0", "relu", 1), Tap("outer.weight", "bn1", "", 1)], kind="stream"
        ),
        group(
            "inner",
            5,
            [*inner, member("outer.weight", "consumer", range(5))],
            [Tap("inner.weight", "inner", "relu", 1)],
        ),
    )


def heads_structure():
    qkv = [0, 0, 1, 1] * 3
    heads = [member("qkv.weight", "producer", qkv), member("qkv.bias", "affine", qkv)]
    ffn = [member("up.weight", "producer", range(6)), member("up.bias", "affine", range(6))]
    return structure(
        group("qkv", 4, [*heads, member("proj.weight", "consumer", [0, 0, 1, 1])], unit=2, kind="heads"),
        group(
            "up",
            6,
            [*ffn, member("down.weight", "consumer", range(6))],
            [Tap("up.weight", "up", "gelu", -1)],
            kind="ffn",
        ),
    )


NETS = {
    "plain": (Plain, plain_structure, 2),
    "residual": (Residual, residual_structure, 2),
    "heads": (Heads, heads_structure, 3),
}


def make(name, inputs=10):
    """The network with uneven weights and non-trivial batch-norm statistics, and seeded data."""
    network, describe, channels = NETS[name]
    torch.manual_seed(1)
    module = network()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, -1.5, 1.5)
            nn.init.normal_(part.bias)
            nn.init.normal_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    data = TensorDataset(torch.randn(inputs, channels, 6, 6), torch.arange(inputs) % 3)
    return Case(module.eval(), replace(describe(), input_shape=(channels, 6, 6)), data)
