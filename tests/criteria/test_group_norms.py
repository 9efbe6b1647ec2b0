"""Group magnitude and LAMP, on worked numbers."""

import numpy as np
import torch

from explorer.criteria import score
from tests.criteria.cases import group, member, structure


def filled(case):
    """Producer rows of 9 entries each 1, 2, 3, 4; scale u − 1; consumer columns of 27 entries each 0.5."""
    net = case.module
    with torch.no_grad():
        net.conv1.weight.copy_(torch.arange(1.0, 5).view(4, 1, 1, 1).expand_as(net.conv1.weight))
        net.bn1.weight.copy_(torch.tensor([0.0, -1.0, 2.0, 3.0]))
        net.bn1.bias.fill_(100)
        net.conv2.weight.fill_(-0.5)
    return case


def test_all_weights_that_leave_count_and_biases_do_not(plain):
    # rows have 2·9 = 18 entries, columns 6·9 = 54
    square = [(18 * u**2 + (u - 1) ** 2 + 54 / 4) / 3 for u in range(1, 5)]
    one = [18 * u + (u - 1) + 54 / 2 for u in range(1, 5)]
    case = filled(plain)
    np.testing.assert_allclose(score("group-norm", case.module, case.structure).groups["conv1"], square)
    found = score("group-norm", case.module, case.structure, options={"power": "1", "members": "sum"})
    np.testing.assert_allclose(found.groups["conv1"], one)


def test_a_tensor_that_makes_and_carries_channels_counts_once(plain):
    members = [member("conv1.weight", "producer", range(4)), member("conv1.weight", "consumer", range(4), axis=0)]
    found = score("group-norm", filled(plain).module, structure(group("conv1", 4, members)))
    np.testing.assert_allclose(found.groups["conv1"], [18, 72, 162, 288])


def test_lamp_divides_by_what_is_no_smaller(plain):
    with torch.no_grad():
        plain.module.conv1.weight.zero_()
        plain.module.conv1.weight[:, 0, 0, 0] = torch.tensor([3.0, -1.0, 2.0, 1.0])
    alone = structure(group("conv1", 4, [member("conv1.weight", "producer", range(4))]))
    found = score("lamp", plain.module, alone).groups["conv1"]
    np.testing.assert_allclose(
        found, [1, 1 / 15, 4 / 13, 1 / 14]
    )  # squares 9, 1, 4, 1; of the equal ones the first first
