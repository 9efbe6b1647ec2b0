"""Criteria that reduce activations, against worked numbers and the definitions they are short cuts for."""

from math import exp, sqrt

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from explorer.criteria import score
from explorer.criteria.chip import nuclear_changes
from explorer.criteria.hrank import matrix_ranks
from explorer.criteria.tvsprune import separation
from explorer.errors import ExplorerError
from explorer.structure.types import Tap
from tests.criteria.cases import group, member, structure


@pytest.fixture
def vectors():
    """x → ReLU(W x), W = ((3, 4), (−1, 0), (0, 2)), on x = (1, 1) and (2, −1): activations (7, 0, 2) and (2, 0, 0)."""
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[3.0, 4.0], [-1.0, 0.0], [0.0, 2.0]]))
    members = [member("0.weight", "producer", range(3)), member("2.weight", "consumer", range(3))]
    one = group("0", 3, members, [Tap("0.weight", "0", "relu", -1)], kind="linear")
    return net, structure(one), TensorDataset(torch.tensor([[1.0, 1.0], [2.0, -1.0]]), torch.tensor([0, 1]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("apoz", [1, 0, 0.5]),
        ("mean-activation", [4.5, 0, 1]),
        # ‖(7, 0, 2)‖ = √53; without a row √53 − 2, 0, √53 − 7; of (2, 0, 0): 2, 0, 0
        ("chip", [(sqrt(53) - 2 + 2) / 2, 0, (sqrt(53) - 7) / 2]),
    ],
)
def test_worked_vectors(name, expected, vectors):
    net, found, data = vectors
    values = score(name, net, found, data, device="cpu").groups["0"]
    np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-7)


def test_only_activations_with_zeros_are_counted(plain):
    found = score("apoz", plain.module, plain.structure, plain.data, device="cpu")
    assert list(found.groups) == ["conv1"]
    assert "no ReLU" in found.skipped["conv2"]
    with torch.no_grad():
        seen = plain.module.bn1(plain.module.conv1(plain.data.tensors[0])).relu()
    np.testing.assert_allclose(found.groups["conv1"], (seen > 0).double().mean((0, 2, 3)))


def maps(*shape):
    """Maps of every rank: some rows repeat, some maps are zero, one is outer products of two vectors."""
    found = torch.randn(*shape, generator=torch.Generator().manual_seed(0)).relu()
    found[0, 0] = 0
    found[0, 1, 1] = found[0, 1, 0]
    found[1, 0] = found[1, 0, :, :1] @ found[1, 1, :1] + found[1, 0, :, 1:2] @ found[1, 1, 1:2]
    found[1, 2, shape[2] // 2 :] = 0
    return found


@pytest.mark.parametrize("size", [(5, 5), (8, 8), (4, 7), (7, 4), (16, 16)])
def test_ranks_are_those_of_singular_values(size):
    seen = maps(3, 4, *size)
    assert torch.equal(matrix_ranks(seen).long(), torch.linalg.matrix_rank(seen))


def test_maps_of_one_entry_have_no_rank_to_go_by(heads, plain):
    found = score("hrank", plain.module, plain.structure, plain.data, device="cpu")
    with torch.no_grad():
        first = plain.module.bn1(plain.module.conv1(plain.data.tensors[0])).relu()
    np.testing.assert_allclose(found.groups["conv1"], torch.linalg.matrix_rank(first).double().mean(0))
    with pytest.raises(ExplorerError, match="ranks say nothing"):
        score("hrank", heads.module, heads.structure, heads.data, device="cpu")


@pytest.mark.parametrize("size", [(5, 9), (9, 4), (6, 6), (3, 1), (12, 3)])
def test_independence_is_the_change_of_the_nuclear_norm(size):
    """Against one singular value decomposition per row, with a silent row and a repeated one."""
    seen = torch.randn(3, *size, generator=torch.Generator().manual_seed(0)).relu()
    seen[:, 1] = 0
    seen[0, 2] = seen[0, 0]
    seen[2] = 0

    def norm(matrix):
        return torch.linalg.svdvals(matrix.double()).sum()

    rows = range(size[0])
    expected = [[norm(one) - norm(one[[r for r in rows if r != row]]) for row in rows] for one in seen]
    torch.testing.assert_close(nuclear_changes(seen), torch.tensor(expected), atol=2e-7, rtol=1e-6)


def test_worked_separation():
    """Two normal classes: N(0, 1) and N(2, 1) have H² = 1 − e^(−4/8); N(0, 1) and N(0, 3²) have 1 − √(6/10)."""
    mean = np.array([[0.0, 0.0, 1.0, 1.0], [2.0, 0.0, 1.0, 2.0]])
    variance = np.array([[1.0, 1.0, 0.0, 0.0], [1.0, 9.0, 0.0, 0.0]])
    np.testing.assert_allclose(separation(mean, variance), [1 - exp(-0.5), 1 - sqrt(0.6), 0, 1])
    third = np.vstack([mean, mean[:1]]), np.vstack([variance, variance[:1]])  # as the first class is: nothing is left
    np.testing.assert_allclose(separation(*third), 0, atol=1e-15)


def test_classes_are_separated_by_their_own_features(plain):
    found = score("tvsprune", plain.module, plain.structure, plain.data, device="cpu", batch_size=4).groups["conv1"]
    images, labels = plain.data.tensors
    with torch.no_grad():
        features = plain.module.bn1(plain.module.conv1(images)).relu().mean((2, 3)).double().numpy()
    mine = [features[labels.numpy() == label] for label in range(3)]
    expected = separation(np.stack([m.mean(0) for m in mine]), np.stack([m.var(0) for m in mine]))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_separation_needs_classes(plain):
    images = plain.data.tensors[0]
    for labels, message in ((torch.rand(10), "labels are none"), (torch.arange(10) % 3 * 0, "two inputs of each")):
        with pytest.raises(ExplorerError, match=message):
            score("tvsprune", plain.module, plain.structure, TensorDataset(images, labels), device="cpu")
