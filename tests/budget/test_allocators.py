"""The allocators, on worked numbers and against an exhaustive search."""

from itertools import product

import numpy as np
import pytest

from explorer.budget import ALLOCATORS, Curves, Target, allocate
from explorer.budget.allocating import Case, departures
from explorer.budget.search import cheapest_choices
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.structure.types import Group, Member
from tests.budget.chains import chain, curves, everything, scores, shapes


def order(name, structure, ranked, **given):
    case = Case(structure, ranked, np.array([len(worth) for worth in ranked.values()]), **given)
    return departures(ALLOCATORS[name].order(case), case).tolist()


def kept(structure, found):
    return {name: units - len(found.remove.get(name, ())) for name, units in structure.full.items()}


def test_lamp_by_hand():
    """[1, 2, 2] → 1/9, 4/8, 4/4 and [3, 4] → 9/25, 16/16; the last units of both have 1, and 2 < 4 decides."""
    structure = chain([3, 2], [1, 1])
    ranked = {"conv0": np.array([1.0, 2.0, 2.0]), "conv1": np.array([3.0, 4.0])}
    times = ALLOCATORS["lamp"].order(Case(structure, ranked, np.array([3, 2])))
    np.testing.assert_allclose(times["conv0"], [1 / 9, 1 / 2, 1])
    np.testing.assert_allclose(times["conv1"], [9 / 25, 1])
    assert order("lamp", structure, ranked) == [0, 1, 0, 0, 1]


@pytest.mark.parametrize("worth", [[-2.0, -1.0, 3.0], [0.0, 0.0, 0.0], [1e-200, 2e-200, 3e-200], [1e200, 2e200, 3e200]])
def test_lamp_orders_any_scores(worth):
    times = ALLOCATORS["lamp"].order(Case(chain([3], [1]), {"conv0": np.array(worth)}, np.array([3])))["conv0"]
    assert np.isfinite(times).all()
    assert (np.diff(times) >= 0).all()


def test_erk_by_hand():
    """Densities ∝ (100+3+3+3)/2700 and (200+100+3+3)/180000, a ratio of 23.7: conv1 goes while conv0 is dense."""
    structure = chain([100, 200], [1, 1])
    ratio = (109 / 2700) / (306 / 180000)
    found = allocate("erk", structure, scores(structure), Target("params", 0.5), shapes=shapes(structure), minimum=1)
    assert "conv0" not in found.remove
    deep = allocate("erk", structure, scores(structure), Target("params", 0.02), shapes=shapes(structure), minimum=1)
    shares = [count / units for count, units in zip(kept(structure, deep).values(), (100, 200), strict=True)]
    assert shares[0] < 1
    assert shares[0] / shares[1] == pytest.approx(ratio, rel=0.25)  # conv1 keeps a handful of units, so in whole ones


def test_isomorphic_groups_lose_the_same_fraction_of_their_class():
    """conv0 and conv1 are built alike and compete; conv2 has another kind and loses as large a share on its own."""
    structure = chain([40, 40, 80], [4, 4, 4])
    other = Group("conv2", "stream", 80, 1, True, "", "", (Member("conv2.weight", 0, "producer", np.arange(80)),))
    structure.groups["conv2"] = other
    worth = scores(structure, conv0=np.linspace(1, 2, 40), conv1=np.linspace(3, 4, 40), conv2=np.linspace(90, 99, 80))
    found = allocate("isomorphic", structure, worth, Target("macs", 0.6), normalise="none")
    lost = {name: len(units) for name, units in found.remove.items()}
    assert "conv1" not in lost
    assert lost["conv0"] / 80 == pytest.approx(lost["conv2"] / 80, abs=0.03)


def test_choices_against_all_choices():
    """Where the cost is a sum, the knapsack has the least loss of all that save enough."""
    draw = np.random.default_rng(0)
    for _ in range(20):
        losses = [np.concatenate([[0.0], np.cumsum(draw.gamma(2, size=n))]) for n in (4, 3, 5)]
        savings = [np.concatenate([[0], np.cumsum(draw.integers(-2, 9, size=n))]).astype(float) for n in (4, 3, 5)]
        most = sum(saving.max() for saving in savings)
        if most <= 0:
            continue
        wanted = draw.uniform(0.2, 0.9) * most

        def saved(counts, savings=savings):
            return sum(saving[n] for saving, n in zip(savings, counts, strict=True))

        def lost(counts, losses=losses):
            return sum(loss[n] for loss, n in zip(losses, counts, strict=True))

        best = min(lost(c) for c in product(*(range(len(loss)) for loss in losses)) if saved(c) >= wanted)
        found = cheapest_choices(losses, savings, lambda c, wanted=wanted: 2 - saved(c) / wanted)
        assert saved(found) >= wanted
        assert lost(found) == pytest.approx(best)


