"""The board's document, what of it travels when, and the scripts that draw it."""

import base64
import json

import numpy as np
import pytest

from explorer.board import scripts
from explorer.board.document import board_document
from explorer.board.wire import split
from explorer.budget import LatencyModel, Target
from explorer.budget.latency_table import LatencyTable
from explorer.criteria import Scores
from explorer.errors import ExplorerError
from explorer.pruning import plan_from_budget
from tests import measurements


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
    assert document["metric"] == {"label": "top-1", "share": True, "higher": True}


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


# On the wire ---------------------------------------------------------------------------------------------------


def test_what_a_drag_changes_is_apart_from_what_stays(structure, scores):
    document = board_document(structure, scores, {}, (), 7)
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
    both = scripts.joined("streamlit") + scripts.joined("strip_streamlit") + scripts.for_notebook()
    alone = {"feed", "streamlit", "strip_feed", "strip_streamlit", "notebook"}
    for path in scripts.ASSETS.glob("*.js"):
        assert path.stem in alone or f"const module_{path.stem} = " in both
