"""Agreement of criteria: ranks by hand, and an effect measured in a way of its own."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from explorer.batches import fetch
from explorer.criteria import Scores
from explorer.criteria.tools.agreement import disputes, group_correlations, rank_correlation, weighted_mean
from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation import Live
from explorer.methods.spec import Spec
from explorer.methods.studies.agreement import agreement, chosen_units, compared
from explorer.methods.tools import steps
from explorer.progress import silent
from explorer.pruning import Plan, mask
from explorer.structure import Structure

SPEC = Spec("demo:vgg-digits", "digits", samples=64)


def scores(name: str, **groups: list[float]) -> Scores:
    return Scores(name, 0.0, {group: np.array(values, dtype=float) for group, values in groups.items()})


def test_rank_correlation_by_hand():
    # Ranks 1 2 3 4 5 against 2 1 4 3 5: Σd² = 4, ρ = 1 − 6·4 / (5·24) = 0.8.
    assert rank_correlation(np.array([1, 2, 3, 4, 5.0]), np.array([20, 10, 40, 30, 500.0])) == pytest.approx(0.8)
    # Ties at their mean rank: 1 2.5 2.5 4 against 1 2 3 4, covariance 4.5, variances 4.5 and 5.
    assert rank_correlation(np.array([0, 1, 1, 7.0]), np.array([1, 2, 3, 4.0])) == pytest.approx(4.5 / np.sqrt(22.5))
    assert rank_correlation(np.ones(4), np.arange(4.0)) is None
    assert rank_correlation(np.ones(1), np.ones(1)) is None


@pytest.mark.parametrize("levels", [1, 2, 3, 8, 1000])
def test_rank_correlation_is_that_of_mean_ranks(levels):
    """Few levels make many ties, and one a constant, of which there is no correlation."""
    draw = np.random.default_rng(levels)
    for _ in range(20):
        first, second = draw.integers(0, levels, 9).astype(float), draw.normal(size=9)
        ranks = [(side[:, None] > side).sum(1) + ((side[:, None] == side).sum(1) + 1) / 2 for side in (first, second)]
        expected = None if len(set(first)) == 1 else pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-12)
        assert rank_correlation(first, second) == expected


def test_groups_count_by_their_units_and_those_without_an_order_not_at_all():
    first = scores("a", small=[1, 2], large=[1, 2, 3, 4, 5, 6], flat=[1, 1, 1])
    second = scores("b", small=[2, 1], large=[1, 2, 3, 4, 5, 6], flat=[1, 2, 3], other=[1, 2])
    found = group_correlations(first.groups, second.groups)
    assert found == pytest.approx({"small": -1, "large": 1})
    assert weighted_mean(found, {"small": 2, "large": 6, "flat": 3}) == pytest.approx((6 - 2) / 8)
    assert compared([first, second]).to_json()["overall"][0] == pytest.approx([1, 0.5])
    assert compared([scores("a", x=[1, 1]), scores("b", x=[1, 2])]).to_json()["overall"][0] == [None, None]


def test_the_greatest_difference_of_rank_comes_first_and_says_who_keeps_the_unit():
    a, b = scores("a", x=[0, 1, 2, 3, 4], y=[0, 1]), scores("b", x=[5, 1, 2, 3, 4], y=[0, 1])
    first, *rest = disputes([a, b, scores("c", x=[0, 1, 2, 3, 4])])
    assert (first.group, first.unit, first.second) == ("x", 0, "b")
    assert (first.first_rank, first.second_rank) == (0.0, 1.0)
    assert all(other.difference <= 0.25 for other in rest)


def test_units_are_drawn_by_the_seed_and_single_units_have_no_effect_to_rank():
    structure = type("Widths", (Structure,), {"full": property(lambda self: {"a": 20, "b": 1, "c": 3})})
    structure = object.__new__(structure)
    drawn = chosen_units(structure, ["a", "b", "c"], 8, 0)
    assert list(drawn) == ["a", "c"]
    assert drawn["c"] == [0, 1, 2]
    assert len(set(drawn["a"])) == 8
    assert drawn == chosen_units(structure, ["a", "b", "c"], 8, 0)
    assert drawn != chosen_units(structure, ["a", "b", "c"], 8, 1)


@pytest.mark.slow
def test_the_effect_is_the_rise_of_the_loss_without_the_unit_and_is_measured_once(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    document = agreement(SPEC, ("l1", "l2", "random"), oracle=True, units=2).to_json()
    effect = document["effect"]
    subject = steps.open_subject(SPEC, silent)
    data = subject.task.validation
    images, labels = fetch(data, torch.arange(len(data)))

    def loss(plan: Plan) -> float:
        with torch.inference_mode():
            return float(F.cross_entropy(mask(subject.module.eval(), subject.structure, plan)(images), labels))

    name, rises = next(iter(effect["rises"].items()))
    assert len(rises) == 2
    for unit, rise in rises.items():
        assert rise == pytest.approx(loss(Plan("", {name: (int(unit),)})) - loss(Plan("")), abs=1e-4)
    weights = subject.structure.full
    among = [weights[group] for group in effect["rises"]]
    assert effect["chance"] == pytest.approx(1.96 * np.linalg.norm(among) / sum(among), rel=1e-3)  # 2 units each
    of_l1 = np.sign(np.diff([document["scores"]["l1"][name][int(unit)] for unit in rises])[0])
    assert effect["groups"]["l1"][name] == pytest.approx(of_l1 * np.sign(np.diff(list(rises.values()))[0]))

    def fail(*args, **kwargs):
        raise AssertionError("measured again")

    monkeypatch.setattr(Live, "evaluate", fail)
    assert agreement(SPEC, ("l1", "l2", "random"), oracle=True, units=2).to_json()["effect"] == effect


def test_a_cancelled_measurement_keeps_what_it_has(tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))

    def stop(fraction: float, message: str, **metrics: float) -> None:
        if fraction > 0.6:
            raise Cancelled

    with pytest.raises(Cancelled):
        agreement(SPEC, ("l1", "l2"), stop, oracle=True, units=2)
    assert len(list(tmp_path.rglob("ablation/*.json"))) == 1


@pytest.mark.parametrize(
    ("criteria", "data", "said"),
    [
        (("l1",), "digits", "give 2 to 6"),
        (("l1", "l1"), "digits", "different"),
        (("l1", "l3"), "digits", "l3"),
        (("l1", "l2"), "random", "means nothing"),
    ],
)
def test_what_can_not_be_compared_is_told(criteria, data, said):
    with pytest.raises(ExplorerError, match=said):
        agreement(Spec("demo:vgg-digits", data), criteria, oracle=True)
