"""Small networks for images as papers and repositories write them by hand, each with something that no package has."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm

from explorer.bench.families.family import CLASSES


def _conv(inner: int, outer: int, size: int = 3, **options: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, size, padding=size // 2, bias=False, **options), nn.BatchNorm2d(outer), nn.ReLU()
    )


def _classifier(*layers: nn.Module, width: int) -> nn.Sequential:
    """The layers, with the mean over the map and a linear layer behind them."""
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


class OptionA(nn.Module):
    """A CIFAR residual block whose shortcut takes every second pixel and pads channels with zeros (He et al. 2016)."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride=outer // inner, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.grows, self.padded = outer > inner, (outer - inner) // 2

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padded, self.padded)) if self.grows else x
        return F.relu(y + short)


def option_a() -> nn.Module:
    return _classifier(_conv(3, 16), OptionA(16, 16), OptionA(16, 32), OptionA(32, 32), OptionA(32, 64), width=64)


class ChannelShuffle(nn.Module):
    """Grouped pointwise layers with a shuffle between them (ShuffleNet, Zhang et al. 2018)."""

    def __init__(self, width: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.first, self.second = _conv(width, width, 1, groups=groups), _conv(width, width, 1, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        mixed = self.first(x).view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        return x + self.second(mixed)


def shuffled() -> nn.Module:
    return _classifier(_conv(3, 24), ChannelShuffle(24, 3), ChannelShuffle(24, 3), width=24)


class Eca(nn.Module):
    """Channel attention by a 1-d convolution along the channels (Wang et al. 2020)."""

    def __init__(self, size: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv1d(1, 1, size, padding=size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x.mean((2, 3)).unsqueeze(1)).squeeze(1)
        return x * y.sigmoid()[:, :, None, None]


def eca() -> nn.Module:
    return _classifier(_conv(3, 16), Eca(), _conv(16, 32), Eca(), width=32)


class Cbam(nn.Module):
    """Channel and spatial attention (Woo et al. 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(width, width // 4), nn.ReLU(), nn.Linear(width // 4, width))
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.mlp(x.mean((2, 3))) + self.mlp(x.amax((2, 3)))
        x = x * gate.sigmoid()[:, :, None, None]
        seen = torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1)
        return x * self.spatial(seen).sigmoid()


def cbam() -> nn.Module:
    return _classifier(_conv(3, 16), Cbam(16), _conv(16, 32), Cbam(32), width=32)


class SegNet(nn.Module):
    """Pools with indices, and undoes it by them (Badrinarayanan et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.down1, self.down2 = _conv(3, 16), _conv(16, 24)
        self.up2, self.up1 = _conv(24, 16), _conv(16, 16)
        self.head = nn.Conv2d(16, 5, 1)
        self.pool, self.unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        x, first = self.pool(self.down1(x))
        x, second = self.pool(self.down2(x))
        x = self.up2(self.unpool(x, second))
        return self.head(self.up1(self.unpool(x, first)))


class UNet(nn.Module):
    """Skips from every size, of one, two or three dimensions (Ronneberger et al. 2015)."""

    def __init__(self, dimensions: int, *, interpolates: bool) -> None:
        super().__init__()
        conv = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
        up = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[dimensions - 1]
        norm = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dimensions - 1]
        self.pool = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[dimensions - 1](2)
        mode = ("linear", "bilinear", "trilinear")[dimensions - 1]

        def block(inner: int, outer: int) -> nn.Sequential:
            return nn.Sequential(conv(inner, outer, 3, padding=1), norm(outer), nn.ReLU())

        self.down1, self.down2, self.bottom = block(3, 12), block(12, 20), block(20, 28)
        larger = nn.Upsample(scale_factor=2, mode=mode, align_corners=True)
        self.up2 = nn.Sequential(larger, conv(28, 20, 1)) if interpolates else up(28, 20, 2, stride=2)
        self.up1 = nn.Sequential(larger, conv(20, 12, 1)) if interpolates else up(20, 12, 2, stride=2)
        self.join2, self.join1, self.head = block(40, 20), block(24, 12), conv(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(self.pool(first))
        x = self.join2(torch.cat([self.up2(self.bottom(self.pool(second))), second], 1))
        return self.head(self.join1(torch.cat([self.up1(x), first], 1)))


class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels are standardised on every call (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        mean = self.weight.mean((1, 2, 3), keepdim=True)
        weight = (self.weight - mean) / (self.weight.std((1, 2, 3), keepdim=True) + 1e-5)
        return F.conv2d(x, weight, self.bias, self.stride, self.padding)


def standardised() -> nn.Module:
    first, second = StandardisedConv2d(3, 16, 3, padding=1), StandardisedConv2d(16, 32, 3, padding=1)
    return _classifier(first, nn.GroupNorm(4, 16), nn.ReLU(), second, nn.GroupNorm(8, 32), nn.ReLU(), width=32)


def weight_normed() -> nn.Module:
    layers = weight_norm(nn.Conv2d(3, 16, 3)), nn.ReLU(), weight_norm(nn.Conv2d(16, 32, 3)), nn.ReLU()
    return _classifier(*layers, width=32)


def spectral_normed() -> nn.Module:
    layers = spectral_norm(nn.Conv2d(3, 16, 3)), nn.LeakyReLU(0.2), spectral_norm(nn.Conv2d(16, 32, 3))
    return _classifier(*layers, nn.LeakyReLU(0.2), width=32)


class SuperResolution(nn.Module):
    """Residual blocks and a pixel shuffle, which turns four channels into four pixels (Lim et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 16, 3, padding=1)) for _ in "ab"
        )
        self.up = nn.Sequential(nn.Conv2d(16, 64, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + 0.1 * block(x)
        return self.up(x)


def generator() -> nn.Module:
    """DCGAN's: from a vector to an image (Radford et al. 2016)."""
    return nn.Sequential(
        nn.Unflatten(1, (32, 1, 1)),
        nn.ConvTranspose2d(32, 24, 4, bias=False), nn.BatchNorm2d(24), nn.ReLU(),
        nn.ConvTranspose2d(24, 16, 4, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
        nn.ConvTranspose2d(16, 3, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip


class Siamese(nn.Module):
    """One trunk that sees two images; their difference is judged."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(_conv(3, 16), nn.MaxPool2d(2), _conv(16, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(32, 1)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.head((self.trunk(left) - self.trunk(right)).abs())


class SpatialTransformer(nn.Module):
    """Turns its input by what a small network says before it is classified (Jaderberg et al. 2015)."""

    def __init__(self) -> None:
        super().__init__()
        self.looks = nn.Sequential(nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.turns = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 6))
        self.classifies = _classifier(_conv(3, 16), _conv(16, 24), width=24)

    def forward(self, x: Tensor) -> Tensor:
        theta = self.turns(self.looks(x)).view(-1, 2, 3)
        grid = F.affine_grid(theta, list(x.shape), align_corners=False)
        return self.classifies(F.grid_sample(x, grid, align_corners=False))


class Deformable(nn.Module):
    """A convolution that looks where another one says (Dai et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.ops import DeformConv2d

        self.first, self.offsets = _conv(3, 16), nn.Conv2d(16, 18, 3, padding=1)
        self.deformed, self.head = DeformConv2d(16, 24, 3, padding=1), nn.Linear(24, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return self.head(self.deformed(x, self.offsets(x)).relu().mean((2, 3)))


class CondConv(nn.Module):
    """A kernel that is mixed for every image from several (Yang et al. 2019)."""

    def __init__(self, inner: int, outer: int, experts: int = 3) -> None:
        super().__init__()
        self.routes = nn.Linear(inner, experts)
        self.weight = nn.Parameter(0.1 * torch.randn(experts, outer, inner, 3, 3))

    def forward(self, x: Tensor) -> Tensor:
        n, c, h, w = x.shape
        weight = torch.einsum("ne,eoikl->noikl", self.routes(x.mean((2, 3))).sigmoid(), self.weight)
        out = F.conv2d(x.reshape(1, n * c, h, w), weight.flatten(0, 1), padding=1, groups=n)
        return out.view(n, -1, h, w)


def conditional() -> nn.Module:
    return _classifier(_conv(3, 16), CondConv(16, 24), nn.ReLU(), _conv(24, 32), width=32)


class Mixer(nn.Module):
    """Mixes tokens, then channels (Tolstikhin et al. 2021)."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.tokens = nn.Sequential(nn.Linear(tokens, 24), nn.GELU(), nn.Linear(24, tokens))
        self.channels = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.norm2(x))


class Mixing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches, self.head = nn.Conv2d(3, 32, 8, 8), nn.Linear(32, CLASSES)
        self.blocks = nn.Sequential(Mixer(16, 32), Mixer(16, 32))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.blocks(self.patches(x).flatten(2).transpose(1, 2)).mean(1))


class Highway(nn.Module):
    """A gate chooses between a layer and its input (Srivastava et al. 2015)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer, self.gate = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.gate(x).sigmoid()
        return gate * self.layer(x).relu() + (1 - gate) * x


def highway() -> nn.Module:
    return _classifier(_conv(3, 20), Highway(20), Highway(20), width=20)


class Maxout(nn.Module):
    """The larger of two maps (Goodfellow et al. 2013)."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inner, 2 * outer, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv(x).chunk(2, 1)
        return torch.maximum(first, second)


def maxout() -> nn.Module:
    return _classifier(Maxout(3, 16), Maxout(16, 24), width=24)


class SplitBlock(nn.Module):
    """Half of the channels pass, the other half is worked on; the halves are numbers kept beside the layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.half = width // 2
        self.conv = _conv(self.half, self.half)

    def forward(self, x: Tensor) -> Tensor:
        passed, worked = x.split((self.half, self.half), 1)
        return torch.cat([passed, self.conv(worked)], 1)


def split() -> nn.Module:
    return _classifier(_conv(3, 24), SplitBlock(24), _conv(24, 32), SplitBlock(32), width=32)


class CrossStage(nn.Module):
    """Every stage is kept and joined, as in YOLO's C2f."""

    def __init__(self, inner: int, outer: int) -> None:
        super().__init__()
        self.c = outer // 2
        self.first, self.last = _conv(inner, 2 * self.c, 1), _conv(4 * self.c, outer, 1)
        self.inner = nn.ModuleList(_conv(self.c, self.c) for _ in "ab")

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.first(x).chunk(2, 1))
        for layer in self.inner:
            parts.append(parts[-1] + layer(parts[-1]))
        return self.last(torch.cat(parts, 1))


def cross_stage() -> nn.Module:
    return _classifier(_conv(3, 16), CrossStage(16, 24), CrossStage(24, 32), width=32)


class Autoencoder(nn.Module):
    """A variational one: what it knows of an image is a mean and a spread (Kingma and Welling 2014)."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Sequential(nn.Conv2d(3, 16, 4, 4), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 64, 48), nn.ReLU())
        self.mean, self.spread = nn.Linear(48, 12), nn.Linear(48, 12)
        self.decode = nn.Sequential(
            nn.Linear(12, 16 * 64), nn.ReLU(), nn.Unflatten(1, (16, 8, 8)), nn.ConvTranspose2d(16, 3, 4, 4)
        )

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.encode(x)
        latent = self.mean(hidden) + (torch.exp(self.spread(hidden)) if self.training else 0)
        return self.decode(latent)


class PointNet(nn.Module):
    """Points (batch, 3, points), turned by a matrix the network makes, and the largest of each channel (Qi 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.turn = nn.Sequential(
            nn.Conv1d(3, 16, 1), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(16, 9)
        )
        self.each = nn.Sequential(nn.Conv1d(3, 24, 1), nn.BatchNorm1d(24), nn.ReLU(), nn.Conv1d(24, 48, 1))
        self.head = nn.Sequential(nn.Linear(48, 24), nn.ReLU(), nn.Linear(24, CLASSES))

    def forward(self, points: Tensor) -> Tensor:
        turned = torch.bmm(self.turn(points).view(-1, 3, 3), points)
        return self.head(self.each(turned).amax(-1))


def embedding_net() -> nn.Module:
    """Normalised features, as for metric learning."""

    class Normalised(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return F.normalize(x, dim=1)

    return nn.Sequential(_classifier(_conv(3, 16), _conv(16, 24), width=24), Normalised())


class NonLocal(nn.Module):
    """Every place looks at every other (Wang et al. 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.theta, self.phi, self.g = (nn.Conv2d(width, inner, 1) for _ in range(3))
        self.out = nn.Conv2d(inner, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).flatten(2) for layer in (self.theta, self.phi, self.g))
        weights = (q.transpose(1, 2) @ k).softmax(-1)
        return x + self.out((v @ weights.transpose(1, 2)).view(*q.shape[:2], *x.shape[2:]))


def non_local() -> nn.Module:
    return _classifier(_conv(3, 16), nn.MaxPool2d(4), NonLocal(16), _conv(16, 24), width=24)


class Capsules(nn.Module):
    """Channels in capsules that are squashed by their length (Sabour et al. 2017)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.primary = _conv(3, 16), nn.Conv2d(16, 32, 5, 4)
        self.weight = nn.Parameter(0.1 * torch.randn(4, CLASSES, 6, 8))

    def forward(self, x: Tensor) -> Tensor:
        capsules = self.primary(self.conv(x)).flatten(2).mean(2).view(-1, 4, 8)
        length = capsules.norm(dim=-1, keepdim=True)
        capsules = capsules * length / (1 + length**2)
        return torch.einsum("cokd,ncd->nock", self.weight, capsules).sum(2).norm(dim=-1)
