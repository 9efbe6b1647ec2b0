"""Reconstruction: exact where what left is a combination of what stays, least squares elsewhere."""

import threading
from contextlib import suppress

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.errors import Cancelled, ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import Origin, reconstruct, reconstruction, recover
from explorer.recovery.least_squares import Moments, Observed, windows
from explorer.recovery.readers import Geometry, Reads, Walk
from explorer.sources.networks.attention import SelfAttention
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


def error(module: nn.Module, origin: Origin, inputs: Tensor) -> float:
    """The mean squared difference of outputs."""
    with torch.no_grad():
        return nn.functional.mse_loss(module(inputs), origin.module(inputs)).item()


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


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("constant", [True, False])
def test_the_solution_is_that_of_ridge_regression(constant, exact):
    generator = np.random.default_rng(0)
    seen, whole = generator.normal(1.0, 2.0, (40, 3)), generator.normal(-1.0, 1.0, (40, 5))
    whole[:, [0, 2, 4]] += 0.7 * seen
    moments = Moments(np.array([0, 2, 4]), exact=exact)
    for rows in (slice(0, 15), slice(15, 40)):
        moments.add(*(Observed(torch.tensor(part[rows]), Geometry()) for part in (seen, whole)))
    mix, rest = moments.solved(0.3, constant=constant)
    lacking = whole.copy()
    lacking[:, [0, 2, 4]] -= seen
    about = (seen.mean(0), lacking.mean(0)) if constant else (np.zeros(3), np.zeros(5))
    centred = seen - about[0]
    penalty = np.sqrt(0.3 * (centred**2).mean() * 40) * np.eye(3)
    rows = np.vstack([centred, penalty]), np.vstack([lacking - about[1], np.zeros((3, 5))])
    expected = np.linalg.lstsq(*rows, rcond=None)[0]
    atol = 1e-10 if exact else 1e-5
    np.testing.assert_allclose(mix[0], expected, atol=atol)
    np.testing.assert_allclose(rest[0], about[1] - about[0] @ expected, atol=atol)
    left = lacking - seen @ mix[0].numpy() - rest[0].numpy()
    assert (left**2).sum() <= (lacking**2).sum()


