"""Toy networks, one awkward pattern each, and what should be found in them.

A toy is a function of its parts and an input of shape (batch, 3, 8, 8). `groups` are the groups that can lose
something: name → (units, channels that leave with one unit). What is blocked or inexact is named with a piece
of the reason.
"""

from collections import UserDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torchvision.ops import deform_conv2d

from explorer.bench.families import stir
from tests.nets import conv

Sizes = Mapping[str, tuple[int, int]]
OUTPUTS = "these are the model's outputs"


class Network(nn.Module):
    def __init__(self, run: Callable[["Network", Tensor], Any], parts: Mapping[str, Any]) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Tensor) -> Any:
        return self.run(self, x)


@dataclass(frozen=True)
class Toy:
    name: str
    run: Callable[[Network, Tensor], Any]
    parts: Callable[[], dict[str, Any]]
    groups: Sizes
    blocked: Mapping[str, str] = field(default_factory=dict)
    inexact: Mapping[str, str] = field(default_factory=dict)
    least: int = 1  # units that every group keeps

    def make(self) -> Network:
        torch.manual_seed(0)
        return stir(Network(self.run, self.parts())).eval()


TOYS: dict[str, Toy] = {}


def toy(parts: Callable[[], dict[str, Any]], groups: Sizes, **expected: Any) -> Callable:
    """Register a function of (parts, input) as a toy."""

    def register(run: Callable[[Network, Tensor], Any]) -> Callable:
        TOYS[run.__name__] = Toy(run.__name__, run, parts, groups, **expected)
        return run

    return register


def table(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape))


def pooled(x: Tensor) -> Tensor:
    return x.mean((2, 3))


def tokens(x: Tensor) -> Tensor:
    """(batch, channel, height, width) → (batch, position, channel), laid out so that linear layers see matrices."""
    return x.flatten(2).transpose(1, 2).contiguous()


class Buffer(nn.Module):
    def __init__(self, values: list, saved: bool = True) -> None:
        super().__init__()
        self.register_buffer("values", torch.tensor(values), persistent=saved)


# Concatenations, slices, splits --------------------------------------------------------------------------


@toy(lambda: {"a": conv(3, 8), "b": conv(4, 6), "fc": nn.Linear(10, 5)}, {"a": (4, 2), "b": (6, 1)})
def halves_one_of_them_convolved(net, x):
    left, right = torch.relu(net.a(x)).chunk(2, 1)
    return net.fc(pooled(torch.cat([net.b(left), right], 1)))


@toy(lambda: {"a": conv(3, 8), "b": conv(8, 6), "fc": nn.Linear(6, 5)}, {"a": (2, 4), "b": (6, 1)})
def quarters_joined_in_another_order(net, x):
    p, q, r, s = net.a(x).split(net.a.out_channels // 4, 1)
    return net.fc(pooled(torch.relu(net.b(torch.cat([s, q, p.tanh(), r], 1)))))


@toy(lambda: {"a": conv(3, 9), "b": conv(6, 4), "fc": nn.Linear(4, 5)}, {"a": (3, 3), "b": (4, 1)})
def a_third_that_nobody_reads(net, x):
    first, _, last = net.a(x).chunk(3, 1)
    return net.fc(pooled(torch.relu(net.b(torch.cat([last, first], 1)))))


@toy(lambda: {"a": conv(3, 6), "b": conv(12, 4), "fc": nn.Linear(4, 5)}, {"a": (6, 1), "b": (4, 1)})
def the_same_channels_twice(net, x):
    a = net.a(x)
    return net.fc(pooled(net.b(torch.cat([a.relu(), a.flip(1).tanh()], 1))))


@toy(
    lambda: {"a": conv(3, 4), "b": conv(4, 3), "c": conv(7, 3), "bn": nn.BatchNorm2d(10), "fc": nn.Linear(10, 5)},
    {"a": (4, 1), "b": (3, 1), "c": (3, 1)},
)
def dense_block(net, x):
    a = net.a(x)
    b = net.b(a.relu())
    c = net.c(torch.cat([b, a], 1).relu())
    return net.fc(pooled(net.bn(torch.cat([c, a, b], 1)).relu()))


@toy(lambda: {"a": conv(3, 6), "b": conv(8, 4), "fc": nn.Linear(4, 5)}, {"a": (6, 1), "b": (4, 1)})
def coordinates_joined(net, x):
    across = torch.linspace(0, 1, 8).expand(len(x), 1, 8, 8)
    return net.fc(pooled(net.b(torch.cat([across, net.a(x).relu(), across.transpose(2, 3)], 1))))


@toy(
    lambda: {"a": conv(3, 8), "left": conv(4, 3), "right": conv(4, 3), "fc": nn.Linear(6, 5)},
    {"left": (3, 1), "right": (3, 1)},
    blocked={"a": "the cut model"},
)
def fixed_bounds(net, x):
    a = net.a(x)
    return net.fc(pooled(torch.cat([net.left(a[:, :4]), net.right(a[:, 4:])], 1)))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(3, 4), "fc": nn.Linear(8, 5)},
    {},
    blocked=dict.fromkeys(("a", "b"), "the cut model does not run"),
)
def written_into_a_slice(net, x):
    a = net.a(x)
    a[:, :4] = net.b(x)
    return net.fc(pooled(a))


@toy(lambda: {"a": conv(3, 8), "b": conv(3, 6), "fc": nn.Linear(14, 5)}, {"a": (8, 1), "b": (6, 1)})
def written_side_by_side(net, x):
    a, b = net.a(x), net.b(x).relu()
    both = a.new_empty(len(x), a.shape[1] + b.shape[1], 8, 8)
    both[:, a.shape[1] :] = b
    both[:, : a.shape[1]] = a
    return net.fc(pooled(both))


@toy(lambda: {"a": conv(3, 8), "b": conv(12, 6), "fc": nn.Linear(6, 5)}, {"a": (8, 1), "b": (6, 1)})
def written_before_zeros(net, x):
    a = net.a(x)
    wider = x.new_zeros(len(x), a.shape[1] + 4, 8, 8)
    wider[:, : a.shape[1]] = a
    return net.fc(pooled(net.b(wider)))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(12, 6), "fc": nn.Linear(6, 5)},
    {"b": (6, 1)},
    blocked={"a": "the cut model does not run"},
)
def written_over_numbers(net, x):
    a, wider = net.a(x), torch.arange(12.0).view(1, -1, 1, 1).repeat(len(x), 1, 8, 8)
    wider[:, : a.shape[1]] = a
    return net.fc(pooled(net.b(wider)))


@toy(lambda: {"a": nn.Linear(3, 6), "b": nn.Linear(3, 8), "fc": nn.Linear(10, 5)}, {"a": (6, 1), "b": (4, 2)})
def complex_numbers_beside_others(net, x):
    x = tokens(x)
    a = net.a(x)
    both = torch.cat([a, net.b(x)], -1)
    numbers = torch.view_as_complex(both[..., a.shape[-1] :].unflatten(-1, (-1, 2))).abs()
    return net.fc(torch.cat([a.relu(), numbers], -1).mean(1))


def turned(x: Tensor) -> Tensor:
    """Pairs of places turned by angles that differ."""
    a, b = x[..., ::2], x[..., 1::2]
    angles = torch.arange(x.shape[-2])[:, None] / torch.arange(1.0, a.shape[-1] + 1)
    return torch.cat([a * angles.cos() - b * angles.sin(), a * angles.sin() + b * angles.cos()], -1)


@toy(
    lambda: {"q": nn.Linear(3, 20), "latent": nn.Linear(3, 7), "kv": nn.Linear(5, 24), "out": nn.Linear(12, 5)},
    {"q": (4, 3), "latent": (5, 1)},
    blocked={"latent": "all heads share them"},
)
def latent_attention(net, x):
    x = tokens(x)
    latent, own = net.latent(x), net.q(x).unflatten(-1, (-1, 5)).transpose(1, 2)
    k, v = net.kv(latent[..., :-2]).unflatten(-1, (-1, 6)).transpose(1, 2).split(3, -1)
    queries, keys = torch.cat([own[..., :3], turned(own[..., 3:])], -1), k.new_empty(*k.shape[:-1], 5)
    keys[..., :3] = k
    keys[..., 3:] = turned(latent[:, None, :, -2:])
    y = F.scaled_dot_product_attention(queries, keys, v, scale=0.5)
    return net.out(y.transpose(1, 2).flatten(2).mean(1))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 4), "order": Buffer([3, 1, 0, 2, 7, 6, 4, 5]), "fc": nn.Linear(4, 5)},
    {"a": (8, 1), "b": (4, 1)},
)
def numbered_by_a_buffer(net, x):
    return net.fc(pooled(net.b(net.a(x).index_select(1, net.order.values))))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 4), "order": Buffer([3, 1, 0, 2, 7, 6, 4, 5]), "fc": nn.Linear(4, 5)},
    {"a": (8, 1), "b": (4, 1)},
)
def indexed_by_a_buffer(net, x):
    return net.fc(pooled(net.b(net.a(x)[:, net.order.values])))