def exhaustive(structure, loss, target):
    """The least loss of all counts that keep at most the target, within the tolerance that allocation has."""
    goal = target.goal(target.of(structure.cost())) * 1.01
    ranges = [range(units - max(1, int(np.ceil(0.1 * units))) + 1) for units in structure.full.values()]
    best = np.inf
    for counts in product(*ranges):
        left = {name: units - n for (name, units), n in zip(structure.full.items(), counts, strict=True)}
        if target.of(structure.cost(left)) <= goal:
            best = min(best, loss(dict(zip(structure.full, counts, strict=True))))
    return best


@pytest.mark.parametrize("kind", ["params", "macs"])
def test_the_knapsack_loses_hardly_more_than_the_best_of_all_cuts(kind):
    excess, ahead = [], []
    for seed in range(6):
        structure, target = chain([8, 7, 9], [16, 4, 1]), Target(kind, 0.5)
        worth = scores(structure, seed)
        cumulated = {name: np.concatenate([[0], np.cumsum(np.sort(v))]) for name, v in worth.groups.items()}

        def loss(lost, cumulated=cumulated):
            return sum(cumulated[name][n] for name, n in lost.items())

        found, plain = (allocate(n, structure, worth, target, normalise="none") for n in ("knapsack", "global"))
        results = [loss({n: len(f.remove.get(n, ())) for n in structure.full}) for f in (found, plain)]
        excess.append(results[0] / exhaustive(structure, loss, target) - 1)
        ahead.append(results[0] <= results[1] * 1.02)
        assert found.achieved == pytest.approx(0.5, rel=0.01) or found.warnings
    assert np.median(excess) < 0.05
    assert max(excess) < 0.35
    assert sum(ahead) >= 5


def test_sensitivity_loses_hardly_more_than_the_best_of_all_cuts():
    excess = []
    for seed in range(6):
        structure, target, measured = (
            chain([8, 7, 9], [16, 4, 1]),
            Target("macs", 0.5),
            curves(chain([8, 7, 9], [1] * 3), seed),
        )

        def loss(lost, measured=measured):
            return sum(measured.drop(name, n) for name, n in lost.items())

        found = allocate("sensitivity", structure, scores(structure, seed), target, curves=measured)
        lost = {name: len(units) for name, units in found.remove.items()}
        excess.append(loss(lost) / exhaustive(structure, loss, target) - 1)
    assert np.median(excess) < 0.1
    assert max(excess) < 0.4


def test_a_flat_curve_pays_before_a_steep_one():
    structure = chain([40, 40], [1, 1])
    measured = Curves("top1", 0.9, {"conv0": ((20, 0.9), (36, 0.88)), "conv1": ((20, 0.5), (36, 0.1))})
    found = allocate("sensitivity", structure, scores(structure), Target("params", 0.6), curves=measured)
    assert set(found.remove) == {"conv0"}


def test_halp_takes_the_group_that_saves_time():
    """Both groups have the same scores and costs, and only conv1 becomes faster."""
    structure = chain([40, 40], [1, 1])
    given = everything(structure)
    table = given["meter"].latency.table
    rows = {**table.groups, "conv0": tuple(type(row)(row.kept, 0.0, 0.0, 0.0) for row in table.groups["conv0"])}
    object.__setattr__(table, "groups", rows)
    worth = scores(structure, conv0=np.linspace(1, 2, 40), conv1=np.linspace(1, 2, 40))
    found = allocate("halp", structure, worth, Target("params", 0.6), **given)
    assert set(found.remove) == {"conv1"}


@pytest.mark.parametrize(("name", "lacks"), [("erk", "shapes"), ("sensitivity", "curves"), ("halp", "latency table")])
def test_what_an_allocator_lacks_is_said(name, lacks):
    structure = chain([40, 40], [1, 1])
    with pytest.raises(ExplorerError, match=f"{name}.* needs (a )?{lacks}"):
        allocate(name, structure, scores(structure), Target("macs", 0.5))


def test_unscored_groups_are_no_part_of_it():
    structure = chain([40, 40], [1, 1])
    partly = Scores("l2", 0.0, {"conv1": np.linspace(1, 2, 40)})
    for name in ALLOCATORS:
        found = allocate(name, structure, partly, Target("macs", 0.8), **everything(structure))
        assert set(found.remove) == {"conv1"}
