"""Importance handed through whole networks: NISP, conductance, and Shapley values."""

from itertools import permutations

import numpy as np
import pytest
import torch
from captum.attr import LayerConductance
from torch import nn
from torch.func import functional_call
from torch.utils.data import TensorDataset

from explorer.criteria import Context, score
from explorer.criteria.conductance import conducted
from explorer.criteria.nisp import infinite_selection
from explorer.criteria.tools.gauges import Gauge
from explorer.device import BatchSize
from explorer.errors import ExplorerError
from explorer.progress import silent
from explorer.structure.types import Tap
from tests.criteria.cases import group, member, structure


@pytest.fixture
def chain():
    """Three linear layers of widths 2 → 3 → 4 → 2 with ReLUs between them."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    def one(made, read, size):
        members = [member(f"{made}.weight", "producer", range(size)), member(f"{read}.weight", "consumer", range(size))]
        return group(made, size, members, [Tap(f"{made}.weight", made, "relu", -1)], kind="linear")

    data = TensorDataset(torch.randn(12, 2), torch.arange(12) % 2)
    return net, structure(one("0", "2", 3), one("2", "4", 4)), data


def test_importance_goes_back_through_absolute_weights(chain):
    net, found, data = chain
    with torch.no_grad():
        last = infinite_selection(net[:4](data.tensors[0]).double().numpy())
    scores = score("nisp", net, found, data, device="cpu", batch_size=5).groups
    np.testing.assert_allclose(scores["2"], last, rtol=1e-6)
    np.testing.assert_allclose(scores["0"], np.abs(net[2].weight.detach().numpy()).T @ last, rtol=1e-5)


def test_selection_sums_all_paths():
    """Against ``Σ_k (rA)^k`` written out, with a feature that repeats another's order and one that never varies."""
    x = np.random.default_rng(0).normal(size=(30, 4))
    x[:, 1], x[:, 3] = np.exp(x[:, 0]), 2.0
    ranks = x[:, :3].argsort(0).argsort(0)
    rho = np.ones((4, 4))
    rho[:3, :3] = np.abs(np.corrcoef(ranks.T))
    sigma = x.std(0) / x.std(0).max()
    edges = np.maximum.outer(sigma, sigma) / 2 + (1 - rho) / 2
    edges *= 0.9 / np.abs(np.linalg.eigvals(edges)).max()
    paths = sum(np.linalg.matrix_power(edges, k) for k in range(1, 300)).sum(1)
    np.testing.assert_allclose(infinite_selection(x), paths, rtol=1e-6)


def conductance(case, place, steps):
    net, _, data = case
    context = Context(net.requires_grad_(False), structure(), data, torch.device("cpu"), BatchSize(4), 0, silent)
    return conducted(context, {place}, *data.tensors, steps)[place]


def test_conductance_adds_up_to_the_logits_change(chain):
    net, _, (inputs, labels) = chain[0], chain[1], chain[2].tensors
    changed = (net(inputs) - net(torch.zeros_like(inputs))).gather(1, labels[:, None])[:, 0]
    for layer in ("0", "2"):
        found = conductance(chain, Gauge(layer, "relu", -1), 64)
        torch.testing.assert_close(found.sum(1), changed, rtol=0.02, atol=2e-3)


def test_conductance_is_captums(plain):
    net, (inputs, labels) = plain.module, plain.data.tensors
    net.relu.inplace = False  # captum reads the norm's output after a ReLU has written into it
    found = conductance((net, None, plain.data), Gauge("bn1", "relu", 1), 64)
    expected = LayerConductance(net, net.bn1).attribute(inputs, target=labels, n_steps=200).sum((2, 3)).detach()
    torch.testing.assert_close(found, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))


def test_tokens_do_not_fade_in(chain):
    net, found, _ = chain
    data = TensorDataset(torch.ones(4, 2, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
    with pytest.raises(ExplorerError, match="tokens can't be"):
        score("conductance", net, found, data, device="cpu")


def coalition(net, data, units):
    """Minus the loss where the second layer reads these three units as they are and no others."""
    weight = net[2].weight.detach() * torch.tensor([float(unit in units) for unit in range(3)])
    outputs = functional_call(net, {"2.weight": weight}, (data.tensors[0],))
    return -nn.functional.cross_entropy(outputs, data.tensors[1]).item()


def test_shapley_values_are_means_over_all_orders(chain):
    net, found, data = chain
    expected = np.zeros(3)
    for order in permutations(range(3)):
        for place, unit in enumerate(order):
            before = coalition(net, data, order[:place])
            expected[unit] += (coalition(net, data, order[: place + 1]) - before) / 6
    options = {"permutations": "32", "truncation": "0"}
    values = score("shapley", net, found, data, options=options, device="cpu", batch_size=5).groups["0"]
    worth = coalition(net, data, (0, 1, 2)) - coalition(net, data, ())
    np.testing.assert_allclose(values.sum(), worth, rtol=1e-5)
    np.testing.assert_allclose(values, expected, atol=0.1 * np.abs(expected).max())


def test_an_order_is_left_where_nothing_is_to_be_gained(chain):
    """With a second layer that reads hardly anything but unit 1, no unit that joins after it is tried."""
    net, found, data = chain
    with torch.no_grad():
        net[2].weight[:, [0, 2]] *= 1e-3
    seen = []
    handle = net[4].register_forward_hook(lambda *_: seen.append(1))
    options = {"permutations": "8", "truncation": "0"}
    values = score("shapley", net, found, data, options=options, device="cpu").groups["0"]
    whole = len(seen)
    seen.clear()
    left = score("shapley", net, found, data, options=options | {"truncation": "0.01"}, device="cpu").groups["0"]
    handle.remove()
    np.testing.assert_allclose(left, values, atol=1e-5)
    assert len(seen) < whole
    assert values[[0, 2]] == pytest.approx([0, 0], abs=1e-5)