@toy(
    lambda: {"a": conv(3, 8), "some": Buffer([3, 1, -6]), "b": conv(3, 4), "fc": nn.Linear(4, 5)},
    {"a": (5, 1), "a#2": (3, 1), "b": (4, 1)},
)
def some_chosen_by_a_buffer(net, x):
    return net.fc(pooled(net.b(net.a(x)[:, net.some.values])))


@toy(
    lambda: {
        "a": conv(3, 8), "b": conv(3, 8), "c": conv(3, 8), "d": conv(3, 8), "part": Buffer([3, 1, 0, 2]),
        "square": Buffer([[0, 1], [2, 3]]), "gone": Buffer([2, 1, 0, 3], saved=False), "e": conv(3, 8),
        "marks": Buffer([True, False] * 4), "f": conv(3, 4), "fc": nn.Linear(22, 5),
    },
    {"f": (4, 1)},
    blocked=dict.fromkeys("abcde", "chosen by fixed numbers in the model"),
)  # fmt: skip
def numbers_that_can_not_be_written_anew(net, x):
    parts = (net.a(x)[:, net.part.values[:2]], net.b(x)[:, [0, 2]], net.d(x)[:, net.gone.values])
    parts = (*parts, net.c(x)[:, net.square.values].amax(2), net.e(x)[:, net.marks.values])
    f = net.f(x).flatten(2).transpose(1, 2)[:, :2][x.new_ones(len(x), 2, dtype=torch.bool)]
    return net.fc(torch.cat([pooled(torch.cat(parts, 1).relu()), f.view(len(x), -1)], 1))


@toy(
    lambda: {"a": conv(3, 8), "down": conv(8, 10), "mid": conv(10, 6), "last": conv(14, 7), "fc": nn.Linear(7, 5)},
    {"a": (8, 1), "down": (10, 1), "mid": (6, 1), "last": (7, 1)},
)
def u_net(net, x):
    a = net.a(x).relu()
    deep = net.mid(net.down(F.max_pool2d(a, 2)).relu())
    return net.fc(pooled(net.last(torch.cat([a, F.interpolate(deep, scale_factor=2)], 1)).relu()))


# Positions chosen, sorted, summed up, transformed --------------------------------------------------------


@toy(
    lambda: {"a": conv(3, 8), "b": nn.Linear(8, 6), "c": nn.Linear(6, 7), "d": nn.Linear(7, 7), "fc": nn.Linear(7, 5)},
    {"a": (8, 1), "b": (6, 1), "c": (7, 1)},
)
def messages_along_edges(net, x):
    t = tokens(net.a(x)).flatten(0, 1)
    ends = (torch.arange(len(t)) * 7 + 3) % len(t)
    t = net.b(torch.zeros_like(t).index_add(0, ends, t[ends.flip(0)])).relu()
    places = ends[:, None].expand(-1, t.shape[1])
    t = net.c(torch.zeros_like(t).scatter_add_(0, places, t) + t.gather(0, places)).relu()
    u = torch.zeros_like(t)
    u.index_put_((ends,), net.d(t), accumulate=True)
    return net.fc((u + t).view(len(x), 64, -1).mean(1))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "c": conv(6, 7), "gain": table(6, 8, 5, 2), "fc": nn.Linear(7, 5)},
    {"a": (8, 1), "b": (6, 1), "c": (7, 1)},
)
def operators_along_positions(net, x):
    x = net.b(net.a(x).cumsum(2).tril().sort(3).values)
    x = torch.fft.irfft2(torch.fft.rfft2(x) * torch.view_as_complex(net.gain))
    return net.fc(net.c(x.relu()).flatten(2).topk(3, 2).values.mean(2))


@toy(
    lambda: {
        "a": conv(3, 6), "b": conv(6, 6), "c": nn.Conv2d(54, 8, 1), "d": nn.Conv2d(8, 36, 1), "flow": conv(4, 2),
        "e": conv(4, 7), "fc": nn.Linear(7, 5),
    },
    {"a": (6, 1), "b": (6, 1), "c": (8, 1), "d": (4, 9), "e": (7, 1)},
    blocked={"flow": "used as coordinates"},
)  # fmt: skip
def pooled_and_put_back_then_windows_and_a_flow(net, x):
    x, places = F.max_pool2d(net.a(x), 2, return_indices=True)
    x = net.b(F.max_unpool2d(x, places, 2)).relu()
    windows = F.unfold(x, 3, padding=1).unflatten(2, (8, 8))
    x = F.fold(net.d(net.c(windows).relu()).flatten(2), (8, 8), 3, padding=1)
    return net.fc(pooled(net.e(F.grid_sample(x, net.flow(x).movedim(1, -1).tanh(), align_corners=False)).relu()))


@toy(
    lambda: {"a": conv(3, 6), "offset": conv(6, 18), "mask": conv(6, 9), "b": conv(6, 8), "fc": nn.Linear(8, 5)},
    {"a": (6, 1), "b": (8, 1)},
    blocked=dict.fromkeys(("offset", "mask"), "used as coordinates"),
)
def deformable_convolution(net, x):
    a = net.a(x).relu()
    b = deform_conv2d(a, net.offset(a), net.b.weight, net.b.bias, padding=1, mask=net.mask(a).sigmoid())
    return net.fc(pooled(b.relu()))


# Shared weights ------------------------------------------------------------------------------------------


def _tied() -> dict[str, Any]:
    parts = {"a": conv(3, 8), "one": nn.Linear(8, 6), "two": nn.Linear(8, 6), "back": nn.Linear(6, 8)}
    parts["two"].weight = parts["one"].weight
    return {**parts, "fc": nn.Linear(8, 5)}


@toy(_tied, {"a": (8, 1), "one": (6, 1)})
def two_linears_with_one_weight_and_two_biases(net, x):
    t = pooled(net.a(x))
    t = t + net.back(net.one(t).relu())
    return net.fc(t + net.back(net.two(t).sigmoid()))


@toy(
    lambda: {
        "a": conv(3, 6), "b": conv(6, 6, stride=2), "head": conv(6, 4), "bn1": nn.BatchNorm2d(4),
        "bn2": nn.BatchNorm2d(4), "fc": nn.Linear(4, 5),
    },
    {"a": (6, 1), "head": (4, 1)},
)  # fmt: skip
def one_head_at_two_resolutions(net, x):
    fine = net.a(x).relu()
    coarse = net.b(fine).relu()
    return net.fc(pooled(net.bn1(net.head(fine))) + pooled(net.bn2(net.head(coarse)).relu()))


@toy(lambda: {"a": conv(3, 6), "step": conv(6, 6), "fc": nn.Linear(6, 5)}, {"a": (6, 1)})
def a_loop_through_one_layer(net, x):
    x = net.a(x)
    for _ in range(3):
        x = net.step(x).relu()
    return net.fc(pooled(x))


@toy(
    lambda: {"a": conv(3, 6), "b": conv(3, 6), "shared": nn.Linear(6, 4), "fc": nn.Linear(8, 5)},
    {"a": (6, 1), "shared": (4, 1)},
)
def siamese(net, x):
    return net.fc(torch.cat([net.shared(pooled(net.a(x))), net.shared(pooled(net.b(x).relu()))], 1))


@toy(
    lambda: {"a": conv(3, 6), "b": conv(3, 6), "bias": table(6, 1, 1), "fc": nn.Linear(6, 5), "gc": nn.Linear(6, 5)},
    {"a": (6, 1)},
)
def one_bias_for_two_streams(net, x):
    return net.fc(pooled((net.a(x) + net.bias).relu())) + net.gc(pooled((net.b(x) + net.bias).tanh()))


def _two_names() -> dict[str, Any]:
    layer = conv(6, 6)
    return {"a": conv(3, 6), "one": layer, "two": layer, "fc": nn.Linear(6, 5)}


@toy(_two_names, {"a": (6, 1)})
def one_module_under_two_names(net, x):
    return net.fc(pooled(net.two(net.one(net.a(x)).relu()).relu()))


@toy(
    lambda: {"a": conv(3, 8), "enc": nn.Linear(8, 6), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "enc": (6, 1)},
)
def autoencoder_with_a_transposed_weight(net, x):
    return net.fc(F.linear(net.enc(pooled(net.a(x))).relu(), net.enc.weight.t()).relu())


@toy(
    lambda: {"words": nn.Embedding(16, 8), "up": nn.Linear(8, 6), "down": nn.Linear(6, 8)},
    {"words": (8, 1), "up": (6, 1)},
)
def language_model_with_tied_embeddings(net, x):
    t = net.words((x[:, 0, 0] * 5).abs().long().clamp(max=15))
    return F.linear(t + net.down(net.up(t).relu()), net.words.weight)


