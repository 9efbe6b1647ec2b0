"""Several targets at once, rounded widths, what is in reach, and what comes next."""

import numpy as np
import pytest

from explorer.budget import ALLOCATORS, Target, allocate, feasible
from explorer.budget.search import rounded
from explorer.errors import ExplorerError
from tests.budget.chains import chain, everything, scores

WIDE = chain([64, 128, 256], [256, 64, 16])


def kept(structure, found):
    return {name: units - len(found.remove.get(name, ())) for name, units in structure.full.items()}


@pytest.mark.parametrize("name", sorted(ALLOCATORS))
@pytest.mark.parametrize(
    ("targets", "binding"),
    [
        ([Target("macs", 0.5), Target("size", 0.9)], "macs"),
        ([Target("macs", 0.9), Target("size", 0.3)], "size"),
        ([Target("macs", 0.9), Target("params", 0.9), Target("latency", 0.5)], "latency"),
    ],
)
def test_all_limits_are_kept_and_one_binds(name, targets, binding):
    given = everything(WIDE)
    found = allocate(name, WIDE, scores(WIDE), targets, locked=["conv1"], **given)
    assert "conv1" not in found.remove
    for target in targets:
        whole, left = given["meter"](target.kind, {}), given["meter"](target.kind, kept(WIDE, found))
        assert found.costs[target.kind] == left <= target.goal(whole)
        if target.kind == binding:
            assert left == pytest.approx(target.goal(whole), rel=0.01)
    assert binding in found.binding


def test_an_amount_is_never_passed():
    given = everything(WIDE)
    for size in (200_000, 400_000, 700_000):
        found = allocate("global", WIDE, scores(WIDE), Target("size", amount=size), **given)
        assert 0.99 * size <= given["meter"]("size", kept(WIDE, found)) <= size


def test_a_limit_that_holds_already_removes_nothing():
    found = allocate("global", WIDE, scores(WIDE), Target("size", amount=1e12), **everything(WIDE))
    assert found.remove == {}
    assert "nothing is removed: the target keeps everything" in found.warnings


def test_reach_is_worked_out_from_minimum_and_locks():
    """params/9 = 3a + ab + 10b with a = 10, b = 20: 430; half of each 165, conv1 locked 315."""
    structure = chain([10, 20], [1, 1])
    asked = [Target("params", 0.4), Target("size", amount=5_900)]
    free = feasible(structure, asked, 0.5, meter=everything(structure)["meter"])
    assert [(each.lowest, each.whole) for each in free] == [(9 * 165, 9 * 430), (36 * 165 + 80, 36 * 430 + 80)]
    assert [each.feasible for each in free] == [True, False]
    (locked,) = feasible(structure, asked[:1], 0.5, ["conv1"])
    assert (locked.lowest, locked.feasible) == (9 * 315, False)
    assert "can't be met: from 2.835 k (73.3%) to 3.87 k (100.0%) is in reach" in str(locked)


def test_what_can_not_be_met_together_is_said_for_each():
    structure = chain([10, 20], [1, 1])
    targets = [Target("params", 0.1), Target("macs", 0.9)]
    found = allocate("global", structure, scores(structure), targets, minimum=0.5)
    assert [text.partition(" ")[0] for text in found.warnings] == ["params=0.1"]
    assert "is the least while every group keeps its minimum" in found.warnings[0]


def test_a_latency_that_no_width_reaches_is_said_with_the_least():
    structure = chain([40, 40], [1, 1])
    found = allocate("uniform", structure, scores(structure), Target("latency", 0.1), **everything(structure))
    least = 0.2 + 0.8 * 8 / 80
    assert found.achieved == pytest.approx(least)
    assert f"the nearest feasible is latency={least:.3g}" in found.warnings[0]


@pytest.mark.parametrize("targets", [[], [Target("macs", 0.5), Target("macs", 0.4)]])
def test_targets_that_make_no_sense(targets):
    with pytest.raises(ExplorerError, match=r"no target|two targets"):
        allocate("global", WIDE, scores(WIDE), targets)


def test_a_quantity_that_nothing_knows():
    with pytest.raises(ExplorerError, match="time the network first"):
        allocate("global", WIDE, scores(WIDE), Target("latency", 0.5))


@pytest.mark.parametrize("name", sorted(ALLOCATORS))
@pytest.mark.parametrize("step", [8, 16])
def test_widths_are_multiples_and_the_target_is_still_met(name, step):
    """Plain rounding of these allocations misses by up to several percent; the residue is repaired to one."""
    structure = chain([64, 96, 128, 128, 192, 256], [256, 256, 64, 64, 16, 16])
    given = everything(structure)
    found = allocate(name, structure, scores(structure), Target("macs", 0.5), round_to=step, **given)
    for group, count in kept(structure, found).items():
        assert count % step == 0 or count == structure.full[group]
    assert found.achieved == pytest.approx(0.5, rel=0.02 if step == 16 else 0.01)


def test_rounding_to_the_nearest_allowed_width():
    full, step = np.array([20, 20, 7, 64]), np.array([8, 8, 8, 16])
    assert rounded(np.array([3, 9, 5, 55]), np.array([18, 18, 6, 57]), step, full).tolist() == [4, 12, 0, 48]


def test_widths_too_coarse_for_a_target_are_said():
    structure = chain([16, 16], [1, 1])
    found = allocate("uniform", structure, scores(structure), Target("macs", 0.7), round_to=8)
    assert any("multiples of 8 channels are too large" in text for text in found.warnings)


def test_an_impossible_rounding():
    with pytest.raises(ExplorerError, match="multiples of 0"):
        allocate("global", WIDE, scores(WIDE), Target("macs", 0.5), round_to=0)


def test_the_next_step_saves_most_for_its_score():
    worth = scores(WIDE, 3)
    found = allocate("uniform", WIDE, worth, Target("macs", 0.5), normalise="none")
    step, left = found.next_step(), kept(WIDE, found)

    def value(name):
        saved = WIDE.cost(left).macs - WIDE.cost({**left, name: left[name] - 1}).macs
        return saved / np.sort(worth.groups[name])[WIDE.full[name] - left[name]]

    assert step.group == max(WIDE.full, key=value)
    assert step.units == 1
    assert step.saves["macs"] == WIDE.cost(left).macs - WIDE.cost({**left, step.group: left[step.group] - 1}).macs
    assert step.drop is None


def test_at_the_minimum_there_is_no_next_step():
    found = allocate("uniform", WIDE, scores(WIDE), Target("macs", 0.001))
    assert found.next_step() is None
