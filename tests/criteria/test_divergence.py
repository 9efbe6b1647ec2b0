"""Information flow divergence, against its formulas written out; that of blocks is tested with the method."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.criteria import score
from tests.criteria.cases import group, make, member


def divergence(case):
    return score("divergence", case.module, case.structure, case.data, device="cpu", batch_size=4).groups


def size(tensor):
    return sqrt(sum(float(value) ** 2 for value in tensor.flatten()))


@torch.no_grad()
def test_channels_are_divided_by_all_entries_of_a_layer(plain):
    net, (images, _) = plain.module, plain.data.tensors
    seen = F.silu(net.conv2(net.bn1(net.conv1(images)).relu()))
    entries = seen[0].numel()
    expected = [
        sum(size(a[c]) for a in seen) / len(seen) * size(net.conv2.weight[c]) / entries for c in range(seen.shape[1])
    ]
    np.testing.assert_allclose(divergence(plain)["conv2"], expected, rtol=1e-5)


def split(net):
    """The same attention with a projection each for queries, keys and values."""
    parts = nn.ModuleDict()
    for name, rows in zip("qkv", net.qkv.weight.data.chunk(3), strict=True):
        parts[name] = nn.Linear(4, 4, bias=False)
        parts[name].weight.data = rows.clone()
    return parts


@pytest.mark.parametrize("fused", [True, False])
@torch.no_grad()
def test_heads_are_their_result_times_their_own_projections(fused):
    case = make("heads")
    net, (images, _) = case.module, case.data.tensors
    seen = {}
    handle = net.proj.register_forward_pre_hook(lambda _, inputs: seen.update(heads=inputs[0]))
    net(images)
    handle.remove()
    heads, tokens = seen["heads"], seen["heads"].shape[1]
    expected = [
        sum(size(sample[:, 2 * h : 2 * h + 2]) for sample in heads)
        / len(heads)
        * sum(size(part[2 * h : 2 * h + 2]) for part in net.qkv.weight.chunk(3))
        / tokens
        for h in range(2)
    ]
    if not fused:
        net.parts = split(net)
        rows = [member(f"parts.{name}.weight", "producer", [0, 0, 1, 1]) for name in "qkv"]
        reader = member("proj.weight", "consumer", [0, 0, 1, 1])
        apart = group("qkv", 4, [*rows, reader], unit=2, kind="heads")
        case = replace(case, structure=replace(case.structure, groups={"qkv": apart}))
    np.testing.assert_allclose(divergence(case)["qkv"], expected, rtol=1e-5)


def test_it_does_not_grow_with_the_number_of_inputs(case):
    twice = replace(case, data=torch.utils.data.ConcatDataset([case.data, case.data]))
    once, again = divergence(case), divergence(twice)
    for name, values in once.items():
        np.testing.assert_allclose(again[name], values, rtol=1e-5)
