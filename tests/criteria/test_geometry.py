"""Criteria of distances between weights, on worked numbers and against every pair compared in a loop."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.criteria import score
from explorer.criteria.geometry import leaving_distances
from explorer.criteria.tools.rows import squared_distances
from tests.criteria.cases import group, member, structure


@pytest.fixture
def triangle():
    """Filters (0, 0), (3, 4), (−3, −4), (3, 4) of a layer, read by columns 0, 1, 0, 1 of the next."""
    net = nn.Sequential(nn.Linear(2, 4, bias=False), nn.Linear(4, 1, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[0.0, 0.0], [3.0, 4.0], [-3.0, -4.0], [3.0, 4.0]]))
        net[1].weight.copy_(torch.tensor([[0.0, 1.0, 0.0, 1.0]]))
    members = [member("0.weight", "producer", range(4)), member("1.weight", "consumer", range(4))]
    return net, structure(group("0", 4, members, kind="linear"))


def test_fpgm_adds_up_distances_between_weights_and_not_between_their_powers(triangle):
    # to the others: 5+5+5, 5+10+0, 5+10+10, 5+0+10; the second and third have equal powers but lie 10 apart
    np.testing.assert_allclose(score("fpgm", *triangle).groups["0"], [15, 15, 25, 15], atol=1e-6)


def test_of_twins_one_leaves_first_and_the_other_counts(triangle):
    # D = 26 between 0 and 1 or 3, 25 between 0 and 2, 101 between 2 and 1 or 3, 0 between 1 and 3
    np.testing.assert_allclose(score("merging", *triangle).groups["0"], [25, 0, 101, 101], atol=1e-9)


def literal(distances):
    """Every pair compared anew after every departure."""
    left, scores, level = list(range(len(distances))), np.zeros(len(distances)), 0.0
    while len(left) > 1:
        pairs = [(distances[i, j], n, i, j) for n, i in enumerate(left) for j in left if i != j]
        gap, _, one, other = min(pairs, key=lambda pair: pair[:2])
        level = max(level, gap)
        next_of = {k: min((distances[k, i] for i in left if i not in (one, other)), default=0) for k in (one, other)}
        leaving = one if next_of[one] <= next_of[other] else other
        scores[leaving] = level
        left.remove(leaving)
    scores[left[0]] = level
    return scores


@pytest.mark.parametrize("units", [2, 3, 13])
def test_order_of_leaving_against_a_search_of_all_pairs(units):
    points = np.random.default_rng(units).normal(size=(units, 2))
    distances = ((points[:, None] - points) ** 2).sum(-1)
    np.testing.assert_allclose(leaving_distances(distances), literal(distances))


def test_distances_of_near_rows_far_from_the_origin():
    rows = torch.full((3, 5), 1e4)
    rows[1, 2] += 1
    rows[2, 4] -= 2
    expected = torch.cdist(rows.double(), rows.double()) ** 2
    torch.testing.assert_close(squared_distances(rows), expected, rtol=1e-9, atol=1e-9)


def test_units_of_several_rows_and_of_other_groups(heads):
    """Heads own rows 0, 1, 4, 5, 8, 9 and the rest: their distance is that of all six rows."""
    weight = heads.module.qkv.weight.detach().double().numpy().reshape(3, 2, 2, 4)
    expected = np.sqrt(((weight[:, 0] - weight[:, 1]) ** 2).sum())
    np.testing.assert_allclose(score("fpgm", heads.module, heads.structure).groups["qkv"], [expected] * 2, rtol=1e-6)


def test_a_single_unit_has_no_neighbour(plain):
    one = group("conv1", 1, [member("conv1.weight", "producer", [0, -1, -1, -1])])
    both = structure(one, plain.structure.groups["conv2"])
    found = score("merging", plain.module, both)
    assert found.skipped == {"conv1": "it has a single unit, which has no neighbour"}