@toy(
    lambda: {"a": conv(3, 8), "square": nn.Linear(8, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "square": (8, 1)},
)
def a_square_weight_used_both_ways(net, x):
    return net.fc(F.linear(net.square(pooled(net.a(x))).relu(), net.square.weight.t()).relu())


# Reshapes ------------------------------------------------------------------------------------------------


@toy(
    lambda: {"a": conv(3, 6), "bn": nn.BatchNorm1d(96), "b": nn.Linear(96, 7), "fc": nn.Linear(7, 5)},
    {"a": (6, 1), "b": (7, 1)},
)
def flattened_and_normalised(net, x):
    return net.fc(net.b(net.bn(F.max_pool2d(net.a(x), 2).flatten(1)).relu()).relu())


@toy(
    lambda: {"a": nn.Linear(192, 64), "b": conv(4, 6), "fc": nn.Linear(6, 5)},
    {"a": (4, 16), "b": (6, 1)},
)
def decoder_from_a_linear_layer(net, x):
    return net.fc(pooled(net.b(net.a(x.flatten(1)).view(len(x), -1, 4, 4)).relu()))


@toy(lambda: {"a": conv(3, 4), "b": conv(16, 6), "fc": nn.Linear(6, 5)}, {"a": (4, 1), "b": (6, 1)})
def pixel_unshuffle(net, x):
    return net.fc(pooled(net.b(F.pixel_unshuffle(net.a(x), 2)).relu()))


@toy(
    lambda: {"a": conv(3, 16), "b": conv(4, 6), "fc": nn.Linear(6, 5)},
    {"a": (4, 4), "b": (6, 1)},
)
def pixel_shuffle(net, x):
    return net.fc(pooled(net.b(F.pixel_shuffle(net.a(x), 2)).relu()))


@toy(
    lambda: {"a": conv(3, 16), "bn": nn.BatchNorm2d(4), "b": conv(4, 6), "fc": nn.Linear(6, 5)},
    {"a": (4, 4), "b": (6, 1)},
)
def pixels_shuffled_then_normalised_and_pooled(net, x):
    return net.fc(pooled(net.b(F.max_pool2d(net.bn(F.pixel_shuffle(net.a(x), 2)).relu(), 3, 1, 1)).relu()))


@toy(lambda: {"a": nn.Linear(192, 64), "fc": nn.Linear(64, 5)}, {"a": (4, 16)})
def neighbours_pooled_at_full_size(net, x):
    return net.fc(F.max_pool2d(net.a(x.flatten(1)).view(len(x), -1, 4, 4), 3, 1, 1).flatten(1))


@toy(
    lambda: {"a": nn.Linear(192, 64), "b": conv(1, 6), "fc": nn.Linear(6, 5)},
    {},
    blocked=dict.fromkeys("ab", "convolution over mixed axes in b"),
)
def channels_as_an_image(net, x):
    return net.fc(pooled(net.b(net.a(x.flatten(1)).view(len(x), 1, 8, 8)).relu()))


@toy(lambda: {"a": conv(3, 8), "fc": nn.Linear(4, 5)}, {"a": (4, 2)})
def maxout(net, x):
    a = net.a(x)
    return net.fc(pooled(a.view(len(a), -1, 2, 8, 8).amax(2)))


@toy(
    lambda: {"a": nn.Conv1d(3, 8, 3), "b": nn.Conv1d(8, 6, 1), "c": nn.Conv3d(6, 4, 2), "fc": nn.Linear(4, 5)},
    {"a": (8, 1), "b": (6, 1), "c": (4, 1)},
)
def one_and_three_dimensions(net, x):
    x = net.b(net.a(x.flatten(2)).relu())[..., :27]
    return net.fc(net.c(x.unflatten(2, (3, 3, 3))).relu().mean((2, 3, 4)))


# Layers nobody reaches -----------------------------------------------------------------------------------


@toy(
    lambda: {"a": conv(3, 8), "spare": conv(8, 4), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
    blocked={"spare": "no input of this size reaches it"},
)
def an_unused_layer(net, x):
    return net.fc(pooled(net.a(x).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "b": (6, 1)},
)
def a_result_thrown_away(net, x):
    a = net.a(x).relu()
    net.b(a)
    return net.fc(pooled(a))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "aux": conv(6, 4), "fc": nn.Linear(6, 5), "extra": nn.Linear(4, 5)},
    {"a": (8, 1), "b": (6, 1), "aux": (4, 1)},
)
def an_auxiliary_head_in_training(net, x):
    b = net.b(net.a(x).relu()).relu()
    out = net.fc(pooled(b))
    return (out, net.extra(pooled(net.aux(b)))) if net.training else out


# Grouped, depthwise, transposed --------------------------------------------------------------------------


@toy(
    lambda: {
        "a": conv(3, 8, 1), "one": conv(8, 8, 1, groups=2), "deep": conv(8, 8, groups=8),
        "two": conv(8, 6, 1, groups=2), "fc": nn.Linear(6, 5),
    },
    {"a": (4, 2), "one": (2, 4), "two": (3, 2)},
)  # fmt: skip
def grouped_then_shuffled(net, x):
    x = net.one(net.a(x).relu()).relu()
    b, c, h, w = x.shape
    x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
    return net.fc(pooled(net.two(net.deep(x))))


@toy(
    lambda: {"a": conv(3, 6), "b": conv(3, 2), "c": conv(8, 6, groups=2), "fc": nn.Linear(6, 5)},
    {"a": (2, 2), "a#2": (2, 1), "c": (3, 2)},  # the convolution's second half reads the end of `a` and all of `b`
)
def grouped_over_a_concatenation(net, x):
    return net.fc(pooled(net.c(torch.cat([net.a(x), net.b(x)], 1)).relu()))


@toy(
    lambda: {"a": conv(3, 4), "b": conv(3, 2), "deep": conv(6, 12, groups=6), "fc": nn.Linear(12, 5)},
    {"a": (4, 1), "b": (2, 1)},
)
def depthwise_with_a_multiplier_over_a_concatenation(net, x):
    return net.fc(pooled(net.deep(torch.cat([net.a(x), net.b(x).relu()], 1)).relu()))


@toy(
    lambda: {
        "a": conv(3, 8), "up": nn.ConvTranspose2d(8, 6, 2, stride=2), "wide": nn.ConvTranspose2d(6, 9, 3, groups=3),
        "fc": nn.Linear(9, 5),
    },
    {"a": (8, 1), "up": (2, 3), "wide": (3, 3)},
)  # fmt: skip
def transposed_and_grouped(net, x):
    return net.fc(pooled(net.wide(net.up(net.a(x).relu()).relu()).relu()))


