"""What units can stand in for, against least squares solved on the data itself."""

import itertools

import numpy as np
import pytest

from explorer.criteria.tools.gauges import Gauge
from explorer.criteria.tools.standing_in import RIDGE, Reading, eliminate


def drawn(seed, units=5, size=1, samples=200, outputs=7):
    """Correlated inputs with a mean, the weights that read them, and their reading."""
    random = np.random.default_rng(seed)
    channels = units * size
    inputs = random.normal(size=(samples, channels)) @ random.normal(size=(channels, channels)) + 1.0
    weights = random.normal(size=(outputs, channels))
    covariance = np.cov(inputs.T, bias=True)
    entries = np.arange(channels)[:, None]
    return inputs, weights, Reading(Gauge("", "", 1), entries, inputs.mean(0), covariance, weights.T @ weights)


def left_over(inputs, weights, kept, energy):
    """The least error of the outputs from the kept inputs and a constant, relative, with the same ridge on the data."""
    samples, channels = inputs.shape
    ridge = np.sqrt(samples * RIDGE * inputs.var(0).mean()) * np.eye(channels)
    rows = np.concatenate([inputs - inputs.mean(0), ridge])
    wanted = rows @ weights.T
    solved, *_ = np.linalg.lstsq(rows[:, kept], wanted, rcond=None)
    return ((wanted - rows[:, kept] @ solved) ** 2).sum() / samples / energy


@pytest.mark.parametrize("size", [1, 2])
def test_the_errors_of_an_order_are_those_of_least_squares_in_all_readers(size):
    pairs = [drawn(seed, size=size) for seed in (0, 1)]
    order = np.array([3, 0, 4, 1, 2])
    found = eliminate([reading for *_, reading in pairs], 5, order)
    assert found.order.tolist() == order.tolist()
    for count in range(5):
        units = np.setdiff1d(np.arange(5), order[:count])
        kept = (units[:, None] * size + np.arange(size)).ravel()
        errors = [left_over(inputs, weights, kept, reading.energy) for inputs, weights, reading in pairs]
        assert found.errors[count] == pytest.approx(sum(errors), rel=1e-6, abs=1e-9)


def test_the_cheapest_unit_leaves_first_and_copies_leave_for_nothing():
    inputs, weights, reading = drawn(2)
    errors = {unit: left_over(inputs, weights, np.delete(np.arange(5), unit), reading.energy) for unit in range(5)}
    assert eliminate([reading], 5).order[0] == min(errors, key=errors.get)
    doubled = np.concatenate([inputs, 3 * inputs[:, :1]], 1)
    both = np.concatenate([weights, weights[:, :1]], 1)
    entries = np.arange(6)[:, None]
    twin = Reading(Gauge("", "", 1), entries, doubled.mean(0), np.cov(doubled.T, bias=True), both.T @ both)
    first, second = eliminate([twin], 6).errors[1:3]
    assert first < 5e-2 * second


def test_greedy_errors_are_never_below_the_best_subset():
    inputs, weights, reading = drawn(3)
    found = eliminate([reading], 5)
    for count in range(1, 5):
        best = min(
            left_over(inputs, weights, list(kept), reading.energy)
            for kept in itertools.combinations(range(5), 5 - count)
        )
        assert found.errors[count] >= best * (1 - 1e-6)


def test_a_stand_in_reproduces_what_depends_on_the_rest():
    random = np.random.default_rng(4)
    kept = random.normal(size=(500, 3))
    inputs = np.concatenate([kept, kept @ [[1.0], [-2.0], [0.5]] + 4.0], 1)
    entries = np.arange(4)[:, None]
    reading = Reading(Gauge("", "", 1), entries, inputs.mean(0), np.cov(inputs.T, bias=True), np.eye(4))
    mix, constant = reading.stand_in(np.array([False, False, False, True]))
    np.testing.assert_allclose(mix, [[1.0, -2.0, 0.5]], atol=2e-2)
    np.testing.assert_allclose(constant, [4.0], atol=2e-2)