def constant_left() -> nn.Sequential:
    """A network of which one channel, 0.3 everywhere, can be left behind the first layer."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 3, 1))
    with torch.no_grad():
        net[1].weight[0], net[1].bias[0] = 0.0, 0.3
    return net


@pytest.mark.parametrize("ridge", [1e-3, 1e-9])
@pytest.mark.parametrize("kernel", [1, 3])
def test_where_all_that_is_left_is_constant_nothing_is_fitted_to_rounding(kernel, ridge):
    net = constant_left()
    net[3] = nn.Conv2d(4, 3, kernel)
    origin = origin_of(net, n0=(1, 2, 3))
    module, as_cut = smaller(origin), smaller(origin)
    reconstruct(module, data(), origin, device=CPU, ridge=ridge)
    before, after = (error(each, origin, images()) for each in (as_cut, module))
    assert after < before
    assert module[3].weight.abs().max() < 100


@pytest.mark.parametrize("kernel", [1, 4])
def test_samples_that_are_all_the_same_make_nothing_worse(kernel):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.AvgPool2d(4 // kernel), nn.Conv2d(8, 3, kernel)).eval()
    same = images(1).repeat(3, 1, 1, 1)
    origin = origin_of(net, n0=(1, 4))
    module, as_cut = smaller(origin), smaller(origin)
    reconstruct(module, TensorDataset(same, torch.zeros(3).long()), origin, device=CPU)
    before, after = (error(each, origin, same) for each in (as_cut, module))
    assert after <= before
    assert module[3].weight.abs().max() < 100


@pytest.mark.parametrize("shift", [0.0, 100.0])
def test_sums_in_single_precision_are_as_good_far_from_zero_and_at_borders(shift):
    """Zeros of the padding lie far from channels about 100, where products of the numbers themselves cancel."""
    geometry = Geometry(window=((3, 1, 1, 1), (3, 1, 1, 1)))
    whole = torch.rand(32, 4, 5, 5, generator=torch.Generator().manual_seed(0)) + shift
    found = []
    for exact in (True, False):
        moments = Moments(np.array([0, 3]), exact=exact)
        moments.add(Observed(whole[:, [0, 3]], geometry), Observed(whole, geometry))
        found.append(moments.solved(1e-3, constant=True))
    for exact, rough in zip(*found, strict=True):
        torch.testing.assert_close(rough, exact, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (nn.Conv2d, {"padding": 1}),
        (nn.Conv2d, {"stride": 2, "dilation": 2}),
        (nn.Conv2d, {"padding": (2, 0), "stride": (1, 3)}),
        (nn.Conv2d, {"padding": "same"}),
        (nn.ConvTranspose2d, {"stride": 2, "padding": 1}),
        (nn.ConvTranspose2d, {"padding": 2, "dilation": 2}),
    ],
)
def test_a_convolution_reads_every_place_as_often_as_its_windows_do(kind, settings):
    """Of a layer with weights of one, what it gives altogether is every place times how often it is read."""
    layer, inputs = kind(2, 1, 3, bias=False, **settings), images(3)
    seen = []
    nn.init.ones_(layer.weight)
    with Reads(layer, ["weight"], seen.append):
        output = layer(inputs)
    observed = Observed(inputs, seen[0].geometry)
    total = observed.totals(observed.maps)
    torch.testing.assert_close(total.sum(), output.sum(), atol=1e-3, rtol=1e-4)
    ones = Observed(torch.ones_like(inputs), seen[0].geometry)
    inside = ones.totals(ones.maps)[0, 0] / len(inputs)
    assert ones.reads_each == pytest.approx(inside.item() + ones.padding)


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
    monkeypatch.setattr(reconstruction, "TOGETHER", 2**16)  # which holds 21 of them
    reconstruct(apart, data(), origin, device=CPU, batch_size=5)
    for name, tensor in together.state_dict().items():
        torch.testing.assert_close(tensor, apart.state_dict()[name])


@pytest.mark.parametrize(
    ("batch_size", "room", "most"), [(8, 2**16, 1), (8, 2**20, 8), (24, 2**20, 18), (8, 2**22, 24)]
)
def test_at_once_go_no_more_images_than_their_activations_fit(batch_size, room, most, monkeypatch):
    """What the layer reads is small in any case, and what comes before it large: 64 maps of 6 x 6 for every image."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 64, 3, padding=1), nn.AvgPool2d(6), nn.Flatten(), nn.Linear(64, 5))
    origin = origin_of(net, n0=(1, 4))
    module, seen = smaller(origin), []
    module[0].register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    monkeypatch.setattr(reconstruction, "TOGETHER", room)
    reconstruct(module, data(), origin, device=CPU, batch_size=batch_size)
    assert max(seen) == most


class Reader(nn.Module):
    """A stem whose eight channels, as maps or as a row of tokens, are read by something."""

    def __init__(self, reads: nn.Module, tokens: bool = False) -> None:
        super().__init__()
        self.stem, self.reads, self.tokens = nn.Conv2d(2, 8, 3), reads, tokens

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        out = self.reads(x.flatten(2).mT if self.tokens else x)
        return out[0] if isinstance(out, tuple) else out


