"""What is said about the time of scoring before it starts."""

from dataclasses import replace

import pytest

from explorer.criteria import CRITERIA, estimate
from explorer.criteria.tools import estimating
from explorer.errors import ExplorerError
from tests.criteria.test_scoring import assert_same_state, disturb, state


@pytest.fixture
def clock(monkeypatch):
    """A forward pass takes 2 seconds and a backward pass 5."""
    monkeypatch.setattr(estimating, "_seconds", lambda context, backwards: (2.0, 5.0 if backwards else 0.0))


def test_passes_are_multiplied_by_batches_and_units(plain, clock):
    def told(samples=None, **cost):
        criterion = replace(CRITERIA["taylor"], **cost)
        return estimate(criterion, plain.module, plain.structure, plain.data, samples, "cpu", batch_size=4)

    # ten inputs are two and a half batches of four; there are ten units
    assert told(forwards=1, backwards=1) == pytest.approx(2.5 * 7)
    assert told(forwards=2, backwards=0) == pytest.approx(2.5 * 4)
    assert told(forwards=1, backwards=0, forwards_per_unit=0.5) == pytest.approx(2.5 * 2 * 6)
    assert told(samples=4, forwards=1, backwards=1) == pytest.approx(7)
    assert told(samples=2, forwards=1, backwards=1) == pytest.approx(7)  # one batch of two
    assert told(forwards=0, backwards=0) == 0.0


def test_without_inputs_a_single_one_is_run(plain, clock):
    assert estimate(CRITERIA["synflow"], plain.module, plain.structure, plain.data) == pytest.approx(7)
    assert estimate(CRITERIA["l1"], plain.module, plain.structure) == 0.0


@pytest.mark.parametrize("name", ["flow", "taylor", "synflow"])
def test_the_module_is_really_run_and_comes_back_as_it_was(name, case):
    disturb(case.module)
    before, seen = state(case.module), []
    handle = case.module.register_forward_hook(lambda _, inputs, output: seen.append(len(inputs[0])))
    assert estimate(CRITERIA[name], case.module, case.structure, case.data, None, "cpu", batch_size=4) > 0
    handle.remove()
    assert seen == [1 if name == "synflow" else 4] * 2
    assert_same_state(before, state(case.module))


def test_data_that_is_missing(plain):
    with pytest.raises(ExplorerError, match="needs data"):
        estimate(CRITERIA["taylor"], plain.module, plain.structure)
