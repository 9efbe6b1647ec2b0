"""The flow criterion, against its formula written out in loops."""

from math import sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from explorer.criteria import score
from tests.criteria.cases import group, member, structure


def length(weight):
    return sqrt(sum(float(w) ** 2 for w in weight.flatten()))


def literal(activation, weights, scale):
    """S_c = d_c·‖W_c‖₂ for a (batch, channel, position) activation, one weight tensor per channel."""
    batch, channels, positions = activation.shape
    norms = [
        sum(sqrt(sum(float(a) ** 2 for a in activation[b, c])) for b in range(batch)) / batch for c in range(channels)
    ]
    divisor = {
        "none": 1,
        "chw": channels * positions,
        "sqrt-hw": sqrt(positions),
        "layer-mean": sum(norms) / channels,
    }[scale]
    return np.array([d / divisor * length(w) for d, w in zip(norms, weights, strict=True)])


def flow(case, **options):
    return score("flow", case.module, case.structure, case.data, options=options, device="cpu", batch_size=4).groups


scales = pytest.mark.parametrize("scale", ["none", "chw", "sqrt-hw", "layer-mean"])


@scales
@torch.no_grad()
def test_convolutions_are_seen_after_batch_norm_and_their_own_activation(plain, scale):
    net, (images, _) = plain.module, plain.data.tensors
    first = net.bn1(net.conv1(images)).relu()
    second = F.silu(net.conv2(first))
    found = flow(plain, scale=scale)
    np.testing.assert_allclose(found["conv1"], literal(first.flatten(2), net.conv1.weight, scale), rtol=1e-5)
    np.testing.assert_allclose(found["conv2"], literal(second.flatten(2), net.conv2.weight, scale), rtol=1e-5)


@scales
@torch.no_grad()
def test_a_stream_is_the_mean_of_its_producers(residual, scale):
    net, (images, _) = residual.module, residual.data.tensors
    stem = net.bn0(net.stem(images)).relu()
    outer = net.bn1(net.outer(net.inner(stem).relu()))
    expected = (
        literal(stem.flatten(2), net.stem.weight, scale) + literal(outer.flatten(2), net.outer.weight, scale)
    ) / 2
    np.testing.assert_allclose(flow(residual, scale=scale)["stem"], expected, rtol=1e-5)


@scales
@torch.no_grad()
def test_tokens_and_heads(heads, scale):
    net, (images, _) = heads.module, heads.data.tensors
    seen = {}
    handle = net.proj.register_forward_pre_hook(lambda _, inputs: seen.update(heads=inputs[0]))
    net(images)
    handle.remove()
    found = flow(heads, scale=scale)
    columns = literal(seen["heads"].transpose(1, 2), net.proj.weight.T, scale)
    np.testing.assert_allclose(found["qkv"], columns.reshape(2, 2).mean(1), rtol=1e-5)
    hidden = F.gelu(net.up(net.proj(seen["heads"])))
    np.testing.assert_allclose(found["up"], literal(hidden.transpose(1, 2), net.up.weight, scale), rtol=1e-5)


@pytest.fixture
def vectors():
    """x → ReLU(W x), W = ((3, 4), (−1, 0), (0, 2)), on x = (1, 1) and (2, −1)."""
    from explorer.structure.types import Tap

    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, 4.0], [-1.0, 0.0], [0.0, 2.0]]))
    members = [member("0.weight", "producer", range(3)), member("2.weight", "consumer", range(3))]
    one = group("0", 3, members, [Tap("0.weight", "0", "relu", -1)], kind="linear")
    data = TensorDataset(torch.tensor([[1.0, 1.0], [2.0, -1.0]]), torch.tensor([0, 1]))
    return net, structure(one), data


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        # activations (7, 0, 2) and (2, 0, 0): means 4.5, 0, 1; lengths 5, 1, 2
        ("none", [22.5, 0, 2]),
        ("chw", [7.5, 0, 2 / 3]),
        ("sqrt-hw", [22.5, 0, 2]),
        ("layer-mean", [22.5 * 6 / 11, 0, 2 * 6 / 11]),
    ],
)
def test_worked_vectors(vectors, scale, expected):
    net, structure, data = vectors
    found = score("flow", net, structure, data, options={"scale": scale}, device="cpu").groups["0"]
    np.testing.assert_allclose(found, expected)


def test_the_batch_size_does_not_matter(plain):
    whole, single = (
        score("flow", plain.module, plain.structure, plain.data, device="cpu", batch_size=size).groups
        for size in (10, 1)
    )
    for name, values in whole.items():
        np.testing.assert_allclose(single[name], values, rtol=1e-6)


def test_a_group_that_cannot_be_seen_is_skipped_with_a_reason(plain):
    hidden = group("bare", 4, [member("conv1.weight", "producer", range(4))])
    both = structure(hidden, plain.structure.groups["conv2"])
    found = score("flow", plain.module, both, plain.data, device="cpu")
    assert list(found.groups) == ["conv2"]
    assert found.skipped == {"bare": "no layer shows its activations when the model runs"}


def test_takes_exactly_one_forward_pass(plain):
    seen = []
    handle = plain.module.register_forward_hook(lambda _, inputs, output: seen.append(len(output)))
    flow(plain)
    handle.remove()
    assert sum(seen) == len(plain.data)
