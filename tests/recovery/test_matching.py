"""Variance matching: means and variances of the whole network, with and without batch norm."""

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import Origin, match_variances
from explorer.structure import analyse

CPU = torch.device("cpu")


def images(count: int = 20) -> Tensor:
    return torch.randn(count, 2, 6, 6, generator=torch.Generator().manual_seed(1)) * 2 + 1


def data(count: int = 20) -> TensorDataset:
    return TensorDataset(images(count), torch.zeros(count).long())


def origin_of(net: nn.Module, **remove: tuple[int, ...]) -> Origin:
    net.eval()
    return Origin(net, analyse(net, images(1)), Plan("net", {k.removeprefix("n"): v for k, v in remove.items()}))


def network(*, norm: bool, bias: bool = True) -> nn.Sequential:
    torch.manual_seed(0)
    between = nn.BatchNorm2d(4) if norm else nn.Identity()
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3), nn.ReLU(), nn.Conv2d(6, 4, 3, bias=bias), between, nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 3, bias=bias)),
    )


def outputs(module: nn.Module, name: int) -> Tensor:
    with torch.no_grad():
        return module[: name + 1](images())


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("passes", [1, 2])
def test_channels_get_their_means_and_variances_back(norm, passes):
    origin = origin_of(network(norm=norm), n0=(0, 3), n2=(1,), n6=(2,))
    module = cut(origin.module, origin.structure, origin.plan).module
    match_variances(module, data(), origin, device=CPU, batch_size=20 // passes)
    for layer, kept in ((3, [0, 2, 3]), (6, [0, 1, 3, 4]), (8, [0, 1, 2])):
        before, after = outputs(origin.module, layer)[:, kept], outputs(module, layer)
        dims = [0, *range(2, before.ndim)]
        tolerance = {"atol": 1e-4, "rtol": 1e-4} if passes == 1 else {"atol": 0.05, "rtol": 0.3}  # batches differ
        torch.testing.assert_close(after.mean(dims), before.mean(dims), **tolerance)
        torch.testing.assert_close(after.var(dims), before.var(dims), **tolerance)


def test_nothing_changes_where_the_cut_changed_nothing():
    net = network(norm=True)
    with torch.no_grad():
        net[2].weight[:, 3] = 0  # nobody reads channel 3
        net[3].running_mean.fill_(0.4)  # not the mean of these images
    origin = origin_of(net, n0=(3,))
    module = cut(net, origin.structure, origin.plan).module
    match_variances(module, data(), origin, device=CPU, batch_size=7)
    torch.testing.assert_close(outputs(module, 8), outputs(net, 8), atol=1e-5, rtol=1e-4)


def test_constant_channels_keep_their_scale():
    net = network(norm=False)
    with torch.no_grad():
        net[2].weight[1] = 0
        net[2].weight[2, [0, 3]] = 0
    origin = origin_of(net, n0=(1, 2, 4, 5))
    module = cut(net, origin.structure, origin.plan).module
    match_variances(module, data(), origin, device=CPU)
    after = outputs(module, 2)
    torch.testing.assert_close(after[:, 1], outputs(net, 2)[:, 1])
    # Channel 2 lost all that varied: of it the mean comes back.
    torch.testing.assert_close(after[:, 2].mean(), outputs(net, 2)[:, 2].mean())
    assert after.isfinite().all()


def test_layers_that_can_take_nothing_up_are_named():
    origin = origin_of(network(norm=False, bias=False), n0=(0,), n2=(0,), n6=(1,))
    module = cut(origin.module, origin.structure, origin.plan).module
    (warning,) = match_variances(module, data(), origin, device=CPU).warnings
    assert warning == "as cut: 2, 8 (no bias, and no batch norm behind)"


def test_one_image_is_too_few():
    origin = origin_of(network(norm=True), n0=(0,))
    module = cut(origin.module, origin.structure, origin.plan).module
    with pytest.raises(ExplorerError, match="at least two"):
        match_variances(module, data(1), origin, device=CPU)
