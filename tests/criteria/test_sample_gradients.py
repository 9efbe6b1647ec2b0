"""Criteria of gradients, against autograd on one sample, one mask and one weight at a time."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import TensorDataset

from explorer.criteria import score
from explorer.structure import analyse
from tests.criteria.cases import group, member, structure
from tests.nets import EXACT, INPUT, alive

MINE = ("taylor-activation", "group-fisher", "obd")


def found(name, case, batch_size=4, **options):
    return score(
        name, case.module, case.structure, case.data, options=options, device="cpu", batch_size=batch_size
    ).groups


def each_gradient(case, tensor):
    """∂L_n/∂w of every sample, (samples, *shape)."""
    weight = case.module.get_parameter(tensor)
    weights = []
    for image, label in zip(*case.data.tensors, strict=True):
        loss = F.cross_entropy(case.module(image[None]), label[None])
        weights.append(torch.autograd.grad(loss, weight)[0])
    return torch.stack(weights).double().numpy()


def weight_of(case, tensor):
    return case.module.get_parameter(tensor).detach().double().numpy()


def by_unit(values, member, units):
    """Sums of a (…, *shape) array over everything but its leading axis and the units of the member's axis."""
    values = np.moveaxis(values, member.axis + 1, 1)
    values = values.reshape(*values.shape[:2], -1).sum(-1)
    return np.stack([values[:, member.units == unit].sum(1) for unit in range(units)], axis=1)


@pytest.fixture(params=[*sorted(EXACT), "hand"])
def network(request, residual):
    if request.param == "hand":
        return residual
    module = alive(EXACT[request.param])
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(5, *INPUT), torch.arange(5))
    return SimpleNamespace(module=module, structure=analyse(module, data[0][0][None]), data=data)


def test_obd_squares_the_gradient_of_every_single_sample(network):
    scores = found("obd", network)
    for name, values in scores.items():
        one = network.structure.groups[name]
        expected = []
        for m in one.of_role("producer"):
            saliency = 0.5 * weight_of(network, m.tensor) ** 2 * each_gradient(network, m.tensor) ** 2
            expected.append(by_unit(saliency.mean(0, keepdims=True), m, one.units)[0])
        owned = np.stack([[(m.units == u).any() for u in range(one.units)] for m in one.of_role("producer")])
        np.testing.assert_allclose(values, np.sum(expected, 0) / owned.sum(0), rtol=2e-4, atol=1e-12, err_msg=name)
    assert set(scores) == set(network.structure.groups)


def test_group_fisher_squares_each_sample_s_slope_along_all_readers(network):
    """Scaling the slices that read a unit is the same as scaling what they read."""
    scores = found("group-fisher", network)
    for name, values in scores.items():
        one = network.structure.groups[name]
        slopes = 0
        for m in one.of_role("producer" if one.contracted else "consumer"):
            slopes = slopes + by_unit(weight_of(network, m.tensor) * each_gradient(network, m.tensor), m, one.units)
            bias = m.tensor.removesuffix("weight") + "bias"
            if one.contracted and any(other.tensor == bias for other in one.members):
                slopes += by_unit(weight_of(network, bias) * each_gradient(network, bias), m, one.units)
        np.testing.assert_allclose(values, (slopes**2).mean(0), rtol=2e-4, atol=1e-12, err_msg=name)
    assert set(scores) == set(network.structure.groups)


@pytest.mark.parametrize("network", sorted(EXACT), indirect=True)
def test_group_fisher_per_saved_macs_or_parameters(network):
    plain = found("group-fisher", network)
    for kind in ("macs", "params"):
        per = found("group-fisher", network, per=kind)
        for name, values in plain.items():
            kept = network.structure.cost({name: network.structure.full[name] - 1})
            saved = getattr(network.structure.cost(), kind) - getattr(kept, kind)
            np.testing.assert_allclose(per[name], values / saved)


@pytest.mark.parametrize("absolute", ["sample", "set"])
def test_taylor_on_activations_sees_them_after_their_non_linearity(plain, absolute):
    net, (images, labels) = plain.module, plain.data.tensors
    first = net.bn1(net.conv1(images)).relu().detach().requires_grad_()
    second = F.silu(net.conv2(first)).detach().requires_grad_()

    def slopes(activation, rest):
        loss = F.cross_entropy(rest(activation), labels, reduction="sum")
        terms = (activation * torch.autograd.grad(loss, activation)[0]).mean((2, 3)).double()
        return (terms.abs().mean(0) if absolute == "sample" else terms.mean(0).abs()).detach().numpy()

    scores = found("taylor-activation", plain, absolute=absolute)
    tail = lambda x: net.fc(x.mean((2, 3)))  # noqa: E731
    np.testing.assert_allclose(scores["conv1"], slopes(first, lambda x: tail(F.silu(net.conv2(x)))), rtol=1e-4)
    np.testing.assert_allclose(scores["conv2"], slopes(second, tail), rtol=1e-4)


