"""Two networks on the same samples and in the same minutes, against tests worked out by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.evaluation import Paired, side_by_side


def test_the_counts_are_of_the_same_samples():
    before = np.array([True, True, True, False, False])
    after = np.array([True, False, False, True, False])
    assert Paired.of(before, after) == Paired(both=1, lost=2, gained=1, neither=1)
    with pytest.raises(ValueError, match="5 and to 4 samples"):
        Paired.of(before, after[1:])


def test_the_exact_test_counts_the_tails_of_a_fair_coin():
    assert Paired(0, 5, 0, 0).p_value == pytest.approx(2 / 2**5)
    assert Paired(9, 3, 1, 9).p_value == pytest.approx(2 * (1 + 4) / 2**4)
    assert Paired(9, 2, 2, 9).p_value == 1.0
    assert Paired(9, 0, 0, 9).p_value == 1.0


@pytest.mark.parametrize(
    ("counts", "verdict", "said"),
    [
        (Paired(900, 28, 3, 9), "worse", "28 images were lost and 3 gained: a real difference (p < 0.001)"),
        (Paired(900, 3, 28, 9), "better", "3 images were lost and 28 gained: a real difference (p < 0.001)"),
        (Paired(900, 1, 2, 9), "no difference", "1 image was lost and 2 gained: no difference that chance could"),
        (Paired(900, 0, 0, 9), "no difference", "The same images are answered right as before"),
    ],
)
def test_a_difference_is_said_in_words(counts, verdict, said):
    assert counts.verdict == verdict
    assert counts.sentence("images").startswith(said)
    assert Paired.from_json(counts.to_json()) == counts


def test_ratios_are_of_the_two_networks_and_leave_them_as_they_were():
    wide, narrow = (nn.Sequential(nn.Linear(8, width), nn.Linear(width, 2)).train() for width in (4096, 1))
    found = side_by_side(wide, narrow, (8,), device=torch.device("cpu"), batches=(1, 4), seconds=0.05)
    assert [ratio.batch for ratio in found] == [1, 4]
    for ratio in found:
        assert 0 < ratio.low <= ratio.ratio <= ratio.high
        assert ratio.rounds >= 3
    assert wide.training
    assert narrow.training
