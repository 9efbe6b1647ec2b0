"""Allocation, on worked numbers and on random networks."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.budget import ALLOCATORS, NORMALISERS, Target, allocate, feasible
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from tests.budget.chains import chain, everything, scores

WIDE = chain([64, 128, 256], [256, 64, 16])

networks = st.lists(st.integers(1, 80), min_size=1, max_size=7).flatmap(
    lambda widths: st.builds(
        chain, st.just(widths), st.lists(st.integers(1, 256), min_size=len(widths), max_size=len(widths))
    )
)
targets = st.builds(Target, st.sampled_from(["params", "macs", "size"]), st.floats(0.05, 1.0))
names = st.sampled_from(sorted(ALLOCATORS))
normalisers = st.sampled_from(sorted(NORMALISERS))


def kept(structure, allocation):
    return {name: units - len(allocation.remove.get(name, ())) for name, units in structure.full.items()}


def fraction(structure, allocation, kind):
    meter = everything(structure)["meter"]
    return meter(kind, kept(structure, allocation)) / meter(kind, {})


@settings(deadline=None, max_examples=120)
@given(networks, targets, names, normalisers, st.integers(0, 99), st.sampled_from([0.0, 0.1, 0.5, 1, 3]), st.data())
def test_what_holds_for_every_allocation(structure, target, name, normalise, seed, minimum, data):
    locked = data.draw(st.sets(st.sampled_from(sorted(structure.groups)), max_size=2))
    worth = scores(structure, seed)
    extra = everything(structure, seed)
    found = allocate(name, structure, worth, target, normalise=normalise, minimum=minimum, locked=locked, **extra)
    least = {
        g: max(1, int(np.ceil(round(minimum * n, 9))) if minimum < 1 else minimum) for g, n in structure.full.items()
    }
    (reach,) = feasible(structure, [target], minimum, locked, meter=extra["meter"])

    assert found.achieved == pytest.approx(fraction(structure, found, target.kind))
    assert reach.lowest / reach.whole - 1e-12 <= found.achieved <= 1
    assert abs(found.achieved - target.keep) <= 0.01 * target.keep or any("not met" in text for text in found.warnings)
    assert not locked & set(found.remove)
    for group, units in found.remove.items():
        assert structure.full[group] - len(units) >= least[group]
        removed = np.zeros(structure.full[group], bool)
        removed[list(units)] = True
        assert worth.groups[group][removed].max() <= worth.groups[group][~removed].min()
    assert {g: len(found.remove.get(g, ())) / n for g, n in structure.full.items()} == found.budget


@settings(deadline=None, max_examples=50)
@given(networks, names, st.floats(0.1, 1), st.floats(0.1, 1), st.integers(0, 99))
def test_keeping_more_never_costs_less(structure, name, one, other, seed):
    less, more = sorted([one, other])
    worth = scores(structure, seed)
    extra = everything(structure, seed)
    small, large = (allocate(name, structure, worth, Target("macs", keep), **extra).achieved for keep in (less, more))
    assert small <= large + 0.01 * more  # within the tolerance, single units may be traded for a closer hit


@settings(deadline=None, max_examples=30)
@given(networks, names, st.integers(0, 99))
def test_a_target_below_the_reachable_gives_the_minimum_and_says_so(structure, name, seed):
    (reach,) = feasible(structure, [Target("params", 1.0)])
    lowest = reach.lowest / reach.whole
    found = allocate(name, structure, scores(structure, seed), Target("params", lowest / 2), **everything(structure))
    assert found.achieved == pytest.approx(lowest)
    assert any("nearest feasible" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("kind", "keep"),
    [*product(["params", "macs", "size"], [0.9, 0.5, 0.2, 0.05]), ("latency", 0.7), ("latency", 0.4)],
)
@pytest.mark.parametrize("name", sorted(ALLOCATORS))
def test_wide_networks_meet_every_target_within_a_percent(name, keep, kind):
    found = allocate(name, WIDE, scores(WIDE), Target(kind, keep), **everything(WIDE))
    assert found.achieved == pytest.approx(keep, rel=0.01)
    assert found.warnings == ()


def test_uniform_takes_the_same_share_of_every_group():
    found = allocate("uniform", WIDE, scores(WIDE), Target("macs", 0.4))
    shares = list(found.budget.values())
    assert max(shares) - min(shares) <= 1 / 64
    assert 0.3 < np.mean(shares) < 0.45  # √0.4 ≈ 0.63 of the units are kept


def test_global_takes_the_lowest_of_all_groups():
    """params/9 = 3a + ab + 10b, 11,300 in all; at a = 100 half of it is left by b = 48.6, the nearest is 49."""
    structure = chain([100, 100], [1, 1])
    worth = scores(structure, conv0=np.full(100, 1.0), conv1=np.linspace(0.1, 0.01, 100))
    found = allocate("global", structure, worth, Target("params", 0.5), normalise="none")
    assert found.remove == {"conv1": tuple(range(49, 100))}
    assert found.achieved == pytest.approx((300 + 4900 + 490) / 11300)


def test_single_units_are_traded_where_they_weigh_more_than_a_percent():
    """The order alone ends up to a few percent off, half of what one unit weighs."""
    structure = chain([16, 12, 20], [4, 2, 1])
    for seed in range(10):
        found = allocate("global", structure, scores(structure, seed), Target("macs", 0.5))
        assert found.achieved == pytest.approx(0.5, rel=0.01)


def test_the_normaliser_decides_between_groups():
    structure = chain([100, 100], [1, 1])
    ramp = np.linspace(1, 2, 100)
    worth = scores(structure, conv0=ramp, conv1=1000 * ramp)
    raw = allocate("global", structure, worth, Target("params", 0.6), normalise="none")
    assert set(raw.remove) == {"conv0"}
    for normalise in ("mean", "max", "rank", "sum", "l2"):
        level = allocate("global", structure, worth, Target("params", 0.6), normalise=normalise)
        assert level.budget["conv0"] == pytest.approx(level.budget["conv1"], abs=0.02)


def test_nothing_collapses_by_default():
    structure = chain([50, 50, 4], [1, 1, 1])
    worth = scores(structure, conv1=np.zeros(50), conv2=np.zeros(4))
    found = allocate("global", structure, worth, Target("params", 0.06))
    assert all(count >= max(1, 0.1 * structure.full[name]) for name, count in kept(structure, found).items())


@pytest.mark.parametrize("keep", [0.3, 0.8, 1.0])
def test_groups_held_at_a_cut_keep_it_and_the_others_meet_the_target(keep):
    found = allocate("global", WIDE, scores(WIDE), Target("macs", keep), locked={"conv2": 40, "conv1": 0})
    assert len(found.remove["conv2"]) == 40
    assert "conv1" not in found.remove
    assert found.achieved == pytest.approx(fraction(WIDE, found, "macs"))
    assert any("group conv2: locked, left as cut before" in text for text in found.warnings)


@pytest.mark.parametrize(("name", "lost"), [("conv2", 256), ("conv2", -1)])
def test_a_group_can_not_be_held_at_an_impossible_cut(name, lost):
    with pytest.raises(ExplorerError, match="can't be held"):
        allocate("global", WIDE, scores(WIDE), Target("macs", 0.5), locked={name: lost})


def test_locked_and_unscored_groups_stay_whole_and_it_is_said():
    worth = scores(WIDE)
    partly = Scores(
        "bn-scale", 0.0, {"conv1": worth.groups["conv1"], "conv2": worth.groups["conv2"]}, {"conv0": "no BN"}
    )
    found = allocate("uniform", WIDE, partly, Target("macs", 0.7), locked=["conv2"])
    assert set(found.remove) == {"conv1"}
    assert found.achieved == pytest.approx(0.7, rel=0.01)
    assert found.warnings == (
        "group conv2: locked, left whole",
        "group conv0: no bn-scale score, left whole (no BN)",
    )


def test_removing_nothing_is_said():
    everything = allocate("global", WIDE, scores(WIDE), Target("macs", 1.0))
    assert everything.remove == {}
    assert everything.achieved == 1
    assert everything.warnings == ("nothing is removed: the target keeps everything",)
    locked = allocate("global", WIDE, scores(WIDE), Target("macs", 0.5), locked=list(WIDE.groups))
    assert locked.remove == {}
    assert any("nothing is removed" in text for text in locked.warnings)


def test_equal_scores_leave_in_order():
    structure = chain([20], [1])
    found = allocate("global", structure, scores(structure, conv0=np.ones(20)), Target("params", 0.75))
    assert found.remove == {"conv0": (0, 1, 2, 3, 4)}


def test_a_cost_is_looked_up_a_few_times_only():
    """A hundred groups of 512: bisection needs log₂(46,000) evaluations, not one a unit."""
    structure = chain([512] * 100, [4] * 100)
    calls = []

    def counting(kept):
        calls.append(kept)
        return structure.cost_model(kept)

    allocate("global", replace(structure, cost_model=counting), scores(structure), Target("macs", 0.5))
    assert len(calls) < 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "globl"}, "unknown allocation 'globl': did you mean global?"),
        ({"normalise": "maen"}, "unknown normaliser 'maen': did you mean mean?"),
        ({"locked": ["conv9"]}, "unknown group 'conv9': did you mean conv"),
        ({"minimum": -0.1}, "a minimum of -0.1 can't be kept"),
        ({"minimum": 1.5}, "a minimum of 1.5 can't be kept"),
        ({"minimum": float("nan")}, "can't be kept"),
        ({"scores": Scores("l2", 0.0, {"conv0": np.ones(3)})}, "score this model again"),
        ({"scores": Scores("l2", 0.0, {"other": np.ones(3)})}, "unknown group 'other'"),
    ],
)
def test_bad_input_is_one_line(change, message):
    arguments = {"name": "global", "structure": WIDE, "scores": scores(WIDE), "target": Target("macs", 0.5), **change}
    with pytest.raises(ExplorerError) as error:
        allocate(**arguments)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("minimum", "locked", "lowest"), [(0.5, [], 15 + 50 + 100), (1, [], 3 + 1 + 10), (1, ["conv1"], 3 + 20 + 200)]
)
def test_what_is_in_reach_is_worked_out_from_the_minimum(minimum, locked, lowest):
    structure = chain([10, 20], [1, 1])  # params/9 = 3a + ab + 10b: 430
    (reach,) = feasible(structure, [Target("params", 1.0)], minimum, locked)
    assert (reach.lowest, reach.whole) == (9 * lowest, 9 * 430)
