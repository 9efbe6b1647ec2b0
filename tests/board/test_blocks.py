"""Residual blocks on the board, and rows set by hand: what Python makes of them."""

import json

import numpy as np
import pytest

from explorer.board.choice import Choice, History
from explorer.board.commit import accept
from explorer.board.document import board_document
from explorer.board.widget import BoardWidget, Subject
from explorer.board.wire import split
from explorer.criteria import Scores
from explorer.pruning import cut, plan_from_budget
from explorer.sources import load_model
from explorer.structure import analyse, count


@pytest.fixture(scope="module")
def model():
    return load_model("demo:resnet20-digits")


@pytest.fixture(scope="module")
def structure(model):
    return analyse(model.module, model.example(), trial=False)


@pytest.fixture(scope="module")
def scores(structure):
    return Scores("order", 0.0, {name: np.arange(units, dtype=float) for name, units in structure.full.items()}, {})


def test_a_block_is_told_with_what_it_costs_and_takes_along(structure, scores):
    name = next(iter(structure.blocks))
    document = board_document(structure, scores, {}, (), 0, blocks=(name,))
    found = {block["name"]: block for block in document["blocks"]}
    assert set(found) == set(structure.blocks)
    assert [block["name"] for block in document["blocks"] if block["out"]] == [name]
    whole, cost = structure.cost(), structure.cost(without=(name,))
    assert found[name]["macs"] == pytest.approx(1 - cost.macs / whole.macs)
    assert found[name]["params"] == pytest.approx(1 - cost.params / whole.params)
    assert set(found[name]["inside"]) == structure.inside(name)
    places = list(structure.groups)
    assert all(places.index(group) >= found[name]["before"] for group in found[name]["inside"])


def test_whether_a_block_is_out_travels_with_every_drag_and_its_cost_once(structure, scores):
    name = next(iter(structure.blocks))
    inside, out = (split(board_document(structure, scores, {}, (), 0, blocks=blocks)) for blocks in ((), (name,)))
    assert inside[0] == out[0]
    assert "out" not in inside[0]["blocks"][0]
    assert sum(out[1]["out"]) == 1
    json.dumps(out, allow_nan=False)


@pytest.mark.parametrize("blocks", ["patch", {"no such block": 1}, [1], ["no such block"]])
def test_a_commit_of_other_blocks_is_dropped(structure, scores, blocks):
    document = board_document(structure, scores, {}, (), 7)
    sent = {"revision": 7, "removed": {}, "locked": [], "blocks": blocks, "selected": None, "inspect": None}
    assert accept(sent, 7, document) is None


def test_a_commit_takes_blocks_out_of_the_choice(structure, scores):
    name = next(iter(structure.blocks))
    document = board_document(structure, scores, {}, (), 7)
    sent = {"revision": 7, "removed": {}, "locked": [], "blocks": [name], "selected": None, "inspect": None}
    commit = accept(sent, 7, document)
    assert commit.choice(structure, Choice()) == Choice(blocks=frozenset({name}))


def test_the_plan_with_a_block_out_names_no_units_inside_it_and_costs_what_the_cut_does(model, structure, scores):
    name = next(iter(structure.blocks))
    plan = plan_from_budget(structure, scores.groups, dict.fromkeys(structure.groups, 0.5), "")
    plan = plan.without(structure, (name,))
    assert not set(plan.remove) & structure.inside(name)
    assert plan.blocks == (name,)
    assert plan.cost(structure) == count(cut(model.module, structure, plan).module, model.example())


# Rows set by hand ----------------------------------------------------------------------------------------------


def test_what_a_hand_moves_is_known_until_a_preset_moves_it():
    shared = Choice().allotted({"a": 0.5, "b": 0.5})
    assert shared.by_hand == frozenset()
    moved = shared.moved({"a": 0.25, "b": 0.5, "c": 0.1}, frozenset(), frozenset())
    assert moved.by_hand == {"a", "c"}
    again = moved.allotted({"a": 0.25, "b": 0.75, "c": 0.5}, held={"a"})
    assert again.by_hand == {"a"}
    assert again.allotted({"a": 0.6, "b": 0.75, "c": 0.5}).by_hand == frozenset()
    assert shared.moved({"a": 0.25}, frozenset(), frozenset()).by_hand == {"a", "b"}  # b was put back


def test_undo_brings_back_what_was_set_by_hand():
    history = History()
    history.commit(history.now.moved({"a": 0.5}, frozenset(), frozenset()))
    history.commit(history.now.allotted({"a": 0.75}))
    assert history.now.by_hand == frozenset()
    history.step(back=True)
    assert history.now.by_hand == {"a"}


def test_a_state_from_elsewhere_is_not_by_hand():
    assert Choice({"a": 0.5}).by_hand == frozenset()


def test_blocks_count_in_a_history(structure):
    history = History()
    assert history.commit(Choice(blocks=frozenset(structure.blocks)))
    assert history.now != Choice()
    assert history.now.size == len(structure.blocks)


def test_scores_of_groups_inside_are_not_needed(structure):
    document = board_document(structure, Scores("none", 0.0, {}, {}), {}, (), 0, blocks=tuple(structure.blocks))
    assert all(block["out"] for block in document["blocks"])


def test_the_widget_of_a_notebook_takes_blocks_out_and_puts_them_back(model, structure, scores):
    board = BoardWidget(Subject("", structure, scores, "nothing is measured"), budget={})
    block, group = "layer1.0", "layer1.0.conv1"
    sent = {"revision": 0, "removed": {group: 8}, "locked": [], "blocks": [block], "selected": None, "inspect": None}
    content = {"kind": "commit", "view": "left", "commit": sent}
    board.comm.handle_msg({"content": {"data": {"method": "custom", "content": content}}, "buffers": []})
    assert (dict(board.plan.remove), board.plan.blocks) == ({}, (block,))
    assert board.cost == count(cut(model.module, structure, board.plan).module, model.example())
    names = [each["name"] for each in board.fixed["blocks"]]
    assert [name for name, out in zip(names, board.state["out"], strict=True) if out] == [block]
    assert sum(board.state["removed"]) == 8  # which comes back with the block
    board.undo()
    assert board.plan.empty
