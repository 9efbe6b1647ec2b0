"""The board as a component of the pages, and the page that holds it; in a browser it is tried in tests/browser."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from explorer.board import scripts
from explorer.budget.allocation import MINIMUM
from explorer.methods.tools.runtimes import CPU
from explorer.methods.tools.stopwatch import place
from explorer.methods.tools.timed_plans import together
from explorer.ui import engine
from explorer.ui.parts import board as component
from explorer.ui.state.workspace import MODEL, WORKSPACES
from explorer.ui.text import words
from tests.ui.pages import button, drawn, visited, words_of

PAGE = Path(__file__).resolve().parents[1] / "browser" / "board_app.py"


def test_missing_assets_are_told(monkeypatch, tmp_path):
    monkeypatch.setattr(scripts, "ASSETS", tmp_path)
    component._components.cache_clear()
    with pytest.raises(component.BoardUnavailableError, match="can't be shown"):
        component.board({}, key="board")
    component._components.cache_clear()


def test_a_page_holds_it():
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not page.exception
    picture, feed = (json.loads(shown.proto.json) for shown in page.get("bidi_component"))
    assert feed["revision"] == 0
    assert feed["id"] == picture["id"]
    assert len(picture["groups"]) == len(feed["removed"]) == 12


# The Cut page ------------------------------------------------------------------------------------------------


def keep_times(found):
    """As if the network took 2 ms at every width of every group."""
    _, entry = place(found.model.module, found.structure, found.model.example().shape, "torch", CPU, MINIMUM)
    jobs = together(found.structure)
    entry.write({name: {"base": 2e-3, "rows": [[1.0, 1.0, 1.0]] * len(plans)} for name, plans in jobs.items()})


def test_the_page_draws_what_was_timed_here_before_and_offers_what_was_not(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    keep_times(engine.opened(MODEL))
    page = visited("cut", WORKSPACES.create())
    assert drawn(page)["latency"]["base"] == pytest.approx(2.0)
    assert all(group["times"] for group in drawn(page)["groups"])
    page.toggle(key="native").set_value(True).run()
    assert "predicted **2 ms** of 2 ms in torch eager" in words_of(page)
    assert not any(entry.label == "Time every group" for entry in page.button)
    page.toggle(key="native").set_value(False)
    page.selectbox(key="runtime").set_value("onnx").run()
    assert drawn(page)["latency"] is None  # another runtime has other times
    assert button(page, "Time every group")
    assert "Latency is not timed yet" in words_of(page)
    assert not page.exception


# Residual blocks, and rows set by hand -----------------------------------------------------------------------

BLOCK, ROW = "layer1.0", "layer2.0.conv1"


def test_native_controls_take_blocks_out_and_the_numbers_follow():
    workspace = WORKSPACES.create()
    page = visited("cut", workspace)
    page.toggle(key="native").set_value(True).run()
    switch = next(box for box in page.checkbox if BLOCK in box.label)
    switch.uncheck().run()
    assert workspace.blocks == {BLOCK}
    structure = engine.opened(MODEL).structure
    assert f"**{words.count(structure.cost(without=(BLOCK,)).macs)} MACs**" in words_of(page)
    button(page, "Undo").click().run()
    assert workspace.blocks == frozenset()
    assert not page.exception


def test_sharing_out_leaves_rows_as_a_hand_has_set_them_unless_told_otherwise():
    workspace = WORKSPACES.create()
    page = visited("cut", workspace)
    workspace.adjust(ROW, 0.25)
    page.run()
    button(page, "Share it out").click().run()
    assert workspace.budget[ROW] == 0.25
    assert len(workspace.budget) > 1
    assert f"Held as set by hand: {ROW}." in words_of(page)
    page.checkbox(key="move by hand").check().run()
    button(page, "Share it out").click().run()
    assert workspace.budget[ROW] != 0.25
    assert "Held as set by hand" not in words_of(page)


def test_a_target_is_of_the_whole_network_also_without_a_block():
    workspace = WORKSPACES.create()
    page = visited("cut", workspace)
    workspace.take_out(BLOCK, out=True)
    page.run()
    button(page, "Share it out").click().run()
    structure, scores = engine.opened(MODEL).structure, engine.quick_scores(MODEL, workspace.data, "flow", {})
    plan = engine.plan_of(MODEL, scores, workspace.draft.now)
    assert plan.blocks == (BLOCK,)
    assert plan.cost(structure).macs / structure.cost().macs == pytest.approx(0.5, rel=0.02)
    assert not page.exception
