"""Small networks with the patterns that make cutting hard, shared by the tests."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.bench.families import stir


def conv(inputs: int, outputs: int, size: int = 3, **options: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, size, padding=size // 2, **options)


class Plain(nn.Module):
    """Convolution, batch norm, ReLU, flattened into a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv(3, 8), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = conv(8, 12), nn.BatchNorm2d(12)
        self.fc1, self.fc2 = nn.Linear(12 * 16, 10), nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 2)
        x = F.relu(self.bn2(self.conv2(x)))
        return self.fc2(torch.sigmoid(self.fc1(x.flatten(1))))


class Residual(nn.Module):
    """Two additions on one stream and a projection shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = conv(3, 8), nn.BatchNorm2d(8)
        self.a, self.b = conv(8, 6), conv(6, 8)
        self.c, self.d, self.short = conv(8, 10), conv(10, 12), conv(8, 12, 1)
        self.norm = nn.BatchNorm2d(12)
        self.fc = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.stem(x)))
        x = x + self.b(F.silu(self.a(x)))
        x = F.relu(self.norm(self.d(F.relu(self.c(x))) + self.short(x)))
        return self.fc(x.mean((2, 3)))


class Dense(nn.Module):
    """Concatenations that grow, slices of them that are joined again, one module called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = conv(3, 6), conv(6, 4), conv(10, 8)
        self.norm = nn.BatchNorm2d(10)
        self.twice = conv(4, 4)
        self.fc = nn.Linear(18, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = torch.tanh(self.a(x))
        b = self.b(a)
        joined = F.relu(self.norm(torch.cat([a, b], 1)))
        c = self.c(joined)
        left, right = c.chunk(2, 1)
        c = torch.cat([self.twice(left), self.twice(F.relu(right))], 1)
        return self.fc(torch.cat([joined, c], 1).amax((2, 3)))


class Mobile(nn.Module):
    """Depthwise (also with a multiplier), grouped and transposed convolutions, squeeze-excite."""

    def __init__(self) -> None:
        super().__init__()
        self.expand, self.depth = conv(3, 8, 1), conv(8, 8, groups=8)
        self.twofold, self.bn = conv(8, 16, groups=8), nn.BatchNorm2d(16)
        self.squeeze, self.excite = conv(16, 4, 1), conv(4, 16, 1)
        self.project, self.grouped = conv(16, 12, 1), conv(12, 8, groups=4)
        self.up = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.twofold(F.hardswish(self.depth(self.expand(x)))))
        gate = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean((2, 3), keepdim=True)))))
        x = self.grouped(F.relu(self.project(x * gate)))
        return self.fc(self.up(F.softplus(x)).mean((2, 3)))


class Attention(nn.Module):
    """Tokens with bare parameters (class token, positions, layer scale), pre-norm attention and a feed-forward part."""

    def __init__(self, width: int = 12, heads: int = 3) -> None:
        super().__init__()
        self.dim = width // heads
        self.patch = nn.Conv2d(3, width, 4, stride=4)
        self.token = nn.Parameter(torch.randn(1, 1, width))
        self.position = nn.Parameter(torch.randn(1, 5, width))
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(width) for _ in range(3))
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 20), nn.Linear(20, width)
        self.scale = nn.Parameter(torch.rand(width))
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.position
        q, k, v = self.qkv(self.norm1(x)).chunk(3, dim=-1)
        q, k, v = (t.reshape(len(x), 5, -1, self.dim).transpose(1, 2) for t in (q, k, v))
        weights = (q @ k.transpose(-1, -2) / self.dim**0.5).softmax(-1)
        x = x + self.scale * self.out((weights @ v).transpose(1, 2).flatten(2))
        x = x + self.fc2(F.gelu(self.fc1(self.norm2(x))))
        return self.head(self.norm3(x)[:, 0])


class Normed(nn.Module):
    """Group norm and a softmax over channels: here a mask is not a cut."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm, self.b = conv(3, 8), nn.GroupNorm(2, 8), conv(8, 6)
        self.fc = nn.Linear(6, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = F.softmax(self.b(F.relu(self.norm(self.a(x)))), dim=1)
        return self.fc(x.mean((2, 3)))


class Awkward(nn.Module):
    """An unknown operator, a mean over channels, the input added to channels, and an unused layer."""

    def __init__(self) -> None:
        super().__init__()
        self.sorted, self.averaged, self.plus = conv(3, 6), conv(3, 4), conv(3, 3)
        self.free, self.unused = conv(3, 5), conv(4, 4)
        self.fc = nn.Linear(6 + 1 + 3 + 5, 5)

    def forward(self, x: Tensor) -> Tensor:
        a = self.sorted(x).sort(dim=1).values
        b = self.averaged(x).mean(1, keepdim=True)
        c = self.plus(x) + x
        return self.fc(torch.cat([a, b, c, F.relu(self.free(x))], 1).mean((2, 3)))


EXACT = {net.__name__.lower(): net for net in (Plain, Residual, Dense, Mobile, Attention)}
INPUT = (3, 8, 8)


def alive(net: type[nn.Module], seed: int = 0) -> nn.Module:
    """A network in evaluation mode whose normalisation statistics and biases are not trivial."""
    torch.manual_seed(seed)
    module = net().eval()
    return stir(module)
