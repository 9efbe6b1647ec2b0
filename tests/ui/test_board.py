"""The board's document, its commits, and the page that holds it; what happens in the browser is in tests/browser."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from streamlit.testing.v1 import AppTest

from explorer.board import scripts
from explorer.board.commit import accept
from explorer.board.document import board_document
from explorer.board.wire import split
from explorer.budget import LatencyModel, Target
from explorer.budget.allocation import MINIMUM
from explorer.budget.latency_table import LatencyTable
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.methods.tools.runtimes import CPU
from explorer.methods.tools.stopwatch import place
from explorer.methods.tools.timed_plans import together
from explorer.pruning import plan_from_budget
from explorer.structure import analyse
from explorer.ui import engine
from explorer.ui.parts import board as component
from explorer.ui.state.workspace import MODEL, WORKSPACES
from tests import measurements, nets
from tests.ui.pages import button, visited, words_of

PAGE = Path(__file__).resolve().parents[1] / "browser" / "board_app.py"


@pytest.fixture(scope="module")
def structure():
    return analyse(nets.alive(nets.Attention), torch.randn(1, *nets.INPUT), trial=False)


@pytest.fixture(scope="module")
def scores(structure):
    random = np.random.default_rng(0)
    return Scores("random", 0.0, {name: random.random(units) for name, units in structure.full.items()}, {})


def named(document):
    return {group["name"]: group for group in document["groups"]}


def test_a_document_is_json_with_the_groups_in_network_order(structure, scores):
    document = board_document(structure, scores, {}, (), 3)
    assert json.loads(json.dumps(document, allow_nan=False))["revision"] == 3
    assert [group["name"] for group in document["groups"]] == list(structure.groups)
    assert document["cost"] == structure.cost_model.to_json()
    assert document["whole"] == {"params": structure.cost().params, "macs": structure.cost().macs}
    for name, group in named(document).items():
        assert group["size"] == group["unit"] * group["units"] == structure.groups[name].size
        assert group["why"] == structure.groups[name].why
        assert group["macs"] == structure.saving(name).macs / structure.cost().macs
        assert {member["how"] for member in group["members"]} <= {"makes", "reads", "follows"}
    assert {link[0] for link in document["links"]} <= {None, *structure.groups}


def test_what_stands_left_of_the_line_is_what_the_plan_removes(structure, scores):
    budget = dict.fromkeys(structure.groups, 0.4)
    plan = plan_from_budget(structure, scores.groups, budget, "")
    for name, group in named(board_document(structure, scores, budget, (), 0)).items():
        assert group["scores"] == sorted(group["scores"])
        assert [scores.groups[name][unit] for unit in group["order"]] == group["scores"]
        assert tuple(sorted(group["order"][: group["removed"]])) == plan.remove.get(name, ())


def test_ties_leave_in_the_plans_order(structure):
    level = Scores("level", 0.0, {name: np.ones(units) for name, units in structure.full.items()}, {})
    document = board_document(structure, level, {}, (), 0)
    assert all(group["order"] == list(range(group["units"])) for group in document["groups"])
    assert document["range"] == [1.0, 1.0]


def test_groups_without_scores_stay_whole_and_it_is_said(structure, scores):
    first, second, *_ = structure.groups
    some = {name: values for name, values in scores.groups.items() if name not in (first, second)}
    found = named(board_document(structure, Scores("l1", 0.0, some, {first: "why not"}), {first: 0.5}, (), 0))
    assert (found[first]["scores"], found[first]["removed"], found[first]["skipped"]) == (None, 0, "why not")
    assert found[second]["skipped"] == "it has no l1 score"
    assert all(group["skipped"] is None for name, group in found.items() if name in some)


def test_minimum_snap_target_and_locks_are_told(structure, scores):
    name = next(iter(structure.groups))
    document = board_document(structure, scores, {}, (name,), 0, minimum=0.25, snap=4, target=Target("macs", 0.5))
    group = named(document)[name]
    assert group["minimum"] == -(-group["units"] // 4)
    assert (group["snap"], group["locked"]) == (4, True)
    assert document["target"] == {"kind": "macs", "keep": 0.5}


def test_nothing_is_drawn_of_what_was_not_measured(structure, scores):
    document = board_document(structure, scores, {}, (), 0)
    assert (document["metric"], document["latency"]) == (None, None)
    assert {group[what] for group in document["groups"] for what in ("curve", "times", "cliffs")} == {None}


def test_curves_begin_at_the_whole_network_and_name_their_metric(structure, scores):
    curves = measurements.curves(structure)
    document = board_document(structure, scores, {}, (), 0, curves=curves)
    *measured, last = document["groups"]
    assert last["curve"] is None
    for group in measured:
        points = [[point["ratio"], point["top1"]] for point in curves["groups"][group["name"]]]
        assert group["curve"] == [[0.0, 0.98], *points]
    assert document["metric"] == {"label": "top-1", "share": True}


def test_a_staircase_is_what_the_group_changes_alone_by_units_kept(structure, scores):
    table = measurements.table(structure)
    document = board_document(structure, scores, {}, (), 0, latency=measurements.latency(structure))
    cliffs = 0
    for name, group in named(document).items():
        rows = [[row.kept, row.ms, row.low, row.high] for row in table.groups[name]]
        np.testing.assert_allclose(group["times"], rows, atol=1e-6)
        assert len(group["times"]) <= 40
        ms = {kept: value for kept, value, *_ in group["times"]}
        for wide, narrow, change, why in group["cliffs"]:
            assert change == pytest.approx(ms[narrow] - ms[wide], abs=1e-5)
            assert why == ("slower" if change > 0 else "jump")
            cliffs += 1
    assert cliffs
    assert document["latency"] | {"alignment": 8} == {
        "base": 2.0,
        "scale": 0.9,
        "overlap": 0.4,
        "alignment": 8,
        "runtime": "torch eager",
        "batch": 1,
        "device": "CPU (2 threads)",
        "error": pytest.approx(0.04 / 0.84),
        "checks": 1,
    }


def test_a_document_of_times_predicts_as_the_table_that_it_tells_of(structure):
    table, told = measurements.table(structure), LatencyTable.of(measurements.latency(structure))
    kept = {name: max(1, units // 3) for name, units in structure.full.items()}
    assert LatencyModel(told, structure)(kept) == pytest.approx(LatencyModel(table, structure)(kept))
    assert LatencyModel(told, structure)({}) == pytest.approx(2.0)


def test_a_budget_below_the_minimum_is_shown_as_it_is(structure, scores):
    name = next(iter(structure.groups))
    group = named(board_document(structure, scores, {name: 0.9}, (), 0, minimum=0.5))[name]
    assert group["removed"] == int(group["units"] * 0.9)
    assert group["minimum"] == group["units"] - group["removed"]


def test_scores_of_another_model_are_refused(structure, scores):
    name = next(iter(structure.groups))
    wrong = Scores("l1", 0.0, {**scores.groups, name: np.ones(3)}, {})
    with pytest.raises(ExplorerError, match="score this model again"):
        board_document(structure, wrong, {}, (), 0)


# Commits ---------------------------------------------------------------------------------------------------------


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
    assert "patch" in named(document)
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


# On the wire ---------------------------------------------------------------------------------------------------


def test_what_a_drag_changes_is_apart_from_what_stays(structure, scores, document):
    name = document["groups"][0]["name"]
    fixed, changing = split(document)
    again = split(board_document(structure, scores, {name: 0.5}, (name,), 8))[1]
    assert changing["id"] == again["id"]
    assert (changing["removed"][0], again["removed"][0]) == (0, structure.groups[name].units // 2)
    assert (changing["locked"][0], again["locked"][0]) == (False, True)
    scores_ = np.frombuffer(base64.b64decode(fixed["groups"][0]["scores"]), "<f4")
    np.testing.assert_allclose(scores_, document["groups"][0]["scores"], rtol=1e-6)
    assert (
        np.frombuffer(base64.b64decode(fixed["groups"][0]["order"]), "<u4").tolist() == document["groups"][0]["order"]
    )
    measured = board_document(structure, scores, {}, (), 7, latency=measurements.latency(structure))
    assert split(measured)[1]["id"] != changing["id"]
    other = Scores("l1", 0.0, {name: 1 - values for name, values in scores.groups.items()}, {})
    assert split(board_document(structure, other, {}, (), 7))[1]["id"] != changing["id"]


def test_the_modules_become_one_that_imports_nothing():
    for whole in (scripts.joined("streamlit"), scripts.for_notebook()):
        assert whole.count("export default") == 1
        assert "import " not in "\n".join(line for line in whole.splitlines() if line.startswith("import"))
        assert whole.count("export ") == 1


def test_every_file_is_part_of_the_app_or_of_the_widget():
    both = scripts.joined("streamlit") + scripts.for_notebook()
    alone = {"feed", "streamlit", "notebook"}
    for path in scripts.ASSETS.glob("*.js"):
        assert path.stem in alone or f"const module_{path.stem} = " in both


def test_missing_assets_are_told(document, monkeypatch, tmp_path):
    monkeypatch.setattr(scripts, "ASSETS", tmp_path)
    component._components.cache_clear()
    with pytest.raises(component.BoardUnavailableError, match="can't be shown"):
        component.board(document, key="board")
    component._components.cache_clear()


def test_a_page_holds_it():
    page = AppTest.from_file(str(PAGE), default_timeout=60).run()
    assert not page.exception
    picture, feed = (json.loads(shown.proto.json) for shown in page.get("bidi_component"))
    assert feed["revision"] == 0
    assert feed["id"] == picture["id"]
    assert len(picture["groups"]) == len(feed["removed"]) == 12


# The Budget page ------------------------------------------------------------------------------------------------


def keep_times(found):
    """As if the network took 2 ms at every width of every group."""
    _, entry = place(found.model.module, found.structure, found.model.example().shape, "torch", CPU, MINIMUM)
    jobs = together(found.structure)
    entry.write({name: {"base": 2e-3, "rows": [[1.0, 1.0, 1.0]] * len(plans)} for name, plans in jobs.items()})


def test_the_page_draws_what_was_timed_here_before_and_offers_what_was_not(monkeypatch, tmp_path):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    keep_times(engine.opened(MODEL))
    page = visited("budget", WORKSPACES.create())
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


def drawn(page):
    return json.loads(page.get("bidi_component")[0].proto.json)