class RawWeight(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.randn(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.w


class Apart(nn.Module):
    """Queries, keys and values by layers of their own, which read the same."""

    def __init__(self) -> None:
        super().__init__()
        self.q, self.k, self.v = nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.scaled_dot_product_attention(self.q(x), self.k(x), self.v(x))


class TorchAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x, x, x, need_weights=False)[0]


class Crossed(nn.Module):
    """Attention whose fused projection is used in two parts: queries read something else than keys and values."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        memory = x.square()
        return self.inner(x, memory, memory, need_weights=False)[0]


class Cells(nn.Module):
    """A cell that is called for every token, with weights for what it reads and for its state."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        state = x.new_zeros(len(x), 5)
        for token in x.unbind(1):
            state = self.cell(token, state)
        return state


@pytest.mark.parametrize(
    ("reads", "tokens", "linear"),
    [
        (lambda: nn.Conv2d(8, 4, 3, padding=1), False, True),
        (lambda: nn.Conv2d(8, 4, 3, stride=2, padding=2, dilation=2, groups=2), False, True),
        (lambda: nn.Conv2d(8, 4, 2, padding="same", padding_mode="reflect", bias=False), False, True),
        (lambda: nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 4, 1)), False, True),
        (lambda: nn.ConvTranspose2d(8, 4, 3, stride=2), False, False),
        (lambda: nn.Sequential(nn.Flatten(), nn.Linear(8 * 16, 5)), False, True),
        (lambda: nn.Linear(8, 5), True, True),
        (RawWeight, True, True),
        (Apart, True, False),
        (lambda: SelfAttention(8, 2), True, False),
        (TorchAttention, True, False),
        (lambda: nn.LSTM(8, 5, batch_first=True, bidirectional=True), True, False),
        (lambda: nn.GRU(8, 5, batch_first=True, bias=False), True, False),
        (Cells, True, False),
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_every_kind_of_reader_comes_nearer(reads, tokens, linear, together, monkeypatch):
    torch.manual_seed(0)
    origin = origin_of(Reader(reads(), tokens), nstem=(1, 2))
    module, as_cut = smaller(origin), smaller(origin)
    if not together:
        monkeypatch.setattr(reconstruction, "TOGETHER", 2**16)  # which holds 21 of them at most
    history = reconstruct(module, data(), origin, device=CPU, batch_size=24 if together else 7)
    assert not [warning for warning in history.warnings if "as cut" in warning]
    with torch.no_grad():
        whole = origin.module(images())
        before, after = (nn.functional.mse_loss(net(images()), whole).item() for net in (as_cut, module))
    assert after < before * (0.9 if linear else 0.97)


def test_windows_are_solved_for_all_kernel_places_at_once():
    """Worked example: y alone is left, x(p) = y(p-1) - 2 y(p+1); a kernel over x is one over y that is two wider."""
    torch.manual_seed(0)
    first = nn.Conv1d(1, 2, 3, bias=False)
    first.weight.data = torch.tensor([[[0.0, 1.0, 0.0]], [[1.0, 0.0, -2.0]]])
    second = nn.Conv1d(2, 1, 3, bias=False)
    second.weight.data = torch.tensor([[[0.5, 3.0, 0.25], [0.0, 1.0, 0.0]]])
    net = nn.Sequential(first, second, nn.Flatten(), nn.Linear(16, 2)).eval()
    inputs = torch.randn(40, 1, 20)
    origin = Origin(net, analyse(net, inputs[:1]), Plan("net", {"0": (1,)}))
    module = smaller(origin)
    reconstruct(module, TensorDataset(inputs, torch.zeros(40).long()), origin, device=CPU, ridge=1e-9)
    torch.testing.assert_close(module[1].weight, torch.tensor([[[1.5, 3.0, -1.75]]]), atol=1e-4, rtol=1e-4)


def test_windows_are_those_that_the_convolution_sees():
    layer = nn.Conv2d(4, 6, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False)
    inputs, seen = images(3, channels=4, size=7), []
    with Reads(layer, ["weight"], seen.append):
        output = layer(inputs)
    geometry, counts = seen[0].geometry, list(output.shape[2:])
    found = windows(inputs, geometry, counts, torch.arange(3 * counts[0] * counts[1]))
    product = found @ layer.weight.unflatten(0, (2, -1)).flatten(2).mT
    expected = output.unflatten(1, (2, -1)).permute(1, 0, 3, 4, 2).flatten(1, 3)
    torch.testing.assert_close(product, expected, atol=1e-5, rtol=1e-5)


def test_kernels_of_too_many_weights_keep_what_channels_give(monkeypatch):
    origin = origin_of(chain(), n0=(1,))
    module, small, none = (smaller(origin) for _ in range(3))
    reconstruct(module, data(), origin, device=CPU)
    for limit, net in ((45, small), (44, none)):
        monkeypatch.setattr(reconstruction, "MOST_UNKNOWNS", limit)
        reconstruct(net, data(), origin, device=CPU)
    assert torch.equal(small[1].weight, module[1].weight)
    assert not torch.allclose(none[1].weight, module[1].weight, atol=1e-3)
    change = none[1].weight - smaller(origin)[1].weight
    mix = change.flatten(2) / origin.module[1].weight[:, 1].flatten(1)[:, None]  # of the channel that left, everywhere
    torch.testing.assert_close(mix, mix[:1, :, :1].expand_as(mix), atol=1e-3, rtol=1e-3)


class Forgiving(nn.Module):
    """Goes on whatever its first layer raises."""

    def __init__(self, kinds: type[BaseException]) -> None:
        super().__init__()
        self.a, self.b, self.kinds = nn.Linear(4, 4), nn.Linear(4, 4), kinds

    def forward(self, x: Tensor) -> Tensor:
        with suppress(self.kinds):
            x = self.a(x)
        return self.b(x)


@pytest.mark.parametrize("kinds", [Exception, BaseException])
def test_a_walk_ends_in_a_network_that_goes_on_after_errors(kinds):
    net, ended = Forgiving(kinds), threading.Event()

    def consume() -> None:
        with suppress(Cancelled), Walk(net, torch.zeros(1, 4), ["a.weight", "b.weight"]) as walk:
            walk.next()
            raise Cancelled
        ended.set()

    threading.Thread(target=consume, daemon=True).start()
    assert ended.wait(20)


@pytest.mark.parametrize(
    ("layer", "first"),
    [
        (nn.LSTM(8, 8, num_layers=2), {"weight_ih_l0": "bias_ih_l0"}),
        (nn.GRU(8, 4, num_layers=2, bias=False, bidirectional=True), {"weight_ih_l0": "", "weight_ih_l0_reverse": ""}),
        (
            nn.LSTM(8, 6, num_layers=2, proj_size=4, bidirectional=True),
            {"weight_ih_l0": "bias_ih_l0", "weight_ih_l0_reverse": "bias_ih_l0_reverse"},
        ),
        (nn.LSTM(8, 6, num_layers=2, proj_size=4, bias=False), {"weight_ih_l0": ""}),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_of_stacked_recurrent_layers_the_first_reads_what_is_given(layer, first, packed):
    inputs, seen = torch.randn(3, 2, 8), []
    with Reads(layer, [name for name, _ in layer.named_parameters()], seen.append):
        layer(nn.utils.rnn.pack_padded_sequence(inputs, [3, 2]) if packed else inputs)
    own = {id(parameter): name for name, parameter in layer.named_parameters()}
    assert {read.place.tensor: own.get(id(read.bias), "") for read in seen} == first


class Twice(nn.Module):
    """A convolution without a bias that is called twice, each time with a batch norm of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 4, 1, bias=False)
        self.one, self.two, self.out = nn.BatchNorm2d(4), nn.BatchNorm2d(4), nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        return self.out(self.one(self.conv(x)).relu() + self.two(self.conv(-2 * x)).relu())


def test_a_layer_with_several_norms_behind_gives_its_constant_to_none_of_them():
    torch.manual_seed(0)
    origin = origin_of(Twice(), nstem=(1, 2, 5))
    module, as_cut = smaller(origin), smaller(origin)
    reconstruct(module, data(), origin, device=CPU)
    assert not torch.equal(module.conv.weight, as_cut.conv.weight)
    assert not module.one.running_mean.any()
    assert not module.two.running_mean.any()
    assert error(module, origin, images()) < error(as_cut, origin, images())


def test_a_layer_that_is_solved_anew_after_memory_ran_short_gets_its_constant_once(monkeypatch):
    """In the pass of all images memory runs out when the second part of a fused projection is solved."""
    torch.manual_seed(0)
    origin = origin_of(Reader(Crossed(), tokens=True), nstem=(1, 2))
    expected, module = smaller(origin), smaller(origin)
    reconstruct(expected, data(), origin, device=CPU)
    solved, calls = Moments.solved, []

    def short(*given: object, **settings: object) -> object:
        calls.append(given)
        if len(calls) == 2:
            raise MemoryError
        return solved(*given, **settings)

    monkeypatch.setattr(Moments, "solved", short)
    reconstruct(module, data(), origin, device=CPU)
    assert len(calls) > 3
    for name, tensor in expected.state_dict().items():
        torch.testing.assert_close(module.state_dict()[name], tensor, atol=1e-4, rtol=1e-3)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.one, self.two = nn.Conv2d(2, 8, 3), nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)
        self.two.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).relu()
        return self.one(x) - self.two(x.square())


def test_what_cannot_be_solved_stays_as_cut_by_name():
    torch.manual_seed(0)
    origin = origin_of(Tied(), nstem=(1,))
    module = smaller(origin)
    as_cut = module.one.weight.clone()
    (warning,) = reconstruct(module, data(), origin, device=CPU).warnings
    assert warning.startswith("as cut: stem (a weight that reads its channels is used by several layers")
    assert torch.equal(module.one.weight, as_cut)


def test_fewer_examples_than_unknowns_are_told():
    origin = origin_of(chain(), n0=(1,), n1=(2,))
    few = TensorDataset(images(1), torch.zeros(1).long())
    told = "fewer examples than unknowns in {}: give more calibration images"
    assert reconstruct(smaller(origin), few, origin, device=CPU).warnings == (told.format(1),)
    assert reconstruct(smaller(origin), data(), origin, device=CPU).warnings == ()
    net = nn.Sequential(nn.Flatten(), nn.Linear(72, 9), nn.ReLU(), nn.Linear(9, 3)).eval()
    origin = origin_of(net, n1=(0,))
    (warning,) = reconstruct(smaller(origin), few, origin, device=CPU).warnings
    assert warning == told.format(3)


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
