"""Normalisers, on worked numbers."""

import numpy as np
import pytest

from explorer.budget import NORMALISERS

SCORES = np.array([3.0, 1.0, 4.0, 0.0])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("none", [3, 1, 4, 0]),
        ("mean", [1.5, 0.5, 2, 0]),
        ("sum", [3 / 8, 1 / 8, 1 / 2, 0]),
        ("max", [3 / 4, 1 / 4, 1, 0]),
        ("l2", np.array([3, 1, 4, 0]) / np.sqrt(26)),
        ("rank", [3 / 4, 2 / 4, 1, 1 / 4]),
        ("lamp", [3 / 7, 1 / 8, 1, 0]),
    ],
)
def test_worked_numbers(name, expected):
    np.testing.assert_allclose(NORMALISERS[name](SCORES), expected)


@pytest.mark.parametrize("name", sorted(NORMALISERS))
@pytest.mark.parametrize("scores", [[0.0, 0.0], [5.0], [-1.0, 2.0, -3.0], [1e-100, 2e-100], [1e100, 1e120]])
def test_order_and_finiteness_survive(name, scores):
    scores = np.array(scores)
    found = NORMALISERS[name](scores)
    assert found.shape == scores.shape
    assert np.isfinite(found).all()
    assert (np.diff(found[np.argsort(scores)]) >= 0).all()


def test_ties_share_a_rank():
    np.testing.assert_allclose(NORMALISERS["rank"](np.array([1.0, 1.0, 2.0])), [2 / 3, 2 / 3, 1])


def test_lamp_of_equal_and_of_negative_scores():
    np.testing.assert_allclose(NORMALISERS["lamp"](np.array([2.0, 2.0, 2.0])), [1 / 3, 1 / 2, 1])
    np.testing.assert_allclose(NORMALISERS["lamp"](np.array([-1.0, 2.0, 0.0])), [0, 1, 1 / 4])
