"""Criteria that read weights, against worked numbers."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.criteria import score
from explorer.errors import ExplorerError
from tests.criteria.cases import group, member, structure


def set_(tensor, values):
    with torch.no_grad():
        tensor.copy_(torch.as_tensor(values, dtype=tensor.dtype).reshape(tensor.shape))


def scores(name, case, **options):
    return score(name, case.module, case.structure, options=options).groups


@pytest.fixture
def stream(residual):
    """The residual network with rows of known norms: stem 3·u in one entry, outer (4·u, 3·u) in two; u = 1…4."""
    stem, outer = residual.module.stem.weight, residual.module.outer.weight
    with torch.no_grad():
        stem.zero_()
        outer.zero_()
        for channel in range(4):
            stem[channel, 0, 0, 0] = -3.0 * (channel + 1)
            outer[channel, 1, 2, 2], outer[channel, 4, 0, 1] = 4.0 * (channel + 1), -3.0 * (channel + 1)
    return residual


def test_l1_is_the_mean_over_producers_of_absolute_sums(stream):
    np.testing.assert_allclose(scores("l1", stream)["stem"], [5, 10, 15, 20])  # (3u + 7u) / 2


def test_l2_is_the_mean_over_producers_of_lengths(stream):
    np.testing.assert_allclose(scores("l2", stream)["stem"], [4, 8, 12, 16])  # (3u + 5u) / 2


@pytest.mark.parametrize(("members", "unit"), [("sum", 8), ("max", 5), ("first", 3), ("mean", 4)])
def test_members_are_joined_as_asked(stream, members, unit):
    np.testing.assert_allclose(scores("l2", stream, members=members)["stem"], np.arange(1, 5) * unit)


def test_a_head_has_the_norm_of_all_its_rows(heads):
    weight = torch.zeros(12, 4)
    weight[[0, 5, 8], 0] = torch.tensor([2.0, 3.0, 6.0])  # head 0 has rows 0, 1, 4, 5, 8, 9
    weight[[2, 11], 3] = torch.tensor([3.0, -4.0])
    set_(heads.module.qkv.weight, weight)
    np.testing.assert_allclose(scores("l2", heads)["qkv"], [7, 5])
    np.testing.assert_allclose(scores("l1", heads)["qkv"], [11, 7])


def test_rows_of_other_groups_do_not_count_and_axes_may_be_transposed():
    """One transposed convolution whose output channels 0–2 make this group; channel 3 belongs elsewhere."""
    module = nn.Sequential(nn.ConvTranspose2d(2, 4, 1, bias=False))
    set_(module[0].weight, [[1, 2, 3, 100], [-1, -2, -3, 100]])  # (in, out, 1, 1)
    one = group("0", 3, [member("0.weight", "producer", [2, 1, 0, -1], axis=1)])
    found = score("l1", module, structure(one)).groups["0"]
    np.testing.assert_allclose(found, [6, 4, 2])


def test_units_that_a_producer_does_not_make_are_averaged_over_the_others():
    module = nn.ModuleDict({"a": nn.Linear(1, 2, bias=False), "b": nn.Linear(1, 1, bias=False)})
    set_(module["a"].weight, [2, 4])
    set_(module["b"].weight, [10])
    one = group("a", 2, [member("a.weight", "producer", [0, 1]), member("b.weight", "producer", [1])])
    np.testing.assert_allclose(score("l1", module, structure(one)).groups["a"], [2, 7])


def test_bn_scale_is_the_mean_absolute_gamma(residual):
    set_(residual.module.bn0.weight, [1, -2, 3, 0])
    set_(residual.module.bn1.weight, [-3, 0, 1, 0])
    found = score("bn-scale", residual.module, residual.structure)
    np.testing.assert_allclose(found.groups["stem"], [2, 1, 2, 0])
    assert found.skipped == {"inner": "no batch normalisation with a scale follows inner"}


def test_bn_scale_of_a_network_without_batch_norm(heads):
    with pytest.raises(ExplorerError, match="bn-scale needs batch normalisation"):
        score("bn-scale", heads.module, heads.structure)
