"""What a browser proposes, checked."""

import pytest

from explorer.board.commit import accept
from explorer.board.document import board_document
from explorer.criteria import Scores


@pytest.fixture
def document(structure, scores):
    return board_document(structure, scores, {}, (), 7)


def sent(document, **changes):
    name = document["groups"][0]["name"]
    return {"revision": 7, "removed": {name: 2}, "locked": [name], "selected": name, "inspect": None, **changes}


def test_a_commit_becomes_counts_and_a_budget(structure, document):
    name = document["groups"][0]["name"]
    commit = accept(sent(document, inspect={"group": name, "unit": 1}), 7, document)
    assert (commit.revision, commit.removed, commit.locked) == (7, {name: 2}, (name,))
    assert (commit.selected, commit.inspect) == (name, (name, 1))
    assert commit.budget(structure) == {name: 2 / structure.groups[name].units}


def test_what_was_made_against_another_revision_is_dropped(document):
    assert accept(sent(document), 8, document) is None
    assert accept(None, 7, document) is None


@pytest.mark.parametrize(
    "removed", [{"no such group": 1}, {"patch": -1}, {"patch": 12}, {"patch": 1.5}, {"patch": True}, [1], None]
)
def test_a_commit_that_fits_no_plan_is_dropped(document, removed):
    assert "patch" in [group["name"] for group in document["groups"]]
    assert accept(sent(document, removed=removed), 7, document) is None


@pytest.mark.parametrize("inspect", [{"group": "x", "unit": 0}, {"group": "patch", "unit": 99}, {"group": []}, "patch"])
def test_an_unknown_unit_is_not_looked_into(document, inspect):
    commit = accept(sent(document, inspect=inspect, selected=["patch"]), 7, document)
    assert (commit.inspect, commit.selected) == (None, None)


def test_a_group_without_scores_can_not_lose_units(structure, scores):
    name = next(iter(structure.groups))
    some = {other: values for other, values in scores.groups.items() if other != name}
    document = board_document(structure, Scores("l1", 0.0, some, {}), {}, (), 7)
    assert accept(sent(document, removed={name: 1}), 7, document) is None
