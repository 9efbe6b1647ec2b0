"""Reconstruction: exact where what left is a combination of what stays, least squares elsewhere."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.errors import Cancelled, ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import Origin, reconstruct, reconstruction, recover
from explorer.recovery.reconstruction import Moments, maps, solve
from explorer.structure import analyse

CPU = torch.device("cpu")


def images(count: int = 24, channels: int = 2, size: int = 6) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(1)) + 0.5


def data() -> TensorDataset:
    return TensorDataset(images(), torch.zeros(24).long())


def origin_of(module: nn.Module, **remove: tuple[int, ...]) -> Origin:
    module.eval()
    return Origin(module, analyse(module, images(1)), Plan("net", {k.removeprefix("n"): v for k, v in remove.items()}))


def smaller(origin: Origin) -> nn.Module:
    return cut(origin.module, origin.structure, origin.plan).module


def difference(module: nn.Module, origin: Origin) -> float:
    """The largest difference of outputs on images that no recovery saw, relative to the largest output."""
    inputs = torch.randn(5, 2, 6, 6, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        mine, whole = module(inputs), origin.module(inputs)
    return ((mine - whole).abs().max() / whole.abs().max()).item()


def combine(layer: nn.Module, row: int, mix: dict[int, float], constant: float = 0.0) -> None:
    """Makes a layer's output channel a combination of others."""
    with torch.no_grad():
        layer.weight[row] = sum(factor * layer.weight[other] for other, factor in mix.items())
        if layer.bias is not None:
            layer.bias[row] = sum(factor * layer.bias[other] for other, factor in mix.items()) + constant


def chain(padding: int = 0, **settings: object) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(2, 6, 3), nn.Conv2d(6, 4, 3, padding=padding, **settings)),
        *(nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * (2 + 2 * padding) ** 2, 5)),
    )


@pytest.mark.parametrize("padding", [0, 1])
def test_combinations_of_what_stays_are_made_up_for_exactly(padding):
    net = chain(padding)
    combine(net[0], 1, {0: 1.5, 3: -2.0})
    combine(net[0], 4, {0: -0.5, 2: 1.0, 5: 0.25})
    combine(net[1], 3, {1: 2.0})  # behind a ReLU and a flattening, where only positive factors stay linear
    origin = origin_of(net, n0=(1, 4), n1=(3,))
    module = smaller(origin)
    assert difference(module, origin) > 0.1
    history = reconstruct(module, data(), origin, device=CPU, ridge=1e-9)
    assert difference(module, origin) < 1e-4
    assert history.warnings == ()


@pytest.mark.parametrize(("bias", "norm"), [(True, False), (False, True)])
def test_constants_go_to_the_bias_or_to_the_batch_norm(bias, norm):
    net = chain(bias=bias)
    if not norm:
        net[2] = nn.Identity()
    combine(net[0], 1, {0: 1.0}, constant=3.0)
    origin = origin_of(net, n0=(1,))
    module = smaller(origin)
    reconstruct(module, data(), origin, device=CPU, ridge=1e-9)
    assert difference(module, origin) < 1e-4


def test_constants_are_approximate_at_a_border_of_zeros():
    net = chain(padding=1)
    combine(net[0], 1, {0: 1.0}, constant=3.0)
    origin = origin_of(net, n0=(1,))
    module = smaller(origin)
    whole = net[:2](images())
    before = nn.functional.mse_loss(module[:2](images()), whole)
    reconstruct(module, data(), origin, device=CPU)
    assert before / 1000 < nn.functional.mse_loss(module[:2](images()), whole) < before / 2


def test_groups_of_a_convolution_are_solved_each_by_itself():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 6, 1), nn.Conv2d(6, 4, 3, groups=2), nn.Flatten(), nn.Linear(64, 3))
    combine(net[0], 1, {0: 2.0})
    combine(net[0], 4, {3: 1.0, 5: -1.0})
    origin = origin_of(net, n0=(1,))  # channels 1 and 4
    module = smaller(origin)
    assert module[1].weight.shape == (4, 2, 3, 3)
    reconstruct(module, data(), origin, device=CPU, ridge=1e-9)
    assert difference(module, origin) < 1e-4


def test_a_depthwise_convolution_between_is_read_behind():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 3, groups=4), nn.Conv2d(4, 3, 1), nn.Flatten(), nn.Linear(48, 3)
    )
    combine(net[0], 1, {0: 2.0})
    combine(net[1], 1, {0: 3.0})
    net[1].bias.data[1] = -1.0
    origin = origin_of(net, n0=(1,))
    module = smaller(origin)
    reconstruct(module, data(), origin, device=CPU, ridge=1e-9)
    assert difference(module, origin) < 1e-4


def test_the_solution_is_that_of_ridge_regression():
    generator = np.random.default_rng(0)
    seen, whole = generator.normal(1.0, 2.0, (1, 40, 3)), generator.normal(-1.0, 1.0, (1, 40, 5))
    whole[0, :, [0, 2, 4]] += 0.7 * seen[0].T
    moments = Moments()
    for rows in (slice(0, 15), slice(15, 40)):
        part = torch.tensor(seen[:, rows]), torch.tensor(whole[:, rows])
        moments.add(*part, torch.tensor([0, 2, 4]), torch.ones(part[0].shape[1]))
    mix, constant = solve(moments, 0.3, constant=True)
    lacking = whole[0].copy()
    lacking[:, [0, 2, 4]] -= seen[0]
    centred = seen[0] - seen[0].mean(0)
    penalty = np.sqrt(0.3 * centred.var(0).mean() * 40) * np.eye(3)
    rows = np.vstack([centred, penalty]), np.vstack([lacking - lacking.mean(0), np.zeros((3, 5))])
    expected = np.linalg.lstsq(*rows, rcond=None)[0]
    np.testing.assert_allclose(mix[0], expected, atol=1e-10)
    np.testing.assert_allclose(constant[0], lacking.mean(0) - seen[0].mean(0) @ expected, atol=1e-10)
    left = lacking - seen[0] @ mix[0].numpy() - constant[0].numpy()
    assert (left**2).sum() <= (lacking**2).sum()


