"""Criteria that ask the next layer, against what its outputs really are."""

from itertools import permutations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.criteria import Context, score
from explorer.criteria.thinet import contributions, removal_order
from explorer.criteria.tools.gauges import Gauge
from explorer.criteria.tools.readers import Reader, draw, sample
from explorer.device import BatchSize
from explorer.progress import silent
from tests.criteria.cases import member, structure

LAYERS = {
    "padded": nn.Conv2d(4, 6, 3, padding=1),
    "strided": nn.Conv2d(4, 6, (3, 2), stride=2, dilation=(1, 2), padding=(2, 0), padding_mode="circular"),
    "grouped": nn.Conv2d(4, 6, 3, groups=2, padding="same"),
    "row": nn.Conv1d(4, 5, 3),
    "linear": nn.Linear(4, 5),
}


def watched(layer, data=None):
    net = nn.Sequential(layer)
    reader = Reader(Gauge("0", "", 1, at_input=True), member("0.weight", "consumer", range(layer.weight.shape[1])))
    return Context(net, structure(), data, torch.device("cpu"), BatchSize(4), 0, silent), reader


def inputs(name):
    shape = {"row": (3, 4, 40), "linear": (3, 4)}.get(name, (3, 4, 7, 6))
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", LAYERS)
@torch.no_grad()
def test_samples_make_the_layers_outputs(name):
    layer, seen = LAYERS[name], inputs(name)
    context, reader = watched(layer)
    taken, weights = sample(context, reader, seen, first=5)
    made = torch.einsum("bsgck,gock->bsgo", taken, weights).flatten(2)
    expected = layer(seen) - layer.bias.view(-1, *[1] * (seen.ndim - 2))
    expected = expected.reshape(3, expected.shape[1], -1)
    places = draw(context, reader, "places", expected.shape[2], 5, 3, taken.shape[1])
    for one in range(3):
        torch.testing.assert_close(made[one], expected[one][:, places[one]].mT, atol=1e-5, rtol=1e-5)
    assert len(np.unique(places[0])) == len(places[0])


@pytest.mark.parametrize("name", ["grouped", "padded", "linear"])
@torch.no_grad()
def test_contributions_add_up_to_the_outputs_and_belong_to_their_unit(name):
    layer, seen = LAYERS[name], inputs(name)
    context, reader = watched(layer)
    units = layer.weight.shape[1]
    whole = contributions(context, reader, units, seen, 0)
    for unit in range(units):  # a unit of a grouped convolution is one channel of every group
        alone = torch.zeros_like(seen)
        alone[:, unit::units] = seen[:, unit::units]
        only = contributions(context, reader, units, alone, 0)
        torch.testing.assert_close(only[:, unit], whole[:, unit])
        assert not only[:, [u for u in range(units) if u != unit]].any()


def test_worked_order_of_removal():
    """Units 1 and 2 cancel each other: after the small unit 0 they leave before 3, which alone is smaller than each."""
    contributed = np.array([[0.1, 5.0, -5.0, 3.0], [0.0, 4.0, -4.0, 3.0]])
    gram = contributed.T @ contributed
    assert removal_order(gram).tolist()[0] == 0
    for count in (1, 2, 3):  # every step is the best one, given those before
        order = removal_order(gram).tolist()
        left = [unit for unit in range(4) if unit not in order[:count]]
        cost = [(contributed[:, [*order[:count], unit]].sum(1) ** 2).sum() for unit in left]
        assert order[count] == left[int(np.argmin(cost))]
    assert any(list(order) == removal_order(gram).tolist() for order in permutations(range(4)))


@torch.no_grad()
def test_thinet_of_a_linear_consumer(plain):
    """The classifier reads 6 features: every (input, output) pair is a candidate sample; the order is greedy."""
    found = score("thinet", plain.module, plain.structure, plain.data, device="cpu").groups["conv2"]
    assert sorted(found) == pytest.approx([k / 6 for k in range(1, 7)])
    plain.module.fc.weight[:, 4] = 0
    found = score("thinet", plain.module, plain.structure, plain.data, device="cpu").groups["conv2"]
    assert found.argmin() == 4


@torch.no_grad()
def correlation_without(outputs, parts):
    """``1 − mean ρ²(y, y − y_u)``, y (samples, outputs), parts a list of y_u."""
    rho = [[np.corrcoef(y, y - u)[0, 1] for y, u in zip(outputs.T, part.T, strict=True)] for part in parts]
    return 1 - (np.array(rho) ** 2).mean(1)


@torch.no_grad()
def test_correlation_without_a_unit(plain):
    """Of conv2's 2×2 outputs all are sampled; y_u is the convolution of one channel alone."""
    net, (images, _) = plain.module, plain.data.tensors
    first = net.bn1(net.conv1(images)).relu()
    second = F.silu(net.conv2(first)).mean((2, 3))

    def flat(maps):
        return maps.double().movedim(1, -1).flatten(0, -2).numpy()

    alone = [flat(F.conv2d(first[:, [c]], net.conv2.weight[:, [c]])) for c in range(4)]
    heads = [(second[:, [c]] * net.fc.weight[:, c]).double().numpy() for c in range(6)]
    found = score("fvrcp", net, plain.structure, plain.data, device="cpu", batch_size=4).groups
    np.testing.assert_allclose(found["conv1"], correlation_without(flat(net.conv2(first)), alone), rtol=1e-4)
    np.testing.assert_allclose(found["conv2"], correlation_without(net.fc(second).double().numpy(), heads), rtol=1e-4)


@torch.no_grad()
def test_a_head_is_one_unit(heads):
    net, (images, _) = heads.module, heads.data.tensors
    seen = {}
    handle = net.proj.register_forward_pre_hook(lambda _, given: seen.update(x=given[0].flatten(0, 1)))
    net(images)
    handle.remove()
    x = seen["x"].view(len(images), 36, 4)
    # 16 of the 36 tokens are sampled for every input, as the criterion draws them
    context, _ = watched(nn.Linear(4, 4))
    reader = Reader(Gauge("proj", "", -1, at_input=True), member("proj.weight", "consumer", [0, 0, 1, 1]))
    rows = draw(context, reader, "places", 36, 0, len(images), 16)
    taken = torch.cat([one[row] for one, row in zip(x, rows, strict=True)])
    parts = [(taken[:, u : u + 2] @ net.proj.weight[:, u : u + 2].T).double().numpy() for u in (0, 2)]
    found = score("fvrcp", net, heads.structure, heads.data, device="cpu").groups["qkv"]
    np.testing.assert_allclose(found, correlation_without(sum(parts), parts), rtol=1e-4)
