"""Relevance: none is lost or made, and it goes where the rules say."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from explorer.criteria import score
from explorer.criteria.tools.relevance import Relevance

RULES = ["epsilon", "zplus"]


class BiasFree(nn.Module):
    """Residual additions (one in place), pooling, a squeeze-excite gate, and a concatenation; no bias anywhere."""

    def __init__(self):
        super().__init__()
        self.stem, self.a, self.b = (nn.Conv2d(i, 6, 3, padding=1, bias=False) for i in (3, 6, 6))
        self.squeeze, self.excite = nn.Conv2d(6, 3, 1, bias=False), nn.Conv2d(3, 6, 1, bias=False)
        self.short, self.relu = nn.Conv2d(6, 6, 1, bias=False), nn.ReLU(inplace=True)
        self.fc = nn.Linear(12, 4, bias=False)

    def forward(self, x):
        x = F.max_pool2d(self.relu(self.stem(x)), 2)
        y = self.b(self.relu(self.a(x)))
        y = y * torch.sigmoid(self.excite(self.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y += self.short(x)
        return self.fc(torch.cat([F.hardswish(y), self.relu(y)], 1).mean((2, 3)))


class Tokens(nn.Module):
    """Attention with a residual addition and a GELU; no bias, no norm."""

    def __init__(self):
        super().__init__()
        self.qkv, self.out = nn.Linear(8, 24, bias=False), nn.Linear(8, 8, bias=False)
        self.up, self.down, self.fc = (nn.Linear(i, o, bias=False) for i, o in ((8, 12), (12, 8), (8, 4)))

    def forward(self, x):
        q, k, v = (part.unflatten(-1, (2, 4)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1))
        weights = F.dropout((q @ k.transpose(-1, -2)).softmax(-1), 0.1, self.training)
        x = x + self.out((weights @ v).transpose(1, 2).flatten(2))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return self.fc((x + self.down(F.gelu(self.up(x)))).mean(1))


def input_relevance(net, x, rule, target):
    x = x.clone().requires_grad_()
    with Relevance(rule):
        outputs = net.requires_grad_(False)(x)
    outputs[:, target].sum().backward()
    return outputs.detach(), (x * x.grad).detach()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("network", "shape"), [(BiasFree, (5, 3, 8, 8)), (Tokens, (5, 6, 8))])
def test_input_relevance_adds_up_to_the_logit(network, shape, rule):
    torch.manual_seed(0)
    net, x = network().eval().double(), torch.randn(*shape, dtype=torch.float64)
    plain = net(x)
    for target in range(4):
        outputs, found = input_relevance(net, x, rule, target)
        torch.testing.assert_close(outputs, plain)
        torch.testing.assert_close(found.flatten(1).sum(1), plain[:, target], rtol=1e-4, atol=1e-5)


def test_worked_shares():
    """x = (1, 2), w₁ = (3, 1), w₂ = (1, −1): h = (5, −1 → 0); y = 2·h₁ + 7·h₂ = 10, all of it h₁'s: 6 and 4.

    With w₂ = (1, −¼), h₂ = ½ adds 3.5: in proportion to its signed parts (1, −½) it gives (7, −3.5), by the positive
    ones (3.5, 0).
    """
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False)).double()
    x = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    with torch.no_grad():
        net[2].weight.copy_(torch.tensor([[2.0, 7.0]]))
        net[0].weight.copy_(torch.tensor([[3.0, 1.0], [1.0, -1.0]]))
    for rule in RULES:
        found = input_relevance(net, x, rule, 0)[1]
        torch.testing.assert_close(found, torch.tensor([[6.0, 4.0]]).double(), rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        net[0].weight[1, 1] = -0.25
    for rule, expected in (("epsilon", [[13.0, 0.5]]), ("zplus", [[9.5, 4.0]])):
        found = input_relevance(net, x, rule, 0)[1]
        torch.testing.assert_close(found, torch.tensor(expected).double(), rtol=1e-4, atol=1e-5)


def test_a_batch_norm_counts_as_part_of_its_layer():
    torch.manual_seed(0)
    conv, norm = nn.Conv2d(3, 5, 3, bias=False), nn.BatchNorm2d(5)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    net = nn.Sequential(conv, norm, nn.ReLU(), nn.Flatten(), nn.Linear(5 * 16, 3)).eval().double()
    folded = copy.deepcopy(net)
    folded[0], folded[1] = fuse_conv_bn_eval(net[0], net[1]), nn.Identity()
    x = torch.randn(4, 3, 6, 6, dtype=torch.float64)
    found, expected = (input_relevance(each, x, "zplus", 1)[1] for each in (net, folded))
    torch.testing.assert_close(found, expected)
    assert expected.abs().sum() > 0


@pytest.mark.parametrize("norm", [nn.LayerNorm(6), nn.RMSNorm(6), nn.GroupNorm(2, 6)])
def test_norms_conserve_what_their_shift_does_not_take(norm):
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(0))
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    plain = norm(x)
    outputs, found = input_relevance(norm, x, "epsilon", 2)
    torch.testing.assert_close(outputs, plain)
    torch.testing.assert_close(found.sum(1), plain[:, 2], rtol=1e-4, atol=1e-6)


def test_channels_have_the_relevance_that_flows_through_them(plain):
    """Behind the classifier's rule epsilon: R of feature c is w_c·a_c, spread over its positions."""
    net, (images, labels) = plain.module, plain.data.tensors
    with torch.no_grad():
        seen = F.silu(net.conv2(net.bn1(net.conv1(images)).relu()))
        expected = (seen.abs().mean((2, 3)) * net.fc.weight[labels].abs()).mean(0)
    found = score(
        "lrp", net, plain.structure, plain.data, options={"rule": "epsilon"}, device="cpu", batch_size=4
    ).groups["conv2"]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
