"""Data-free restoration: exact with the corrected coefficients, and only with them."""

import pytest
import torch
from torch import Tensor, nn

from explorer.pruning import Plan, cut
from explorer.recovery import Origin, restore
from explorer.recovery.restoration import Filters, coefficients
from explorer.structure import analyse

SCALE = 1.7


def images(count: int = 8) -> Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def network() -> nn.Sequential:
    """Filter 2 is 1.7 times filter 0, and its ReLU sets in at the same place; statistics and gains differ."""
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(2, 5, 3, bias=False), nn.BatchNorm2d(5), nn.ReLU()),
        *(nn.Conv2d(5, 3, 3, padding=1), nn.Flatten(), nn.Linear(48, 4)),
    ).eval()
    norm = net[1]
    with torch.no_grad():
        net[0].weight[2] = SCALE * net[0].weight[0]
        norm.running_mean[:] = torch.tensor([-0.2, 0.1, 0.0, 0.3, 0.1])
        norm.running_var[:] = torch.tensor([0.3, 1.2, 2.0, 0.7, 1.5])
        norm.weight[:] = torch.tensor([1.2, 0.5, 0.8, 1.5, 1.1])
        norm.bias[:] = torch.tensor([0.5, 0.2, 0.3, -0.4, 0.1])
        sigma = (norm.running_var + norm.eps).sqrt()
        threshold = norm.running_mean - sigma * norm.bias / norm.weight
        norm.running_mean[2] = SCALE * threshold[0] + sigma[2] * norm.bias[2] / norm.weight[2]
    return net


def origin_of(net: nn.Module, *removed: int) -> Origin:
    return Origin(net, analyse(net, images(1)), Plan("net", {"0": removed}))


def difference(origin: Origin, mix: float) -> float:
    """The largest difference of logits, if filter 0 takes `mix` times what reads filter 2."""
    changed = origin.copied()
    with torch.no_grad():
        changed[3].weight[:, 0] += mix * changed[3].weight[:, 2]
        module = cut(changed, origin.structure, origin.plan).module
        return (module(images()) - origin.module(images())).abs().max().item()


def test_a_multiple_of_a_filter_is_made_up_for_exactly_by_these_coefficients_alone():
    net = network()
    origin = origin_of(net, 2)
    module = cut(net, origin.structure, origin.plan).module
    history = restore(module, origin, size_error=1e-9)
    with torch.no_grad():
        assert (module(images()) - net(images())).abs().max() < 1e-5
    assert history.warnings == ()
    norm = net[1]
    sigma = (norm.running_var + norm.eps).sqrt()
    ratio = (norm.weight[2] / norm.weight[0] * sigma[0] / sigma[2]).item()
    assert difference(origin, ratio * SCALE) < 1e-5
    for wrong in (SCALE, SCALE / ratio, ratio * SCALE * (sigma[0] / sigma[2]).item()):
        assert difference(origin, wrong) > 1e-2


def test_coefficients_solve_the_stated_problem():
    generator = torch.Generator().manual_seed(3)
    weights = torch.randn(4, 6, generator=generator, dtype=torch.float64)
    gain = torch.tensor([1.0, -0.5, 2.0, 0.8], dtype=torch.float64)
    threshold = torch.tensor([0.3, -0.2, 0.5, 1.0], dtype=torch.float64)
    kept, removed = torch.tensor([0, 2, 3]).numpy(), torch.tensor([1]).numpy()
    found = coefficients(Filters(weights, gain, threshold, True), kept, removed, 0.3, 0.7)
    ratio = gain[1] / gain[[0, 2, 3]]
    s = (found[0] / ratio).requires_grad_()
    error = (weights[1] - s @ weights[[0, 2, 3]]).square().sum()
    error = error + 0.3 * gain[1] ** 2 * (threshold[1] - s @ threshold[[0, 2, 3]]) ** 2
    error = error + 0.7 * (ratio * s).square().sum()
    (slope,) = torch.autograd.grad(error, s)
    assert slope.abs().max() < 1e-10


@pytest.mark.parametrize("flat", [False, True])
def test_without_batch_norm_weights_and_bias_are_one_vector(flat):
    torch.manual_seed(0)
    end = [nn.Flatten(), nn.Linear(64, 3)] if flat else [nn.Conv2d(4, 3, 1), nn.Flatten(), nn.Linear(48, 3)]
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), *end).eval()
    with torch.no_grad():
        net[0].weight[1], net[0].bias[1] = 2.5 * net[0].weight[3], 2.5 * net[0].bias[3]
    origin = origin_of(net, 1)
    module = cut(net, origin.structure, origin.plan).module
    restore(module, origin, size_error=1e-9)
    with torch.no_grad():
        torch.testing.assert_close(module(images()), net(images()), atol=1e-5, rtol=1e-5)


def test_a_batch_norm_that_multiplies_by_zero_gives_and_takes_nothing():
    filters = Filters(
        torch.eye(3, dtype=torch.float64), torch.tensor([1.0, 0.0, 0.0]).double(), torch.zeros(3).double(), True
    )
    found = coefficients(filters, torch.tensor([0, 1]).numpy(), torch.tensor([2]).numpy())
    assert found.tolist() == [[0.0, 0.0]]


def test_groups_that_it_cannot_serve_are_named():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.Sigmoid(),
        nn.Conv2d(4, 4, 1),
        nn.ReLU(),
        nn.Conv2d(4, 4, 3, groups=4),
        nn.Conv2d(4, 2, 1),
    )
    net = nn.Sequential(*net, nn.Flatten(), nn.Linear(8, 2)).eval()
    origin = Origin(net, analyse(net, images(1)), Plan("net", {"0": (1,), "2": (0,)}))
    module = cut(net, origin.structure, origin.plan).module
    before = module(images())
    history = restore(module, origin)
    assert "0 (no ReLU follows" in " ".join(history.warnings)
    assert "2 (several layers make its channels" in " ".join(history.warnings)
    assert torch.equal(module(images()), before)