@pytest.mark.parametrize(
    "settings", [{"padding": 1}, {"stride": 2, "dilation": 2}, {"padding": (2, 0), "stride": (1, 3)}]
)
def test_a_convolution_reads_every_place_as_often_as_its_windows_do(settings):
    layer, inputs = nn.Conv2d(2, 1, (3, 2), **settings), images(3)
    unfold = nn.Unfold((3, 2), **settings)
    read, reads = maps(layer, inputs, 1)
    total = (read[0] * reads[:, None]).sum(0)
    torch.testing.assert_close(total, unfold(inputs).unflatten(1, (2, -1)).sum((0, 2, 3)), atol=1e-3, rtol=1e-4)
    assert reads.sum() == unfold(inputs).numel() / 2


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv1, self.conv2 = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)
        self.fc = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        return self.fc((x + self.conv2(self.conv1(x).relu())).relu().mean((2, 3)))


def test_outputs_come_nearer_where_nothing_is_exact_and_the_base_is_left_alone():
    torch.manual_seed(0)
    origin = origin_of(Residual(), nstem=(1, 4, 6), nconv1=(0, 2, 3, 7))
    before = {name: tensor.clone() for name, tensor in origin.module.state_dict().items()}
    module, seen = smaller(origin), []
    cut_loss = torch.nn.functional.mse_loss(module(images()), origin.module(images()))
    reconstruct(module, data(), origin, device=CPU, report=lambda f, message: seen.append(message))
    loss = torch.nn.functional.mse_loss(module(images()), origin.module(images()))
    assert loss < cut_loss / 10
    told = [message.split()[1].rstrip(",") for message in seen if message.startswith("reconstructed")]
    assert told == ["conv1", "conv2", "fc"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in origin.module.state_dict().items())


class Repeated(Residual):
    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        return self.fc(self.conv2(self.conv1(self.conv1(x).relu()).relu()).mean((2, 3)))


@pytest.mark.parametrize("kind", [Residual, Repeated])
def test_layers_mended_in_one_pass_get_what_each_gets_in_passes_of_its_own(kind, monkeypatch):
    torch.manual_seed(0)
    origin = origin_of(kind(), nstem=(1, 4, 6))
    together, apart = smaller(origin), smaller(origin)
    reconstruct(together, data(), origin, device=CPU)
    monkeypatch.setattr(reconstruction, "TOGETHER", 0)
    reconstruct(apart, data(), origin, device=CPU, batch_size=5)
    for name, tensor in together.state_dict().items():
        torch.testing.assert_close(tensor, apart.state_dict()[name])


@pytest.mark.parametrize(("batch_size", "room", "most"), [(8, 2**16, 8), (24, 2**16, 24), (8, 2**20, 24)])
def test_one_pass_takes_all_images_only_where_its_activations_fit(batch_size, room, most, monkeypatch):
    """What the layer reads is small in any case, and what comes before it large: 64 maps of 6 x 6 for every image."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, 5))
    origin = origin_of(net, n0=(1, 4))
    module, seen = smaller(origin), []
    module[0].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(reconstruction, "TOGETHER", room)
    reconstruct(module, data(), origin, device=CPU, batch_size=batch_size)
    assert max(seen) == most


def test_what_cannot_be_solved_stays_as_cut_by_name():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ReLU(), nn.ConvTranspose2d(4, 3, 3), nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(72, 2)
    )
    origin = origin_of(net, n0=(1,), n2=(0,))
    module = smaller(origin)
    as_cut = module[2].weight.clone()
    (warning,) = reconstruct(module, data(), origin, device=CPU).warnings
    assert warning.startswith("as cut: 0 (")
    assert torch.equal(module[2].weight, as_cut)


def test_fewer_examples_than_unknowns_are_told():
    origin = origin_of(chain(), n0=(1,), n1=(2,))
    few = TensorDataset(images(1), torch.zeros(1).long())
    assert reconstruct(smaller(origin), few, origin, device=CPU).warnings == ()
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3)).eval()
    origin = origin_of(net, n1=(0,))
    (warning,) = reconstruct(smaller(origin), few, origin, device=CPU).warnings
    assert warning == "fewer examples than unknowns in 3: give more calibration images"


@pytest.mark.parametrize("reports", [0, 1, 3])
def test_cancelling_leaves_the_weights_as_they_were(reports):
    origin = origin_of(chain(), n0=(1,), n1=(2,))
    module, heard = smaller(origin), []
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}

    def stop(_: float, message: str) -> None:
        heard.append(message)
        if len(heard) > reports:
            raise Cancelled

    with pytest.raises(Cancelled):
        reconstruct(module, data(), origin, device=CPU, report=stop)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())


def test_it_needs_the_network_before_the_cut_and_something_to_do():
    from tests.recovery.test_finetuning import net, task

    with pytest.raises(ExplorerError, match="needs the network before the cut"):
        recover("reconstruct", net(), task(), device=CPU)
    origin = origin_of(chain())
    assert "nothing was removed" in reconstruct(origin.copied(), data(), origin, device=CPU).warnings[0]
