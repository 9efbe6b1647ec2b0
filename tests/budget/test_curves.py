"""Sensitivity curves, on worked numbers."""

import numpy as np

from explorer.budget import Curves
from tests.budget.chains import chain

CURVES = Curves("top1", 0.9, {"a": ((2, 0.88), (4, 0.89), (6, 0.80), (8, 0.50))})


def test_between_measurements_lie_straight_lines():
    assert CURVES.drop("a", 0) == 0
    assert np.isclose(CURVES.drop("a", 1), 0.01)
    assert np.isclose(CURVES.drop("a", 4), 0.02)  # what came back at 4 was chance
    assert np.isclose(CURVES.drop("a", 7), 0.25)
    assert np.isclose(CURVES.drop("a", 99), 0.40)
    assert CURVES.drop("b", 5) == 0


def test_slopes_are_those_of_the_lower_hull():
    """Drops 0, .02, .02, .10, .40 at 0, 2, 4, 6, 8: the hull goes 0 – 4 (.005), 4 – 6 (.04), 6 – 8 (.15)."""
    np.testing.assert_allclose(CURVES.slopes("a", 10), [0.005] * 4 + [0.04] * 2 + [0.15] * 4)
    assert np.isinf(CURVES.slopes("b", 3)).all()


def test_the_sum_of_drops():
    both = Curves("top1", 0.9, {"a": ((4, 0.8),), "b": ((4, 0.3),)})
    assert np.isclose(both.predicted({"a": 2, "b": 2}), 0.9 - 0.05 - 0.3)
    assert both.predicted({"a": 4, "b": 4}) == 0.9 - 0.1 - 0.6 or np.isclose(both.predicted({"a": 4, "b": 4}), 0.2)


def test_read_from_a_document():
    structure = chain([8], [1])
    point = {"removed": 4, "ratio": 0.5, "f1": 0.7}
    found = Curves.of({"metric": "f1", "base": 0.8, "groups": {"conv0": [point, point]}}, structure)
    assert found == Curves("f1", 0.8, {"conv0": ((4, 0.7),)})
