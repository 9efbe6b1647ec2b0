"""Criteria of absolute paths, against layers written out as matrices over all their positions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.criteria import CRITERIA, estimate, score
from explorer.errors import ExplorerError
from explorer.structure import analyse
from tests.criteria.cases import group, member, structure
from tests.nets import EXACT, INPUT, alive


def matrix(function, shape):
    """A linear map as |M|, (outputs…, inputs), by what it gives for every unit vector."""
    with torch.no_grad():
        columns = [function(one.view(1, *shape)) for one in torch.eye(int(np.prod(shape)), dtype=torch.float64)]
    return torch.stack([column[0] for column in columns], -1).abs().numpy()


def convolution(layer, stride=1):
    weight = layer.weight.double()
    return lambda x: F.conv2d(x, weight, None, stride, layer.padding, layer.dilation, layer.groups)


def norm_scale(norm):
    return (norm.weight.abs().double() / (norm.running_var.double() + norm.eps).sqrt()).detach().numpy()


def coupled(before, scale, after):
    """Σ over entries of |M_b|[:, c]·|BN||M_a|[c, :]; before (c, h, w, inputs), after (…, outputs, c·h·w)."""
    channels = before.shape[0]
    after = after.reshape(-1, channels, before[0, ..., 0].size)
    before = before.reshape(channels, -1, before.shape[-1]) * np.reshape(scale, (-1, 1, 1))
    return np.array([sum((after[:, c] @ before[c]).ravel()) for c in range(channels)])


def placed(described, shape):
    """The structure of a model that reads such inputs."""
    return type(described)(described.groups, (), described.cost_model, shape, 0.0)


def test_dfpc_of_a_chain(plain):
    net = plain.module
    first = matrix(convolution(net.conv1), (2, 6, 6))
    second = matrix(convolution(net.conv2), (4, 4, 4))
    pooled = matrix(lambda x: F.linear(x.mean((2, 3)), net.fc.weight.abs().double()), (6, 2, 2))
    found = score("dfpc", net, placed(plain.structure, (2, 6, 6))).groups
    np.testing.assert_allclose(found["conv1"], coupled(first, norm_scale(net.bn1), second), rtol=1e-6)
    np.testing.assert_allclose(found["conv2"], coupled(second, np.ones(6), pooled), rtol=1e-6)


def test_dfpc_counts_only_readers_behind_the_maker(residual):
    """The stem is read by the block and the classifier, the block's last layer by the classifier alone."""
    net = residual.module
    stem = matrix(convolution(net.stem), (2, 6, 6))
    outer = matrix(convolution(net.outer), (5, 6, 6))
    inner = matrix(convolution(net.inner), (4, 6, 6))
    pooled = matrix(lambda x: F.linear(x.mean((2, 3)), net.fc.weight.abs().double()), (4, 6, 6))
    expected = (
        coupled(stem, norm_scale(net.bn0), inner)
        + coupled(stem, norm_scale(net.bn0), pooled)
        + coupled(outer, norm_scale(net.bn1), pooled)
    )
    found = score("dfpc", net, placed(residual.structure, (2, 6, 6))).groups
    np.testing.assert_allclose(found["stem"], expected, rtol=1e-6)
    np.testing.assert_allclose(found["inner"], coupled(inner, np.ones(5), outer), rtol=1e-6)


def test_a_depthwise_convolution_lies_on_the_way_and_a_gate_counts_as_one():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.depth, self.squeeze = nn.Conv2d(2, 3, 1), nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 3, 1)
            self.b = nn.Conv2d(3, 2, 2)

        def forward(self, x):
            x = F.hardswish(self.depth(F.relu6(self.a(x))))
            return self.b(x * torch.sigmoid(self.squeeze(x.mean((2, 3), keepdim=True))))

    torch.manual_seed(0)
    net = Net().eval()
    roles = [("a", "producer"), ("depth", "producer"), ("squeeze", "consumer"), ("b", "consumer")]
    one = group("a", 3, [member(f"{name}.weight", role, range(3)) for name, role in roles])
    way = matrix(convolution(net.a), (2, 4, 4)).reshape(3, 16, -1)
    depth = np.abs(matrix(convolution(net.depth), (3, 4, 4))).reshape(3, 4, 3, 16)
    way = np.stack([depth[c, :, c] @ way[c] for c in range(3)]).reshape(3, 2, 2, -1)
    squeeze = net.squeeze.weight.abs().double()
    pooled = matrix(lambda x: F.conv2d(x.mean((2, 3), keepdim=True), squeeze), (3, 2, 2))
    expected = coupled(way, np.ones(3), matrix(convolution(net.b), (3, 2, 2))) + coupled(way, np.ones(3), pooled)
    found = score("dfpc", net, placed(structure(one), (2, 4, 4))).groups["a"]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_synflow_shares_of_a_chain(plain):
    """Against derivatives in a copy whose weights have no signs; every layer that all paths pass adds up to 1."""
    net = plain.module
    first, second, last = (w.abs().double().detach().requires_grad_() for w in weights(net))
    scale = torch.as_tensor(norm_scale(net.bn1)).view(1, -1, 1, 1)
    hidden = F.conv2d(F.conv2d(torch.ones(1, 2, 6, 6).double(), first) * scale, second)
    flow = F.linear(hidden.mean((2, 3)), last).sum()
    found = score("synflow", net, placed(plain.structure, (2, 6, 6))).groups
    for name, weight in (("conv1", first), ("conv2", second)):
        (slope,) = torch.autograd.grad(flow, weight, retain_graph=True)
        np.testing.assert_allclose(found[name], ((weight * slope).sum((1, 2, 3)) / flow).detach(), rtol=1e-9)
        assert found[name].sum() == pytest.approx(1)


def weights(net):
    return net.conv1.weight, net.conv2.weight, net.fc.weight


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_synflow_neither_overflows_nor_depends_on_the_size_of_weights(size):
    """Sixteen layers of weights near 1e30 make paths of 1e480."""
    torch.manual_seed(0)
    net = nn.Sequential(*(nn.Linear(3, 3, bias=False) for _ in range(16))).eval()
    members = [member("0.weight", "producer", range(3)), member("1.weight", "consumer", range(3))]
    described = placed(structure(group("0", 3, members, kind="linear")), (3,))
    expected = score("synflow", net, described).groups["0"]
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(size)
    np.testing.assert_allclose(score("synflow", net, described).groups["0"], expected, rtol=1e-4)


@pytest.mark.parametrize("name", ["dfpc", "synflow"])
@pytest.mark.parametrize("net", sorted(EXACT))
def test_scores_know_no_signs(name, net):
    """Flipping signs, moving biases and the norms' means changes nothing, and no score is negative."""
    module = alive(EXACT[net])
    described = analyse(module, torch.randn(1, *INPUT))
    before = score(name, module, described).groups
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if tensor.is_floating_point() and "running_var" not in key:
                tensor.add_(3.0) if "bias" in key or "mean" in key else tensor.neg_()
    for key, values in score(name, module, described).groups.items():
        np.testing.assert_allclose(values, before[key])
        assert (values >= 0).all()
        assert values.any()


def test_networks_that_read_tokens_have_no_input_of_ones():
    net = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.Linear(3, 2)).eval()
    members = [member("1.weight", "producer", range(3)), member("2.weight", "consumer", range(3))]
    described = placed(structure(group("1", 3, members, kind="linear")), (7,))
    for name in ("dfpc", "synflow"):
        with pytest.raises(ExplorerError, match="reads numbered tokens"):
            score(name, net, described)
        assert estimate(CRITERIA[name], net, described) == 0.0