@toy(
    lambda: {"a": conv(3, 8), "up": nn.ConvTranspose2d(8, 8, 2, stride=2, groups=8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def transposed_and_depthwise(net, x):
    return net.fc(pooled(net.up(net.a(x).relu()).relu()))


@toy(
    lambda: {"a": conv(3, 6), "up": nn.ConvTranspose2d(6, 12, 2, stride=2, groups=6), "fc": nn.Linear(12, 5)},
    {"a": (6, 1)},
)
def transposed_and_depthwise_with_a_multiplier(net, x):
    return net.fc(pooled(net.up(net.a(x).relu()).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 8), "fc": nn.Linear(8, 5)},
    {},
    blocked={"a": "a computed kernel"},
)
def kernels_in_another_order(net, x):
    return net.fc(pooled(F.conv2d(net.a(x), net.b.weight.flip(0), padding=1).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": nn.Conv2d(8, 6, 3, padding=1, padding_mode="circular"), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1)},
)
def circular_padding(net, x):
    return net.fc(pooled(net.b(net.a(x)).relu()))


# Bare parameters -----------------------------------------------------------------------------------------


@toy(
    lambda: {
        "a": conv(3, 8), "scale": table(8, 1, 1), "shift": table(1, 8, 1, 1), "b": conv(8, 8), "gamma": table(8),
        "one": table(), "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1)},
)  # fmt: skip
def scale_and_shift(net, x):
    x = (net.a(x) * net.scale + net.shift).relu()
    x = x + net.one * net.gamma.view(-1, 1, 1) * net.b(x)
    return net.fc(pooled(x * torch.ones(1)))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "token": table(1, 1, 8), "place": table(1, 5, 8), "slope": nn.PReLU(8),
        "up": nn.Linear(8, 6), "down": nn.Linear(6, 8), "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "up": (6, 1)},
)  # fmt: skip
def token_and_position_table(net, x):
    t = torch.cat([net.token.expand(len(x), -1, -1), tokens(net.slope(net.a(x)))], 1) + net.place
    return net.fc((t + net.down(net.up(t).relu()))[:, 0])


@toy(
    lambda: {"a": conv(3, 8), "place": table(1, 8, 8, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def position_table_with_channels_first(net, x):
    return net.fc(pooled((net.a(x) + net.place).relu()))


@toy(
    lambda: {"a": conv(3, 8), "place": table(1, 1, 8, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def one_map_added_to_all_channels(net, x):
    return net.fc(pooled((net.a(x) + net.place).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(3, 8), "weights": table(2), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def weighted_sum_of_two_branches(net, x):
    return net.fc(pooled((net.weights[0] * net.a(x) + net.weights[1] * net.b(x)).relu()))


@toy(
    lambda: {"a": conv(3, 8), "mix": nn.Linear(8, 6, bias=False), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "mix": (6, 1)},
    least=2,  # of one channel einsum makes a product entry by entry, which is not counted
)
def einsum_with_a_weight(net, x):
    return net.fc(pooled(torch.einsum("bchw,dc->bdhw", net.a(x), net.mix.weight).relu()))


@toy(
    lambda: {"a": nn.Conv2d(3, 8, 4, stride=4), "mix": nn.Linear(6, 8), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "mix": (6, 1)},
)
def matmul_with_a_weight(net, x):
    return net.fc((tokens(net.a(x)) @ net.mix.weight).relu().mean(1))


@toy(
    lambda: {"a": conv(3, 8), "gain": table(8), "power": table(8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def computed_scales(net, x):
    return net.fc(pooled(net.a(x) * (1 + net.gain.sigmoid() * 2).view(-1, 1, 1)).relu() * net.gain * net.power.exp())


@toy(
    lambda: {"a": conv(3, 8), "b": conv(3, 8), "weights": table(2), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def branches_weighted_by_a_softmax(net, x):
    one, two = net.weights.softmax(0)
    return net.fc(pooled((one * net.a(x) + two * net.b(x)).relu()))


@toy(lambda: {"a": conv(3, 8), "map": table(8, 8), "fc": nn.Linear(8, 5)}, {"a": (8, 1)})
def one_row_of_pixels_for_every_channel(net, x):
    return net.fc(pooled((net.a(x) * net.map.t()[:, None]).relu()))


@toy(
    lambda: {"a": conv(3, 8), "maps": table(1, 2, 8, 8), "b": conv(10, 6), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1)},
)
def learned_maps_joined(net, x):
    return net.fc(pooled(net.b(torch.cat([net.a(x), net.maps.expand(len(x), -1, -1, -1)], 1)).relu()))


@toy(
    lambda: {"a": conv(3, 8), "mix": table(6, 8), "shift": table(6, 1), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "mix": (6, 1)},
)
def a_weight_from_the_left(net, x):
    return net.fc((net.mix @ net.a(x).flatten(2) + net.shift).relu().mean(2))


@toy(
    lambda: {"a": conv(3, 8), "b": nn.Linear(8, 6), "down": table(2, 8), "up": table(6, 2), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1), "down": (2, 1)},
)
def low_rank_adapter(net, x):
    t = pooled(net.a(x))
    return net.fc((net.b(t) + t @ net.down.t() @ net.up.t()).relu())


# Normalisation and statistics ----------------------------------------------------------------------------


class RootMeanSquare(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * self.weight


class LayerNorm2d(nn.Module):
    """Layer norm over the channels of an image, as ConvNeXt's authors write it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean(1, keepdim=True)
        spread = (x - mean).pow(2).mean(1, keepdim=True)
        return self.weight[:, None, None] * (x - mean) / torch.sqrt(spread + 1e-6) + self.bias[:, None, None]


@toy(
    lambda: {
        "a": conv(3, 8), "b": conv(3, 4), "group": nn.GroupNorm(2, 12), "c": conv(12, 6), "one": nn.GroupNorm(1, 6),
        "fc": nn.Linear(6, 5),
    },
    {"a": (2, 2), "a#2": (4, 1), "c": (6, 1)},
)  # fmt: skip
def group_norms_over_a_concatenation(net, x):
    x = net.group(torch.cat([net.a(x), net.b(x)], 1)).relu()
    return net.fc(pooled(net.one(net.c(x)).relu()))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "norm": nn.LayerNorm(8), "up": nn.Linear(8, 10), "down": nn.Linear(10, 8),
        "side": nn.Linear(8, 4), "last": nn.LayerNorm(12), "fc": nn.Linear(12, 5),
    },
    {"a": (8, 1), "up": (10, 1), "side": (4, 1)},
)  # fmt: skip
def layer_norms_also_over_a_concatenation(net, x):
    t = tokens(net.a(x))
    t = t + net.down(F.gelu(net.up(net.norm(t))))
    return net.fc(net.last(torch.cat([t, net.side(t)], -1)).mean(1))


@toy(
    lambda: {"a": conv(3, 8), "norm": LayerNorm2d(8), "b": conv(8, 6), "rms": RootMeanSquare(6), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1)},
)
def norms_written_by_hand(net, x):
    return net.fc(net.rms(tokens(net.b(net.norm(net.a(x)).relu()))).mean(1))


@toy(
    lambda: {"a": conv(3, 8), "norm": nn.RMSNorm(8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def root_mean_square_of_torch(net, x):
    return net.fc(net.norm(tokens(net.a(x))).mean(1))


@toy(
    lambda: {
        "a": conv(3, 8), "one": nn.InstanceNorm2d(8, affine=True), "b": conv(8, 6),
        "two": nn.InstanceNorm2d(6, track_running_stats=True), "fc": nn.Linear(6, 5),
    },
    {"a": (8, 1), "b": (6, 1)},
)  # fmt: skip
def instance_norms(net, x):
    return net.fc(net.two(net.b(net.one(net.a(x)).relu())).relu().amax((2, 3)))


@toy(
    lambda: {"a": conv(3, 8), "norm": nn.GroupNorm(8, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def group_norm_of_single_channels(net, x):
    return net.fc(net.norm(net.a(x)).relu().amax((2, 3)))


@toy(
    lambda: {
        "a": conv(3, 8), "one": nn.RMSNorm(8, elementwise_affine=False), "b": nn.Linear(8, 6),
        "two": nn.LayerNorm(6, elementwise_affine=False), "c": conv(3, 6), "three": nn.GroupNorm(2, 6, affine=False),
        "fc": nn.Linear(12, 5),
    },
    {"a": (8, 1), "b": (6, 1), "c": (3, 2)},
)  # fmt: skip
def norms_without_weights(net, x):
    t = net.two(net.b(net.one(tokens(net.a(x))))).relu().mean(1)
    return net.fc(torch.cat([t, net.three(net.c(x)).amax((2, 3))], 1))


@toy(
    lambda: {"a": conv(3, 8), "gain": table(8), "b": nn.Linear(8, 6), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1)},
    inexact={"a": "layer norm in the model", "b": "softmax"},
)
def statistics_in_the_open(net, x):
    t = F.layer_norm(pooled(net.a(x)), net.gain.shape, net.gain)
    return net.fc(net.b(t).softmax(1))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(3, 6), "c": conv(3, 4), "fc": nn.Linear(11, 5)},
    {"a": (8, 1), "b": (6, 1), "c": (4, 1)},
    inexact={"a": "linalg_vector_norm", "b": "amax", "c": "mean"},
)
def summaries_of_channels(net, x):
    c = net.c(x)
    b = net.b(x).amax(1, keepdim=True) + (c - c.mean(1, keepdim=True)).std((1, 2, 3), keepdim=True)
    return net.fc(torch.cat([F.normalize(pooled(net.a(x))), pooled(b), pooled(x[:, :2])], 1))


@toy(
    lambda: {"a": conv(3, 8), "norm": nn.LayerNorm([8, 8, 8]), "fc": nn.Linear(8, 5)},
    {},
    blocked={"a": "layer norm over several axes in norm"},
)
def layer_norm_over_the_whole_image(net, x):
    return net.fc(pooled(net.norm(net.a(x))))


# Weights computed from parameters ------------------------------------------------------------------------


class Standardised(nn.Conv2d):
    """Weight standardisation, and a gain for every output, as in Big Transfer and normaliser-free networks."""

    def __init__(self, *shape: int, fused: bool) -> None:
        super().__init__(*shape, padding=1)
        self.gain, self.fused = nn.Parameter(torch.rand(self.out_channels, 1, 1, 1) + 0.5), fused

    def forward(self, x: Tensor) -> Tensor:
        rows, gain = self.weight.reshape(1, self.out_channels, -1), (self.gain * 0.5).view(-1)
        weight = F.batch_norm(rows, None, None, weight=gain, training=True, momentum=0.0).reshape_as(self.weight)
        if not self.fused:
            var, mean = torch.var_mean(self.weight, [1, 2, 3], keepdim=True, unbiased=False)
            weight = (self.weight - mean) / torch.sqrt(var + 1e-5) * self.gain
        return F.conv2d(x, weight, self.bias, padding=1)


class Masked(nn.Conv2d):
    """A convolution that sees only what comes before a pixel."""

    def __init__(self, *shape: int) -> None:
        super().__init__(*shape, padding=1)
        self.register_buffer("mask", torch.ones_like(self.weight).tril())

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight * self.mask, self.bias)


@toy(
    lambda: {
        "a": Standardised(3, 8, 3, fused=True), "b": Standardised(8, 6, 3, fused=False), "c": Masked(6, 4, 3),
        "fc": nn.Linear(4, 5),
    },
    {"a": (8, 1), "b": (6, 1), "c": (4, 1)},
)  # fmt: skip
def standardised_and_masked_weights(net, x):
    return net.fc(pooled(net.c(net.b(net.a(x).relu()).relu()).relu()))


def _normed(by: Callable[..., nn.Module], layer: nn.Module, **options: int) -> nn.Module:
    return by(layer, **options).eval()


@toy(
    lambda: {
        "a": _normed(parametrizations.weight_norm, conv(3, 8)),
        "b": _normed(parametrizations.weight_norm, conv(8, 6, groups=2), dim=3),
        "c": _normed(parametrizations.weight_norm, nn.ConvTranspose2d(6, 4, 2), dim=1),
        "d": _normed(parametrizations.spectral_norm, conv(4, 7)),
        "e": _normed(parametrizations.weight_norm, nn.Linear(7, 9)), "table": table(6, 9), "fc": nn.Linear(6, 5),
    },
    {"a": (4, 2), "b": (3, 2), "c": (4, 1), "d": (7, 1), "e": (9, 1), "table": (6, 1)},
    inexact={"e": "computes its weights"},
)  # fmt: skip
def weights_of_given_norms(net, x):
    x = net.d(net.c(net.b(net.a(x).relu()).relu()).relu()).relu()
    return net.fc(F.linear(net.e(pooled(x)).relu(), F.normalize(net.table) * 3.0).relu())


# Products of activations ---------------------------------------------------------------------------------


def _attention(**widths: int) -> Callable[[], dict[str, Any]]:
    """Queries, keys, values of the given widths (12 unless told) and a patch embedding of 8."""
    q, k, v = (widths.get(name, 12) for name in "qkv")
    return lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "q": nn.Linear(8, q), "k": nn.Linear(8, k), "v": nn.Linear(8, v),
        "out": nn.Linear(widths.get("out", v), 8), "fc": nn.Linear(8, 5), "nq": RootMeanSquare(4),
        "nk": RootMeanSquare(4),
    }  # fmt: skip


HEADS = {"a": (8, 1), "q": (3, 4), "out": (8, 1)}


@toy(_attention(), HEADS)
def einsum_heads(net, x):
    t = tokens(net.a(x))
    q, k, v = (layer(t).unflatten(-1, (-1, 4)) for layer in (net.q, net.k, net.v))
    weights = torch.einsum("bqhd,bkhd->bhqk", q, k).softmax(-1)
    return net.fc(net.out(torch.einsum("bhqk,bkhd->bqhd", weights, v).flatten(2)).relu().mean(1))


@toy(_attention(q=24, k=12, v=12, out=24), {"a": (8, 1), "q": (3, 8), "out": (8, 1)})
def grouped_queries(net, x):
    t = tokens(net.a(x))
    q, k, v = (layer(t).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (net.q, net.k, net.v))
    k, v = k.repeat_interleave(2, 1), v.repeat_interleave(2, 1)
    return net.fc(net.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)).relu().mean(1))


def _fused(rows: int, out: int = 12) -> Callable[[], dict[str, Any]]:
    """Queries, keys and values of one layer."""
    return lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "qkv": nn.Linear(8, rows), "out": nn.Linear(out, 8), "fc": nn.Linear(8, 5),
    }  # fmt: skip


def heads(*linear: Tensor) -> list[Tensor]:
    """(batch, positions, heads · 4) → (batch, heads, positions, 4)"""
    return [x.unflatten(-1, (-1, 4)).transpose(1, 2) for x in linear]


def merged(x: Tensor) -> Tensor:
    return x.transpose(1, 2).flatten(2)


@toy(_attention(q=24, k=12, v=12, out=24), {"a": (8, 1), "q": (3, 8), "out": (8, 1)})
def grouped_queries_as_the_operator_takes_them(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v, enable_gqa=True))).relu().mean(1))


@toy(_attention(q=24, k=12, v=12, out=24), {"a": (8, 1), "q": (3, 8), "out": (8, 1)})
def grouped_queries_of_expanded_keys(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    k, v = (part[:, :, None].expand(-1, -1, 2, -1, -1).flatten(1, 2) for part in (k, v))
    return net.fc(net.out(merged((q @ k.mT).softmax(-1) @ v)).relu().mean(1))


@toy(_attention(k=4, v=4, out=12), HEADS, blocked=dict.fromkeys("kv", "all heads share them in the model"))
def one_key_and_value_for_all_queries(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v, enable_gqa=True))).relu().mean(1))


@toy(_fused(20), {"a": (8, 1), "qkv": (3, 4), "out": (8, 1)}, blocked={"qkv": "all heads share them"})
def a_key_and_a_value_behind_the_queries(net, x):
    fused = net.qkv(tokens(net.a(x))).unflatten(-1, (-1, 4))  # heads of queries, one of keys, one of values
    q, k, v = (part.transpose(1, 2) for part in (fused[..., :-2, :], fused[..., [-2], :], fused[..., [-1], :]))
    return net.fc(net.out(merged((q @ k.mT).softmax(-1) @ v)).relu().mean(1))


@toy(_fused(48, 24), {"a": (8, 1), "qkv": (3, 8), "out": (8, 1)})
def a_key_and_a_value_behind_their_queries(net, x):
    fused = net.qkv(tokens(net.a(x))).unflatten(-1, (-1, 4, 4))  # of each head two queries, a key, a value
    q, k, v = fused[..., :-2, :], fused[..., [-2], :], fused[..., [-1], :]
    q, k, v = (part.expand_as(q).flatten(2, 3).transpose(1, 2) for part in (q, k, v))
    return net.fc(net.out(merged((q @ k.mT).softmax(-1) @ v)).relu().mean(1))


@toy(_fused(36), {"a": (8, 1), "qkv": (3, 4), "out": (8, 1)})
def queries_keys_and_values_of_one_layer_taken_by_number(net, x):
    qkv = net.qkv(tokens(net.a(x))).unflatten(-1, (3, -1, 4)).permute(2, 0, 3, 1, 4)
    q, k, v = qkv[0], qkv[1], qkv[2]
    return net.fc(net.out(merged((q @ k.mT).softmax(-1) @ v)).relu().mean(1))


@toy(
    lambda: {**_fused(36)(), "bq": table(12), "bk": Buffer([0.0] * 12, saved=False), "bv": table(12)},
    {"a": (8, 1), "qkv": (3, 4), "out": (8, 1)},
)
def a_bias_of_three_parts_one_of_them_not_saved(net, x):
    bias = torch.cat([net.bq, net.bk.values, net.bv])
    q, k, v = heads(*F.linear(tokens(net.a(x)), net.qkv.weight, bias).chunk(3, -1))
    return net.fc(net.out(merged((q @ k.mT).softmax(-1) @ v)).relu().mean(1))


@toy(
    lambda: {"a": conv(3, 8), "at": Buffer(torch.eye(80, 8).tolist(), saved=False), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def fixed_positions_that_are_not_saved(net, x):
    t = tokens(net.a(x))
    return net.fc((t * t + net.at.values[torch.arange(t.shape[1])]).relu().mean(1))


def turns(positions: int, places: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (positions, places) of a rotary embedding."""
    angles = torch.arange(positions)[:, None] / 3.0 ** torch.arange(places)
    return angles.cos(), angles.sin()


@toy(_attention(), HEADS)
def rotary_embedding_of_halves(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    cos, sin = (torch.cat([part, part], -1) for part in turns(t.shape[1], 2))
    q, k = (y * cos + torch.cat([-y[..., 2:], y[..., :2]], -1) * sin for y in (q, k))
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v))).relu().mean(1))


@toy(_attention(), HEADS)
def rotary_embedding_of_every_other_place(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    cos, sin = (part.repeat_interleave(2, -1) for part in turns(t.shape[1], 2))
    q, k = (y * cos + torch.stack([-y[..., 1::2], y[..., ::2]], -1).flatten(-2) * sin for y in (q, k))
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v))).relu().mean(1))


@toy(_attention(), HEADS)
def rotary_embedding_of_some_places_that_hardly_turns(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    cos, sin = (part.expand(-1, 2).clone() for part in turns(t.shape[1], 1))  # the same for both places
    q, k = (torch.cat([y[..., :2] * cos + y[..., :2].flip(-1) * sin, y[..., 2:]], -1) for y in (q, k))
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v))).relu().mean(1))


@toy(lambda: {**_attention()(), "sinks": table(3)}, HEADS)
def attention_sinks(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    weights = q @ k.mT
    weights = torch.cat([weights, net.sinks.view(1, -1, 1, 1).expand(len(x), -1, t.shape[1], 1)], -1)
    weights = (weights - weights.amax(-1, keepdim=True)).softmax(-1)[..., :-1]
    return net.fc(net.out(merged(weights @ v)).relu().mean(1))


@toy(
    lambda: {**_attention()(), "before": nn.Linear(3, 5), "after": nn.Linear(5, 3)},
    {"a": (8, 1), "q": (3, 1), "before": (5, 1), "v": (3, 4), "out": (8, 1)},
)
def heads_that_talk(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    weights = net.before((q @ k.mT).permute(0, 2, 3, 1)).permute(0, 3, 1, 2).softmax(-1)
    weights = net.after(weights.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
    return net.fc(net.out(merged(weights @ v)).relu().mean(1))


@toy(lambda: {**_attention()(), "slopes": Buffer([0.5, 0.25, 0.125])}, HEADS)
def slopes_of_heads_in_a_buffer(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    bias = net.slopes.values[:, None, None] * -torch.arange(t.shape[1])
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v, bias[None]))).relu().mean(1))


@toy(
    _attention(),
    {"a": (8, 1), "out": (8, 1)},
    blocked=dict.fromkeys("qkv", "attention with a tensor of fixed width in the model"),
)
def slopes_of_heads_computed(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    bias = -torch.arange(1, 4)[:, None, None] * torch.arange(t.shape[1]) / 8
    return net.fc(net.out(merged(F.scaled_dot_product_attention(q, k, v, bias[None]))).relu().mean(1))


@toy(_attention(), {"a": (8, 1), "out": (8, 1)}, blocked=dict.fromkeys("qkv", "the cut model does not run"))
def a_fixed_number_of_heads(net, x):
    t = tokens(net.a(x))
    q, k, v = (layer(t).unflatten(-1, (3, -1)).transpose(1, 2) for layer in (net.q, net.k, net.v))
    return net.fc(net.out(((q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)).relu().mean(1))


@toy(
    _attention(),
    HEADS,
)
def normalised_queries_and_keys(net, x):
    t = tokens(net.a(x))
    q, k, v = (layer(t).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (net.q, net.k, net.v))
    weights = (net.nq(q) @ net.nk(k).mT).softmax(-1)
    return net.fc(net.out((weights @ v).transpose(1, 2).flatten(2)).relu().mean(1))


class Attention(nn.Module):
    """Attention of (batch, positions, 8) that keeps the width of a head, and normalises queries and keys with it."""

    def __init__(self, heads: int, norm: Callable[[int], nn.Module] = nn.Identity) -> None:
        super().__init__()
        self.head_dim = 12 // heads
        self.qkv, self.out = nn.Linear(8, 36), nn.Linear(12, 8)
        self.nq, self.nk = norm(self.head_dim), norm(self.head_dim)

    def forward(self, t: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (-1, self.head_dim)).transpose(1, 2) for part in self.qkv(t).chunk(3, -1))
        return self.out(F.scaled_dot_product_attention(self.nq(q), self.nk(k), v).transpose(1, 2).flatten(2))


def _attending(*options: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {"a": nn.Conv2d(3, 8, 4, stride=4), "at": Attention(*options), "fc": nn.Linear(8, 5)}


@toy(
    _attending(3, nn.LayerNorm),
    {"a": (8, 1), "at.qkv": (3, 4), "at.out": (8, 1)},
    blocked={"at.head_dim": "all heads share channels in at.nq"},
)
def layer_norms_of_queries_and_keys(net, x):
    return net.fc(net.at(tokens(net.a(x))).mean(1))


@toy(
    _attending(3),
    {"a": (8, 1), "at.qkv": (3, 4), "at.head_dim": (4, 3), "at.out": (8, 1)},
    inexact={"at.head_dim": "the scale of the attention in at follows"},
)
def a_scale_that_follows_the_width(net, x):
    return net.fc(net.at(tokens(net.a(x))).mean(1))


@toy(
    _attention(q=6, k=6, v=6),
    {"a": (8, 1), "q": (6, 1), "v": (6, 1), "out": (8, 1)},
    inexact={"q": "the scale of the attention in the model follows"},
)
def a_single_head_with_a_scale_that_follows(net, x):
    q, k, v = (layer(tokens(net.a(x)))[:, None] for layer in (net.q, net.k, net.v))
    return net.fc(net.out(F.scaled_dot_product_attention(q, k, v).squeeze(1)).relu().mean(1))


@toy(
    _attention(q=6, k=6, v=4),
    {"a": (8, 1), "v": (4, 1), "out": (8, 1)},
    blocked=dict.fromkeys("qk", "the cut model computes something else"),
)
def positive_features_of_queries_and_keys(net, x):
    t = tokens(net.a(x))
    return net.fc(net.out((F.elu(net.q(t)) + 1) @ (F.elu(net.k(t)) + 1).mT @ net.v(t)).relu().mean(1))


@toy(
    lambda: {
        "a": conv(3, 8), "theta": conv(8, 4, 1), "phi": conv(8, 4, 1), "g": conv(8, 6, 1), "out": conv(6, 8, 1),
        "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "theta": (4, 1), "g": (6, 1)},
)  # fmt: skip
def non_local_block(net, x):
    a = net.a(x)
    q, k, v = (layer(a).flatten(2) for layer in (net.theta, net.phi, net.g))
    return net.fc(pooled(a + net.out((v @ (q.mT @ k).softmax(-1).mT).view(len(x), -1, 8, 8))))


@toy(
    lambda: {**_attention()(), "g": nn.Linear(8, 4)},
    HEADS,
    blocked={"g": "all heads share them in the model"},
)
def a_gate_that_all_heads_share(net, x):
    t = tokens(net.a(x))
    q, k, v = (layer(t).unflatten(-1, (-1, 4)).transpose(1, 2) for layer in (net.q, net.k, net.v))
    values = (q @ k.mT).softmax(-1) @ v * net.g(t).sigmoid()[:, None]
    return net.fc(net.out(values.transpose(1, 2).flatten(2)).mean(1))


@toy(
    _attention(q=6, k=6, v=4),
    {"a": (8, 1), "q": (6, 1), "v": (4, 1), "out": (8, 1)},
)
def a_single_head(net, x):
    t = tokens(net.a(x))
    return net.fc(net.out((net.q(t) @ net.k(t).mT).softmax(-1) @ net.v(t)).relu().mean(1))


@toy(
    lambda: {"a": conv(3, 8), "key": nn.Linear(8, 6), "query": table(1, 1, 6), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "key": (6, 1)},
)
def pooled_by_a_learned_query(net, x):
    t = tokens(net.a(x))
    return net.fc(((net.query @ net.key(t).mT).softmax(-1) @ t).squeeze(1))


@toy(
    _attention(),
    {"a": (8, 1), "out": (8, 1), "v": (12, 1)},
    blocked={"q": "summed over with a tensor without channels", "k": "a product of activations"},
)
def linear_attention(net, x):
    t = tokens(net.a(x))
    return net.fc(net.out(net.q(t) @ (net.k(t).mT @ net.v(t))).mean(1))


@toy(_attention(), HEADS)
def linear_attention_of_heads(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    return net.fc(net.out(merged(q @ (k.softmax(-2).mT @ v))).relu().mean(1))


@toy(lambda: {**_attention()(), "warmth": table(3, 1, 1)}, HEADS)
def attention_among_the_channels_of_heads(net, x):
    t = tokens(net.a(x))
    q, k, v = (part.mT for part in heads(net.q(t), net.k(t), net.v(t)))
    weights = (F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).mT * net.warmth).softmax(-1)
    return net.fc(net.out(merged((weights @ v).mT)).relu().mean(1))


class Remembered(nn.Module):
    """A position bias (heads, positions, positions) that is computed once, and kept until the next training."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.kept = table(3, 4), None

    def train(self, mode: bool = True) -> nn.Module:
        self.kept = None if mode else self.kept
        return super().train(mode)

    def forward(self) -> Tensor:
        if self.kept is None:
            self.kept = self.table[:, (torch.arange(4)[:, None] - torch.arange(4)).abs()]
        return self.kept


@toy(lambda: {**_attention()(), "bias": Remembered()}, HEADS)
def a_bias_that_is_kept(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    return net.fc(net.out(merged((q @ k.mT + net.bias()).softmax(-1) @ v)).relu().mean(1))


@toy(
    lambda: {**_attention(q=6, k=6, v=4)(), "bias": table(4, 4)},
    {"a": (8, 1), "q": (6, 1), "v": (4, 1), "out": (8, 1)},
)
def a_single_head_with_a_position_bias(net, x):
    t = tokens(net.a(x))
    return net.fc(net.out((net.q(t) @ net.k(t).mT + net.bias).softmax(-1) @ net.v(t)).relu().mean(1))


@toy(lambda: {**_attention()(), "far": table(4, 4)}, HEADS, blocked={"far": "they are positions, not channels"})
def relative_positions_that_all_heads_share(net, x):
    t = tokens(net.a(x))
    q, k, v = heads(net.q(t), net.k(t), net.v(t))
    weights = (q @ k.mT + q @ net.far.mT).softmax(-1)
    return net.fc(net.out(merged(weights @ v)).relu().mean(1))


@toy(lambda: {**_attention()(), "high": table(3, 4), "wide": table(3, 4)}, HEADS)
def relative_positions_of_rows_and_columns(net, x):
    t = tokens(net.a(x))
    q, k, v = (part.flatten(0, 1) for part in heads(net.q(t), net.k(t), net.v(t)))
    image, far = q.unflatten(1, (2, 2)), torch.arange(2)[:, None] - torch.arange(2) + 1
    high = torch.einsum("bhwc,hkc->bhwk", image, net.high[far])
    wide = torch.einsum("bhwc,wkc->bhwk", image, net.wide[far])
    bias = (high[..., None] + wide[..., None, :]).reshape(-1, 4, 4)
    values = F.scaled_dot_product_attention(q, k, v, bias, scale=0.5)
    return net.fc(net.out(merged(values.unflatten(0, (len(t), -1)))).relu().mean(1))


@toy(_attention(k=4), {"a": (8, 1), "q": (3, 4), "out": (8, 1)}, blocked={"k": "all heads share them in the model"})
def one_key_for_the_queries_of_all_heads_in_a_row(net, x):
    t = tokens(net.a(x))
    q, v = heads(net.q(t), net.v(t))
    weights = (q.flatten(1, 2) @ net.k(t).mT).softmax(-1).unflatten(1, (-1, q.shape[2]))
    return net.fc(net.out(merged(weights @ v)).relu().mean(1))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "t1": nn.Linear(4, 6), "t2": nn.Linear(6, 4), "up": nn.Linear(8, 10),
        "down": nn.Linear(10, 8), "near": nn.Conv1d(4, 4, 1), "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "t1": (6, 1), "up": (10, 1)},
    blocked=dict.fromkeys(("t2", "near"), "they are positions"),
)  # fmt: skip
def mixer(net, x):
    t = tokens(net.a(x))
    t = t + net.near(t)
    t = t + net.t2(net.t1(t.mT).relu()).mT
    return net.fc((t + net.down(net.up(t).relu())).mean(1))


# Recurrent layers ----------------------------------------------------------------------------------------


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "long": nn.LSTM(8, 6, 2, batch_first=True, bidirectional=True),
        "short": nn.LSTM(12, 5, proj_size=4, batch_first=True), "start": table(2, 1, 5),
        "gru": nn.GRU(4, 5, 2, bias=False), "fc": nn.Linear(5, 5),
    },
    {"a": (8, 1), "long": (6, 1), "short": (4, 1), "gru": (5, 1)},
    blocked={"short": "fewer channels than hidden units"},
)  # fmt: skip
def recurrent_layers_over_a_sequence(net, x):
    t = net.short(net.long(tokens(net.a(x)))[0])[0].transpose(0, 1)
    return net.fc(net.gru(t, net.start.expand(-1, len(x), -1).contiguous())[1][-1])


@toy(
    lambda: {"a": conv(3, 4), "rnn": nn.RNN(4, 6, bidirectional=True, batch_first=True), "fc": nn.Linear(12, 5)},
    {"a": (4, 1), "rnn": (6, 1)},
)
def sequences_of_several_lengths(net, x):
    lengths = torch.full((len(x),), 40)
    packed = nn.utils.rnn.pack_padded_sequence(tokens(net.a(x)), lengths, batch_first=True, enforce_sorted=False)
    return net.fc(nn.utils.rnn.pad_packed_sequence(net.rnn(packed)[0], batch_first=True)[0].mean(1))


@toy(
    lambda: {
        "a": conv(3, 4), "lstm": nn.LSTMCell(4, 6), "gru": nn.GRUCell(6, 5), "rnn": nn.RNNCell(5, 3),
        "fc": nn.Linear(8, 5),
    },
    {"a": (4, 1), "lstm": (6, 1), "gru": (5, 1), "rnn": (3, 1)},
)  # fmt: skip
def recurrent_cells_step_by_step(net, x):
    state = h = r = None
    for step in net.a(x).mean(3).unbind(-1)[:3]:
        state = net.lstm(step, state)
        h = net.gru(state[0], h)
        r = net.rnn(h, r)
    return net.fc(torch.cat([r, h], 1))


@toy(
    lambda: {"a": conv(3, 4), "gates": conv(10, 24), "read": nn.Linear(6, 4), "fed": nn.Linear(4, 4),
             "fc": nn.Linear(4, 5)},
    {"a": (4, 1), "gates": (6, 4), "read": (4, 1)},
)  # fmt: skip
def recurrences_written_by_hand(net, x):
    h = c = x.new_zeros(len(x), net.gates.out_channels // 4, 8, 8)
    state, seen = pooled(x).new_zeros(len(x), net.fed.in_features), []
    for _ in range(2):
        i, f, o, g = net.gates(torch.cat([net.a(x), h], 1)).chunk(4, 1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        state = (net.read(pooled(h)) + net.fed(state)).tanh()
        seen.append(state)
    states = x.new_empty(len(x), 2, state.shape[1])
    states[:, 0], states[:, 1] = seen
    return net.fc(states.mean(1))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 12, 4, stride=4), "qkv": nn.Linear(12, 36), "block": table(3, 4, 5), "shift": table(3, 1, 5),
        "out": nn.Linear(15, 8), "b": nn.Conv1d(8, 6, 1), "fc": nn.Linear(6, 5),
    },
    {"a": (12, 1), "qkv": (3, 5), "out": (8, 1), "b": (6, 1)},
)  # fmt: skip
def heads_with_a_place_of_ones_and_matrices_of_their_own(net, x):
    t = tokens(net.a(x))
    q, k, v = (part.unflatten(-1, (-1, 4)).transpose(1, 2) for part in net.qkv(t).chunk(3, -1))
    y = q.sigmoid() @ (k.sigmoid().mT @ F.pad(v, (0, 1), value=1.0))
    y = (y[..., :-1] / y[..., -1:]).transpose(0, 1).flatten(1, 2)
    y = torch.baddbmm(net.shift, y, net.block).unflatten(1, (len(x), -1)).permute(1, 2, 0, 3).flatten(2)
    y = net.out(y.relu()).mT
    blur = torch.tensor([0.2, 0.6, 0.2]).expand(y.shape[1], 1, 3)
    return net.fc(net.b(F.conv1d(y, blur, padding=1, groups=y.shape[1])).relu().mean(2))


# Experts -------------------------------------------------------------------------------------------------


@toy(
    lambda: {
        "a": conv(3, 8), "router": nn.Linear(8, 4), "up": table(4, 12, 8), "down": table(4, 8, 6),
        "late": table(4, 6, 8), "shift": table(4, 6), "fc": nn.Linear(6, 5),
    },
    {"a": (8, 1), "up": (6, 2), "late": (6, 1)},
    blocked={"router": "the cut model does not run"},  # how many experts there are is a number in the code
)  # fmt: skip
def experts_one_by_one_and_side_by_side(net, x):
    t = tokens(net.a(x)).flatten(0, 1)
    gates, chosen = net.router(t).softmax(-1).topk(2, -1)
    made = torch.zeros_like(t)
    for expert in (4, 0, 1, 2, 3):  # nothing is sent to the first
        row, place = torch.where(chosen == expert)
        gate, up = F.linear(t[row], net.up[expert % 4]).chunk(2, -1)
        made.index_add_(0, row, F.linear(gate.sigmoid() * up, net.down[expert % 4]) * gates[row, place, None])
    t = (t + made).relu()
    first = chosen[:, 0]
    late = torch.bmm(net.late[first], t.unsqueeze(-1)).squeeze(-1) + net.shift[first]
    return net.fc(late.relu().view(len(x), 64, -1).mean(1))


class Mixture(nn.Module):
    """Experts whose scores say how much of each is taken: all scores count, so that −∞ is not a zero (batch, 8)."""

    def __init__(self, *, shuffled: bool = False) -> None:
        super().__init__()
        self.router, self.up, self.down, self.shift = nn.Linear(8, 5), table(5, 12, 8), table(5, 8, 6), table(5, 8)
        self.count, self.shuffled = 5, shuffled

    def forward(self, x: Tensor) -> Tensor:
        t = x.flatten(0, -2)
        gates, chosen = self.router(t).softmax(-1).topk(2, -1)
        made = torch.zeros_like(t)
        for expert in range(self.count):
            row, place = torch.where(chosen == expert)
            own = (expert + 1) % self.count if self.shuffled else expert
            gate, up = F.linear(t[row], self.up[own]).chunk(2, -1)
            y = F.linear(gate.sigmoid() * up, self.down[own], self.shift[own])
            made.index_add_(0, row, y * gates[row, place, None])
        return made.view_as(x)


@toy(
    lambda: {"a": conv(3, 8), "norm": nn.LayerNorm(8), "mix": Mixture(), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "mix.router": (5, 1), "mix": (6, 2)},
    least=2,
)
def whole_experts(net, x):
    t = tokens(net.a(x))
    return net.fc((t + net.mix(net.norm(t))).relu().mean(1))


@toy(
    lambda: {"a": conv(3, 8), "mix": Mixture(shuffled=True), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "mix": (6, 2)},
    blocked={"mix.router": "in another order they compute something else"},
)
def experts_that_are_not_those_whose_numbers_are_chosen(net, x):
    t = tokens(net.a(x))
    return net.fc((t + net.mix(t)).relu().mean(1))


@toy(
    lambda: {"a": nn.Conv2d(3, 8, 4, stride=4), "b": nn.Linear(8, 6), "fc": nn.Linear(3, 5)},
    {"a": (8, 1)},
    blocked={"b": "topk over channels"},
)
def the_largest_channels(net, x):
    return net.fc(net.b(tokens(net.a(x)).relu()).topk(3, -1).values.mean(1))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "into": nn.Linear(8, 20), "near": nn.Conv1d(10, 10, 3, padding=1, groups=10),
        "x": nn.Linear(10, 7), "dt": nn.Linear(3, 10), "log_a": table(10, 2), "skip": table(10),
        "out": nn.Linear(10, 8), "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "into": (10, 2)},
    blocked={"x": "the cut model does not run"},  # sizes of its parts are numbers in the code
)  # fmt: skip
def selective_scan(net, x):
    t = tokens(net.a(x))
    u, gate = net.into(t).mT.chunk(2, 1)
    u = F.silu(net.near(u))
    step, b, c = net.x(u.mT).split([3, 2, 2], -1)
    step = F.softplus(net.dt(step)).mT
    kept = torch.exp(-net.log_a.exp()[None, :, None] * step[..., None])
    new = step[..., None] * b[:, None] * u[..., None]
    state, seen = x.new_zeros(len(x), u.shape[1], 2), []
    for i in range(t.shape[1]):
        state = kept[:, :, i] * state + new[:, :, i]
        seen.append((state @ c[:, i, :, None])[..., 0])
    y = (torch.stack(seen, -1) + u * net.skip[:, None]) * F.silu(gate)
    return net.fc((t + net.out(y.mT)).mean(1))


@toy(
    lambda: {
        "a": conv(3, 8), "router": nn.Linear(8, 2), "up": table(2, 6, 8), "down": table(2, 8, 6),
        "best": nn.Conv2d(1, 1, 3, padding=1), "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "router": (2, 1), "up": (6, 1)},
    inexact={"a": "max in the model runs over these channels"},
)  # fmt: skip
def experts_by_the_number_of_the_best(net, x):
    x = net.a(x)
    t = tokens(x * net.best(x.max(1, keepdim=True).values).sigmoid()).flatten(0, 1)
    gate, chosen = net.router(t).max(-1)
    hidden = torch.bmm(net.up[chosen], t.unsqueeze(-1)).relu()
    t = t + torch.bmm(net.down[chosen], hidden).squeeze(-1) * gate.unsqueeze(-1)
    return net.fc(t.view(len(x), 64, -1).mean(1))


# Gates ---------------------------------------------------------------------------------------------------


@toy(
    lambda: {"a": conv(3, 8), "squeeze": nn.Linear(8, 3), "excite": nn.Linear(3, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1), "squeeze": (3, 1)},
)
def squeeze_excite(net, x):
    a = net.a(x)
    gate = net.excite(net.squeeze(pooled(a)).relu()).sigmoid()
    return net.fc(pooled(a * gate.view(len(a), -1, 1, 1)))


@toy(
    lambda: {"a": conv(3, 8), "near": nn.Conv1d(1, 1, 3, padding=1), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def a_convolution_along_channels(net, x):
    a = net.a(x)
    return net.fc(pooled(a * net.near(pooled(a).unsqueeze(1)).sigmoid().view(len(a), -1, 1, 1)))


@toy(
    lambda: {"a": conv(3, 8), "near": nn.Conv2d(2, 1, 3, padding=1), "norm": nn.BatchNorm2d(1), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def a_kernel_along_channels_and_rows_of_pixels(net, x):
    a = net.a(x)
    turned = a.transpose(1, 2)
    gate = net.norm(net.near(torch.cat([turned.amax(1, keepdim=True), turned.mean(1, keepdim=True)], 1))).sigmoid()
    return net.fc(pooled((turned * gate).transpose(1, 2)))


@toy(
    lambda: {"a": conv(3, 8), "near": nn.Conv1d(1, 4, 3, padding=1), "far": nn.Conv1d(4, 1, 1), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
    blocked={"near": "meets the channels that the kernel in near runs along", "far": "they are positions"},
)
def several_kernels_along_channels(net, x):
    a = net.a(x)
    gate = net.far(net.near(pooled(a).unsqueeze(1)).relu()).sigmoid()
    return net.fc(pooled(a * gate.view(len(a), -1, 1, 1)))


@toy(
    lambda: {"a": conv(3, 8), "near": table(1, 1, 3), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
    inexact={"a": "the kernel in the model runs along these channels"},
)
def a_kernel_in_the_open_along_channels(net, x):
    a = net.a(x)
    return net.fc(pooled(a * F.conv1d(pooled(a).unsqueeze(1), net.near, padding=1).sigmoid().view(len(a), -1, 1, 1)))


@toy(lambda: {"a": conv(3, 8), "b": conv(4, 6), "fc": nn.Linear(6, 5)}, {"a": (4, 2), "b": (6, 1)})
def halves_that_gate_each_other(net, x):
    value, gate = net.a(x).chunk(2, 1)
    return net.fc(pooled(net.b(value * gate.sigmoid()).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(4, 6), "fc": nn.Linear(6, 5)},
    {"a": (4, 2), "b": (6, 1)},
)
def gated_linear_unit(net, x):
    return net.fc(pooled(net.b(F.glu(net.a(x), 1)).relu()))


@toy(
    lambda: {
        "a": nn.Conv2d(3, 8, 4, stride=4), "gate": nn.Linear(8, 6), "up": nn.Linear(8, 6), "down": nn.Linear(6, 8),
        "fc": nn.Linear(8, 5),
    },
    {"a": (8, 1), "gate": (6, 1)},
)  # fmt: skip
def gated_feed_forward(net, x):
    t = tokens(net.a(x))
    return net.fc((t + net.down(F.silu(net.gate(t)) * net.up(t))).mean(1))


@toy(
    lambda: {"a": conv(3, 8), "gate": conv(8, 1), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def spatial_gate(net, x):
    a = net.a(x).relu()
    return net.fc(pooled(a * net.gate(a).sigmoid()))


@toy(
    lambda: {"a": conv(3, 8), "score": nn.Linear(8, 1), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def weighted_mean_of_tokens(net, x):
    t = tokens(net.a(x))
    return net.fc((t * net.score(t).softmax(1)).sum(1))


@toy(lambda: {"a": conv(3, 8), "score": nn.Linear(8, 1), "fc": nn.Linear(8, 5)}, {"a": (8, 1)})
def tokens_pooled_by_scores(net, x):
    t = tokens(net.a(x))
    return net.fc((net.score(t).softmax(1).mT @ t).squeeze(1))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "fc": nn.Linear(6, 5)},
    {"a": (7, 1), "b": (6, 1)},
    blocked={"a": "one channel meets all others in the model"},
)
def the_last_channel_as_a_gate(net, x):
    a = net.a(x)
    return net.fc(pooled(net.b(a) * a[:, -1:].sigmoid()))


# Residuals -----------------------------------------------------------------------------------------------


@toy(
    lambda: {
        "a": conv(3, 8), "b": conv(8, 10, stride=2), "c": conv(10, 12), "short": conv(8, 12, 1, stride=2),
        "bn1": nn.BatchNorm2d(12), "bn2": nn.BatchNorm2d(12), "fc": nn.Linear(12, 5),
    },
    {"a": (8, 1), "b": (10, 1), "c": (12, 1)},
)  # fmt: skip
def residual_with_a_shortcut(net, x):
    a = net.a(x).relu()
    return net.fc(pooled((net.bn1(net.c(net.b(a).relu())) + net.bn2(net.short(a))).relu()))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 12, stride=2), "fc": nn.Linear(12, 5)},
    {"a": (8, 1)},
    blocked={"b": "the cut model does not run"},
)
def residual_padded_with_zero_channels(net, x):
    a = net.a(x).relu()
    return net.fc(pooled(net.b(a) + F.pad(a[..., ::2, ::2], (0, 0, 0, 0, 2, 2))))


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 12), "fc": nn.Linear(12, 5)},
    {"a": (8, 1)},
    blocked={"b": "the cut model does not run"},
)
def residual_joined_with_zero_channels(net, x):
    a = net.a(x).relu()
    return net.fc(pooled(net.b(a) + torch.cat([a, a.new_zeros(len(a), 4, 8, 8)], 1)))


# Several inputs, several outputs -------------------------------------------------------------------------


@toy(
    lambda: {"image": conv(2, 6), "other": nn.Linear(64, 4), "join": nn.Linear(10, 7), "fc": nn.Linear(7, 5)},
    {"image": (6, 1), "other": (4, 1), "join": (7, 1)},
)
def two_inputs_in_one_tensor(net, x):
    image, vector = x[:, :2], x[:, 2].flatten(1)
    return net.fc(net.join(torch.cat([pooled(net.image(image)), net.other(vector).relu()], 1)).relu())


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "map": conv(8, 2), "fc": nn.Linear(6, 5)},
    {"a": (8, 1), "b": (6, 1)},
    blocked={"map": OUTPUTS, "fc": OUTPUTS},
)
def a_tuple_of_outputs(net, x):
    a = net.a(x).relu()
    return net.fc(pooled(net.b(a))), net.map(a)


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "box": nn.Linear(6, 4), "fc": nn.Linear(6, 5)},
    {"a": (8, 1)},
    blocked={"b": OUTPUTS, "box": OUTPUTS, "fc": OUTPUTS},
)
def outputs_by_name_and_a_feature(net, x):
    feature = pooled(net.b(net.a(x).relu()))
    return {"class": net.fc(feature), "box": net.box(feature), "feature": feature}


@toy(
    lambda: {"a": conv(3, 8), "one": nn.Linear(8, 5), "two": nn.Linear(8, 5)},
    {"a": (8, 1)},
    blocked={"one": OUTPUTS, "two": OUTPUTS},
)
def stacked_outputs(net, x):
    a = pooled(net.a(x).relu())
    return torch.stack([net.one(a), net.two(a.tanh())], 1)


@toy(
    lambda: {"a": conv(3, 8), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
)
def nested_outputs(net, x):
    return [[net.fc(pooled(net.a(x).relu()))]]


@dataclass
class Result:
    logits: Tensor
    more: Any


@toy(
    lambda: {"a": conv(3, 8), "b": conv(8, 6), "c": conv(8, 4), "fc": nn.Linear(8, 5)},
    {"a": (8, 1)},
    blocked=dict.fromkeys(("b", "c", "fc"), OUTPUTS),
)
def outputs_in_a_data_class(net, x):
    a = net.a(x).relu()
    return Result(net.fc(pooled(a)), UserDict(maps=(net.b(a), {"deep": net.c(a)})))
