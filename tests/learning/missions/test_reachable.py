"""Every bundled mission can be reached with what it allows, and doing nothing fails it, on its own hidden data.

The plans in `plans` were made by the command that each tells: a target shared out by one criterion. They are no secret,
yet they lie with the tests, so that nobody is handed a solution with the app.
"""

from pathlib import Path

import pytest

from explorer.learning.missions.bundled import bundled
from explorer.learning.missions.judging import Entry, check
from explorer.pruning import Plan
from explorer.reading import read_object

PLANS = Path(__file__).parent / "plans"


def test_each_has_a_plan():
    assert {path.stem for path in PLANS.glob("*.json")} == set(bundled())


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled())
def test_it_is_neither_trivial_nor_impossible(name):
    mission, document = bundled()[name], read_object(PLANS / f"{name}.json")
    reached = check(mission, Entry(Plan.from_json(document), criterion=document["criterion"]))
    assert reached.done, reached.to_json()["goals"]
    nothing = check(mission, Entry(Plan(mission.model), criterion=document["criterion"]))
    assert not nothing.done
