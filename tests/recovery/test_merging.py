"""Merging keeps the function of equal channels, and counts what it merges."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.pruning import Plan, cut
from explorer.recovery import Origin, merge
from explorer.structure import analyse


class Net(nn.Module):
    """A residual stream of six channels, and inner channels with a depthwise convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(2, 6, 3, bias=False), nn.BatchNorm2d(6)
        self.conv1, self.norm1 = nn.Conv2d(6, 5, 1), nn.BatchNorm2d(5)
        self.depthwise, self.conv2 = nn.Conv2d(5, 5, 3, padding=1, groups=5), nn.Conv2d(5, 6, 1)
        self.fc = nn.Linear(6 * 16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.norm(self.stem(x)))
        return self.fc(F.relu(x + self.conv2(self.depthwise(F.relu(self.norm1(self.conv1(x)))))).flatten(1))


def images() -> Tensor:
    return torch.randn(8, 2, 6, 6, generator=torch.Generator().manual_seed(1))


def network() -> Net:
    torch.manual_seed(0)
    net = Net().eval()
    with torch.no_grad():
        for norm in (net.norm, net.norm1):
            for tensor in (norm.weight, norm.bias, norm.running_var):
                tensor.uniform_(0.5, 1.5)
    return net


def origin_of(net: nn.Module, **remove: tuple[int, ...]) -> Origin:
    return Origin(net, analyse(net, images()[:1]), Plan("net", remove))


def test_equal_channels_merge_without_an_error():
    net = network()
    with torch.no_grad():
        for layer, pairs in (
            ("stem", [(4, 1)]),
            ("conv2", [(4, 1)]),
            ("conv1", [(0, 3), (2, 3)]),
            ("depthwise", [(0, 3), (2, 3)]),
        ):
            for one, other in pairs:
                getattr(net, layer).weight[one] = getattr(net, layer).weight[other]
                if getattr(net, layer).bias is not None:
                    getattr(net, layer).bias[one] = getattr(net, layer).bias[other]
        for norm, pairs in ((net.norm, [(4, 1)]), (net.norm1, [(0, 3), (2, 3)])):
            for tensor in norm.state_dict().values():
                if tensor.ndim:
                    for one, other in pairs:
                        tensor[one] = tensor[other]
        # Far apart in what reads them, channels that are made alike must not be each other's second best.
        net.conv2.weight[:, [1, 4]] += 20
        net.conv1.weight[:, 0] += 20
    origin = origin_of(net, stem=(4,), conv1=(0, 2))
    module = cut(net, origin.structure, origin.plan).module
    with torch.no_grad():
        assert (module(images()) - net(images())).abs().max() > 0.1
        assert merge(module, origin).warnings == ()
        torch.testing.assert_close(module(images()), net(images()), atol=1e-4, rtol=1e-4)


def test_means_are_taken_over_all_that_merge():
    """Of filters 1, 2, 4 and 100 the first two go into the third."""
    net = nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)).eval()
    with torch.no_grad():
        net[0].weight[:, 0] = torch.tensor([1.0, 2.0, 4.0, 100.0])
        net[0].bias[:] = torch.tensor([0.0, 3.0, 6.0, 9.0])
        net[1].running_mean[:] = torch.tensor([1.0, 1.0, 4.0, 7.0])
        net[2].weight[0] = torch.tensor([0.1, 0.2, 0.4, 0.8])
    origin = Origin(net, analyse(net, torch.zeros(1, 1)), Plan("net", {"0": (0, 1)}))
    module = cut(net, origin.structure, origin.plan).module
    merge(module, origin)
    torch.testing.assert_close(module[0].weight[:, 0], torch.tensor([7 / 3, 100.0]))
    torch.testing.assert_close(module[0].bias, torch.tensor([3.0, 9.0]))
    torch.testing.assert_close(module[1].running_mean, torch.tensor([2.0, 7.0]))
    torch.testing.assert_close(module[2].weight[0], torch.tensor([0.7, 0.8]))
    assert net[0].weight[2, 0] == 4


def test_channels_under_a_norm_stay_as_cut_by_name():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 2)).eval()
    origin = Origin(net, analyse(net, torch.zeros(1, 3)), Plan("net", {"0": (1,)}))
    module = cut(net, origin.structure, origin.plan).module
    before = module(torch.ones(2, 3))
    (warning,) = merge(module, origin).warnings
    assert warning.startswith("as cut: 0 (a norm takes statistics")
    assert torch.equal(module(torch.ones(2, 3)), before)
