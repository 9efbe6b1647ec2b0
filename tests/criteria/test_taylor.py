"""The Taylor criterion, against masks that are really there."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.criteria import score
from tests.criteria.cases import group, member, structure


def mask_gradients(module, consumers, channels, images, labels):
    """∂(mean cross-entropy)/∂mask for every channel, by multiplying a mask into the consumers' inputs.

    `consumers` maps module names to the axis that holds the channels.
    """
    mask = torch.ones(channels, requires_grad=True)
    handles = []
    for name, axis in consumers.items():

        def hook(_, inputs, axis=axis):
            shape = [1] * inputs[0].ndim
            shape[axis] = -1
            return (inputs[0] * mask.view(shape),)

        handles.append(module.get_submodule(name).register_forward_pre_hook(hook))
    F.cross_entropy(module(images), labels).backward()
    for handle in handles:
        handle.remove()
    module.zero_grad(set_to_none=True)
    return mask.grad.double().numpy()


@pytest.mark.parametrize(
    ("net", "group", "consumers", "unit"),
    [
        ("plain", "conv1", {"conv2": 1}, 1),
        ("plain", "conv2", {"fc": -1}, 1),
        ("residual", "stem", {"inner": 1, "fc": -1}, 1),
        ("heads", "qkv", {"proj": -1}, 2),
        ("heads", "up", {"down": -1}, 1),
    ],
)
@pytest.mark.parametrize(("batch", "bounds"), [("4", (0, 3, 6, 10)), ("64", (0, 10)), ("auto", range(0, 11, 2))])
def test_equals_the_squared_gradient_of_a_mask(net, group, consumers, unit, batch, bounds, request):
    """Ten samples in mini-batches of at most four, in one, and, since there are fewer than 64, each by itself."""
    case = request.getfixturevalue(net)
    options = {"batch": batch}
    found = score("taylor", case.module, case.structure, case.data, options=options, device="cpu").groups[group]
    size = case.structure.groups[group].size
    images, labels = case.data.tensors
    gradients = [
        mask_gradients(case.module, consumers, size, images[part], labels[part]).reshape(-1, unit).sum(1)
        for part in (slice(start, stop) for start, stop in pairwise(bounds))
    ]
    np.testing.assert_allclose(found, np.mean(np.square(gradients), axis=0), rtol=1e-4, atol=1e-12)


def test_worked_number():
    """Two classes, logits (w·m, 0), w = 2, label 0: L = log(1 + e^{-2m}), so ∂L/∂m = −2·σ(−2) at m = 1."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(1, 1, bias=False)
            self.b = nn.Linear(1, 2, bias=False)

        def forward(self, x):
            return self.b(self.a(x))

    net = Net()
    with torch.no_grad():
        net.a.weight.fill_(1.0)
        net.b.weight.copy_(torch.tensor([[2.0], [0.0]]))
    members = [member("a.weight", "producer", [0]), member("b.weight", "consumer", [0])]
    data = torch.utils.data.TensorDataset(torch.ones(1, 1), torch.tensor([0]))
    found = score("taylor", net, structure(group("a", 1, members)), data, device="cpu").groups["a"]
    np.testing.assert_allclose(found, [(2 / (1 + np.exp(2.0))) ** 2], rtol=1e-6)


def test_without_consumers_the_mask_is_on_the_producer_with_its_bias(plain):
    """Scaling conv2's rows and biases by m is a mask on its output."""
    members = [m for m in plain.structure.groups["conv2"].members if m.role != "consumer"]
    alone = structure(group("conv2", 6, members))
    options = {"batch": "16"}
    found = score("taylor", plain.module, alone, plain.data, options=options, device="cpu").groups["conv2"]
    images, labels = plain.data.tensors
    mask = torch.ones(6, requires_grad=True)
    handle = plain.module.conv2.register_forward_hook(lambda _, inputs, output: output * mask.view(1, -1, 1, 1))
    F.cross_entropy(plain.module(images), labels).backward()
    handle.remove()
    np.testing.assert_allclose(found, mask.grad.double().numpy() ** 2, rtol=1e-4)


@pytest.mark.parametrize(("samples", "size", "count"), [(160, 2, 80), (640, 10, 64), (64, 2, 32), (31, 3, 15)])
def test_squares_are_taken_of_many_small_batches(samples, size, count):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(1, 2), nn.Linear(2, 2)
            self.seen = []

        def forward(self, x):
            self.seen.append(len(x))
            return self.b(self.a(x))

    net = Net()
    data = torch.utils.data.TensorDataset(torch.randn(samples, 1), torch.arange(samples) % 2)
    found = structure(
        group("a", 2, [member("a.weight", "producer", [0, 1]), member("b.weight", "consumer", [0, 1], 1)])
    )
    score("taylor", net, found, data, device="cpu")
    assert max(net.seen) == size
    assert len(net.seen) >= count


def test_leaves_gradients_of_a_running_training_alone(plain):
    images, labels = plain.data.tensors
    F.cross_entropy(plain.module(images), labels).backward()
    before = [parameter.grad.clone() for parameter in plain.module.parameters()]
    score("taylor", plain.module, plain.structure, plain.data, device="cpu")
    for old, parameter in zip(before, plain.module.parameters(), strict=True):
        torch.testing.assert_close(old, parameter.grad, rtol=0, atol=0)