def test_taylor_on_an_activation_that_is_added_before_its_non_linearity(residual):
    """The stream's second producer is seen behind its batch norm, its first behind the ReLU."""
    net, (images, labels) = residual.module, residual.data.tensors
    stem = net.bn0(net.stem(images)).relu().detach().requires_grad_()
    outer = net.bn1(net.outer(net.inner(stem).relu()))
    loss = F.cross_entropy(net.fc((stem + outer).relu().mean((2, 3))), labels, reduction="sum")
    means = [
        (a * g).mean((2, 3)).abs().mean(0).detach().double()
        for a, g in zip((stem, outer), torch.autograd.grad(loss, (stem, outer)), strict=True)
    ]
    np.testing.assert_allclose(found("taylor-activation", residual)["stem"], (means[0] + means[1]) / 2, rtol=1e-4)


@pytest.mark.parametrize("name", MINE)
def test_the_batch_size_does_not_matter(name, network):
    whole, single = (found(name, network, batch_size=size) for size in (5, 2))
    for key, values in whole.items():
        np.testing.assert_allclose(single[key], values, rtol=1e-3, atol=1e-12)


def test_label_maps_are_taken_one_by_one():
    """The mean over all pixels that count is not the mean of the samples' means."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.Conv2d(3, 2, 1)).eval()
    labels = torch.randint(0, 2, (4, 5, 5))
    labels[0, 1:] = 255
    case = SimpleNamespace(module=net, data=TensorDataset(torch.randn(4, 2, 5, 5), labels))
    members = [member("0.weight", "producer", range(3)), member("2.weight", "consumer", range(3))]
    case.structure = structure(group("0", 3, members))
    weight, total = net[0].weight, 0
    for image, label in zip(*case.data.tensors, strict=True):
        loss = F.cross_entropy(net(image[None]), label[None], ignore_index=255)
        total = total + 0.5 * (weight * torch.autograd.grad(loss, weight)[0]).square().sum((1, 2, 3)) / 4
    np.testing.assert_allclose(found("obd", case)["0"], total.detach(), rtol=1e-4)


def test_taylor_on_weights_squares_before_it_adds(plain):
    (images, labels), expected = plain.data.tensors, 0
    weight = plain.module.conv1.weight
    for part in (slice(0, 3), slice(3, 6), slice(6, 10)):
        loss = F.cross_entropy(plain.module(images[part]), labels[part])
        expected = expected + (weight * torch.autograd.grad(loss, weight)[0]).square().sum((1, 2, 3)) / 3
    scores = found("taylor-weights", plain, batch_size=10, batch="4")
    np.testing.assert_allclose(scores["conv1"], expected.detach(), rtol=1e-4)


def test_taylor_on_gates_multiplies_the_whole_output_of_batch_norm(residual):
    net, (images, labels) = residual.module, residual.data.tensors
    squares = []
    for norm in (net.bn0, net.bn1):
        gate = torch.ones(4, requires_grad=True)
        handle = norm.register_forward_hook(lambda _, inputs, output, gate=gate: output * gate.view(1, -1, 1, 1))
        squares.append(torch.autograd.grad(F.cross_entropy(net(images), labels), gate)[0].double().numpy() ** 2)
        handle.remove()
    options = {"batch": "16"}
    scores = score("taylor-gates", net, residual.structure, residual.data, options=options, device="cpu")
    np.testing.assert_allclose(scores.groups["stem"], np.mean(squares, axis=0), rtol=1e-4)
    assert scores.skipped == {"inner": "no batch normalisation with a scale follows inner"}


def test_snip_is_the_share_of_absolute_products_over_the_whole_set(plain):
    net, (images, labels) = plain.module, plain.data.tensors
    weights = (net.conv1.weight, net.conv2.weight)
    gradients = torch.autograd.grad(F.cross_entropy(net(images), labels), weights)
    products = [(w * g).abs().sum((1, 2, 3)).detach().double() for w, g in zip(weights, gradients, strict=True)]
    scores = found("snip", plain, batch_size=3)
    np.testing.assert_allclose(scores["conv1"], products[0] / (products[0].sum() + products[1].sum()), rtol=1e-4)
    assert scores["conv1"].sum() + scores["conv2"].sum() == pytest.approx(1)


@pytest.mark.parametrize("activation", [nn.Tanh, nn.Hardsigmoid])
def test_grasp_against_a_difference_of_gradients(activation):
    """(Hg)·w in float64 by central differences along g; PyTorch has no second derivative of a hard sigmoid."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4, bias=False), activation(), nn.Linear(4, 2, bias=False)).double().eval()
    data = TensorDataset(torch.randn(6, 3).double(), torch.tensor([0, 1, 0, 1, 1, 0]))
    members = [member("0.weight", "producer", range(4)), member("2.weight", "consumer", range(4))]
    case = SimpleNamespace(module=net, data=data, structure=structure(group("0", 4, members, kind="linear")))
    before, step = net[0].weight.detach().clone(), 1e-4

    def slope(weight):
        with torch.no_grad():
            net[0].weight.copy_(weight)
        loss = F.cross_entropy(net(data.tensors[0]), data.tensors[1])
        return torch.autograd.grad(loss, net[0].weight)[0]

    g = slope(before)
    bend = (slope(before + step * g) - slope(before - step * g)) / (2 * step)
    slope(before)
    expected = (before * bend).sum(1)
    np.testing.assert_allclose(found("grasp", case, 4, temperature="1")["0"], expected, rtol=1e-3, atol=1e-9)
    assert not np.allclose(found("grasp", case, 4)["0"], expected, rtol=0.5)
