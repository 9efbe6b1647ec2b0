"""Criteria, sensitivity, targets and the scoreboard on the pages, with jobs done by a desk that answers at once."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from explorer.budget import Target
from explorer.budget.allocation import most_removable
from explorer.criteria import score
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.agreement import compared
from explorer.progress import silent
from explorer.runs.queue.job import Job
from explorer.runs.queue.kinds import JOBS
from explorer.tasks import METRICS
from explorer.ui import engine
from explorer.ui.charts import multiples
from explorer.ui.parts import measured
from explorer.ui.state import session
from explorer.ui.state.workspace import MODEL, WORKSPACES
from explorer.ui.text import findings
from tests.ui.pages import ROOT, button, desk_of, drawn, visited, words_of


@pytest.fixture
def desk(monkeypatch, tmp_path):
    """A desk whose jobs are finished by the test; `asked` are its requests."""
    monkeypatch.setenv("EXPLORER_RUNS", str(tmp_path))
    asked, done = [], {}

    def submit(request, owner="", title="", key="", address="", seconds=None):
        JOBS[request["kind"]].check(request)
        asked.append(request)
        return "later"

    def job(id):
        if id not in done:
            raise ExplorerError("there is no such job")
        return done[id]

    def finish(space, kind: str, request: dict, result: dict) -> None:
        id = f"job{len(done)}"
        done[id] = Job(id, space.token, "done", request, "cpu", str(tmp_path), state="done", result=result)
        space.remember(kind, id)

    with desk_of(tmp_path, monkeypatch) as fresh:
        monkeypatch.setattr(fresh, "submit", submit)
        monkeypatch.setattr(fresh, "job", job)
        fresh.asked, fresh.finish = asked, finish
        yield fresh


@pytest.fixture
def curves():
    structure = engine.opened(MODEL).structure
    groups = {
        name: [
            {"ratio": r, "removed": int(r * group.size), "top1": 0.99 - (r if name == "layer3" else 0)} for r in (0.5,)
        ]
        for name, group in structure.groups.items()
    }
    return {"criterion": "flow", "metric": "top1", "samples": 270, "base": 0.99, "groups": groups, "skipped": {}}


def test_the_budget_page_asks_for_curves_and_then_draws_them_on_the_board(desk, tmp_path, curves):
    space = WORKSPACES.create()
    test = visited("cut", space)
    button(test, "Measure the sensitivity").click().run()
    assert not test.exception
    (request,) = desk.asked
    assert (request["kind"], request["spec"]["criterion"]) == ("sensitivity", "flow")
    desk.finish(space, measured._curves_kind(space), request, curves)
    test = visited("cut", space)
    assert not test.exception
    curves = {group["name"]: group["curve"] for group in drawn(test)["groups"]}
    assert curves["conv1"] == [[0.0, 0.99], [0.5, 0.99]]
    test = visited("sensitivity", space)
    assert not test.exception
    space.judge_by("l1", {})
    assert measured.curves_of(space) is None  # other units would leave


def test_without_labels_there_is_no_sensitivity(desk):
    space = WORKSPACES.create()
    space.choose(MODEL, "random")
    test = visited("sensitivity", space)
    assert not test.exception
    assert "choose data with labels" in words_of(test)
    assert not any(entry.label.startswith("Measure") for entry in test.button)


@pytest.mark.parametrize("name", ["erk", "knapsack"])
def test_what_needs_no_measurement_is_shared_out_at_once_with_rounded_widths(desk, name):
    space = WORKSPACES.create()
    test = visited("cut", space)
    test.selectbox(key="allocator").set_value(name)
    test.selectbox(key="round to").set_value(8)
    test.number_input(key="limit params").set_value(45.0).run()
    assert re.search(r"In reach: .* MACs \(.* parameters \(.*%\) to 272 k parameters\.", words_of(test))
    button(test, "Share it out").click().run()
    assert not test.exception
    assert not desk.asked
    structure = engine.opened(MODEL).structure
    kept = {n: round(units * (1 - space.budget.get(n, 0))) for n, units in structure.full.items()}
    assert all(kept[n] % 8 == 0 for n in space.budget)
    cost, whole = structure.cost(kept), structure.cost()
    assert cost.macs <= 0.505 * whole.macs
    assert cost.params <= 0.455 * whole.params
    assert "The cheapest next step" in words_of(test)


def test_a_target_that_can_not_be_met_is_told_before(desk):
    space = WORKSPACES.create()
    test = visited("cut", space)
    test.number_input(key="limit size").set_value(0.01).run()
    assert any("10.0 kB can't be had" in entry.value for entry in test.warning)


def test_a_locked_group_counts_at_the_units_that_it_has_lost(tmp_path):
    structure = engine.opened(MODEL).structure
    held = {"conv1": 8}
    (reach,) = engine.reach(MODEL, [Target("macs", 0.5)], held)
    fewest = {name: most_removable(structure, name, 0.1) for name in structure.full} | held
    kept = {name: units - fewest[name] for name, units in structure.full.items()}
    assert reach.lowest == structure.cost(kept).macs
    spec = Spec(MODEL, "digits", criterion="l1", keep={"macs": 0.5})
    result = JOBS["budget"]({"kind": "budget", "spec": spec.to_json(), "held": held}, tmp_path, silent)
    kept = {group["name"]: group["kept"] for group in result["groups"]}
    assert kept["conv1"] == 8
    assert result["costs"]["macs"] == structure.cost(kept).macs
    assert result["reach"][0]["lowest"] == reach.lowest


def test_what_has_to_be_measured_is_a_job_whose_result_goes_to_the_board_once(desk, tmp_path):
    space = WORKSPACES.create()
    test = visited("cut", space)
    test.selectbox(key="allocator").set_value("halp").run()
    button(test, "Share it out").click().run()
    (request,) = desk.asked
    assert Spec.from_json(request["spec"]).targets() == (Target("macs", 0.5),)
    structure = engine.opened(MODEL).structure
    groups = [
        {"name": n, "size": g.size, "kept": g.size // 2 if n == "conv1" else g.size}
        for n, g in structure.groups.items()
    ]
    reach = [{"target": "macs=0.5", "kind": "macs", "lowest": 1e6, "whole": 4e7, "goal": 2e7, "feasible": True}]
    effect = {"metric": "top1", "base": 0.99, "predicted": 0.95, "measured": 0.9}
    result = {"groups": groups, "warnings": ["it was close"], "reach": reach, "costs": {"macs": 2e7}}
    result |= {"binding": ["macs"], "next": None, "latency": None, "effect": effect}
    desk.finish(space, "budget", request, result)
    test = visited("cut", space)
    assert not test.exception
    assert space.budget == {"conv1": 0.5}
    assert "It was close." in words_of(test)
    assert "add up to 95.0%" in words_of(test)
    button(test, "Undo").click().run()
    assert space.budget == {}


def test_criteria_are_compared_by_a_job(desk, tmp_path):
    space = WORKSPACES.create()
    test = visited("criteria", space)
    assert not test.exception
    test.multiselect[0].set_value(["l1", "l2", "random"]).run()
    needs = test.dataframe[0].value
    assert list(needs["Time of its passes here"]) == ["no passes"] * 3
    button(test, "Compare").click().run()
    (request,) = desk.asked
    assert request["criteria"] == ["l1", "l2", "random"]
    found = engine.opened(MODEL)
    scores = [score(name, found.model.module, found.structure) for name in request["criteria"]]
    document = {**compared(scores).to_json(), "samples": 512, "effect": None}
    (tmp_path / "agreement.json").write_text(json.dumps(document))
    kind = f"agreement {MODEL} digits l1 l2 random"
    desk.finish(space, kind, request, {"file": str(tmp_path / "agreement.json")})
    test = visited("criteria", space)
    test.multiselect[0].set_value(["l1", "l2", "random"]).run()
    assert not test.exception
    assert "L2 norm and L1 norm rank most alike" in words_of(test)
    assert not any("andom" in text for text in test.dataframe[1].value["Stays by"])
    test.multiselect[0].set_value(["l1"]).run()
    assert "Choose 2 to 6" in words_of(test)


def test_the_minus_of_a_correlation_is_none_of_a_title():
    titles = ["Batch-norm scale", "L1 norm", "Random"]
    found = findings.of_agreement(titles, [[1.0, 0.5, -0.25], [0.5, 1.0, None], [-0.25, None, 1.0]])
    assert found == "L1 norm and Batch-norm scale rank most alike (+0.50), Random and Batch-norm scale least (−0.25)"


def test_the_scoreboard_shows_its_rows_and_keeps_published_ones_apart(desk, tmp_path, monkeypatch):
    rows = [
        {"run": f"{criterion} {seed}", "model": MODEL, "method": "one-shot", "criterion": criterion, "recover": "none"}
        | {"allocate": "global", "target": "macs=0.5", "seed": seed, "epochs": 4, "params": 0.5, "macs": 0.5}
        | {"metric": "top1", "base": 0.99, "as_cut": value, "value": value, "samples": 270, "seconds": 1.0}
        for criterion, value in (("flow", 0.9), ("l1", 0.4))
        for seed in (0, 1)
    ]
    file = tmp_path / "scoreboard.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows) + '{"run": "half wr')
    source = (ROOT / "pages" / "scoreboard" / "page.py").read_text()
    place = 'ROOT / "docs" / "scoreboard.jsonl"'
    assert place in source
    space = WORKSPACES.create()
    monkeypatch.setattr(session, "current", lambda: space)

    def shown(rows: Path) -> AppTest:
        script = tmp_path / "board.py"
        script.write_text("from pathlib import Path\n" + source.replace(place, f"Path({str(rows)!r})"))
        test = AppTest.from_file(str(script), default_timeout=60).run()
        assert not test.exception
        return test

    assert "bench methods --resume" in shown(tmp_path / "none.jsonl").code[0].value
    test = shown(file)
    assert "Flow ends best, at 90.0%" in words_of(test)
    assert [entry.value for entry in test.subheader] == ["Against torch-pruning", "Published, not measured here"]


def test_every_small_panel_has_the_data_of_its_own_group_only():
    points = pd.DataFrame({"group": ["a", "b"], "ratio": 0.5, "removed": 4, "value": [0.9, 0.8]})
    times = pd.DataFrame({"group": ["a", "b"], "width": 8, "ms": [1.0, 2.0], "low": 0.9, "high": 2.1})
    cliffs = pd.DataFrame({"group": ["b"], "to": 8, "ms": 2.0, "change": 0.5, "why": "slower"})
    for pictures in (multiples.curves(points, 0.99, METRICS["top1"]), multiples.staircases(times, cliffs, 1.5)):
        scales = []
        for name, picture in zip("ab", pictures, strict=True):
            drawn = picture.to_dict()
            # Of the facet, which shares it out; a layer with data of its own shows all of it.
            assert {row["group"] for row in drawn["datasets"][drawn["data"]["name"]]} == {name}
            assert not any("data" in layer for layer in drawn["spec"]["layer"])
            scales.append([layer["encoding"]["y"].get("scale") for layer in drawn["spec"]["layer"]])
        assert scales[0] == scales[1]


def test_a_time_that_noise_may_explain_is_no_gain():
    def group(ms: float, high: float, *cliffs: dict) -> dict:
        return {"points": [{"ms": 10.0, "high": 10.0}, {"ms": ms, "high": high}], "cliffs": list(cliffs)}

    found = {"base_ms": 10.0, "groups": {"noisy": group(4.0, 11.0), "real": group(8.0, 9.0, {"why": "slower"})}}
    assert (
        findings.of_staircases(found) == "real alone can save most, 20% of 10 ms; at 1 step fewer channels are slower"
    )
    found["groups"].pop("real")
    assert findings.of_staircases(found).startswith("No group alone")


def test_an_effect_within_chance_is_not_called_near():
    titles = {"flow": "Flow", "l1": "L1 norm"}
    assert "Flow is nearest" in findings.of_effect(titles, {"flow": 0.5, "l1": None}, 0.2)
    assert "than chance" in findings.of_effect(titles, {"flow": 0.1, "l1": -0.3}, 0.2)


def found_plans(structure, targets):
    """What a search of those targets answers: the same share of every group leaves."""

    def judged(kept):
        removed = {name: group.leaving(1 - kept) for name, group in structure.groups.items()}
        left = {name: group.units - removed[name] for name, group in structure.groups.items()}
        cost = structure.cost(left)
        value = {"top1": 0.9 + kept / 20, "top1_low": 0.85, "top1_high": 0.99, "samples": 270, "loss": 0.1}
        gone = {name: count for name, count in removed.items() if count}
        facts = {"way": "measured", "target": kept, "kept": kept, "latency_ms": None, "recovery": "reconstruct"}
        return {**facts, "params": cost.params, "macs": cost.macs, "removed": gone, "test": None, **value}

    tried = [judged(kept) for kept in targets]
    order = list(range(len(tried)))
    about = {"model": MODEL, "criterion": "flow", "metric": "top1", "cost": "macs", "seconds": 1.0, "warnings": []}
    return {**about, "whole": judged(1.0), "tried": tried, "best": order, "frontier": [*reversed(order), -1]}


def test_the_best_plan_comes_on_the_board_and_the_others_among_the_points_tried(desk):
    space = WORKSPACES.create()
    test = visited("cut", space)
    button(test, "Best plan").click().run()
    assert not test.exception
    (request,) = desk.asked
    assert (request["kind"], request["cost"]) == ("search", "macs")
    assert request["targets"][0] == 0.5
    assert request["spec"]["criterion"] == "flow"

    structure = engine.opened(MODEL).structure
    before = space.draft.now
    desk.finish(space, "search", request, found_plans(structure, [0.7, 0.5, 0.3]))
    test = visited("cut", space)
    assert not test.exception
    half = {name: group.leaving(0.5) for name, group in structure.groups.items()}
    assert {name: group.leaving(space.budget.get(name, 0.0)) for name, group in structure.groups.items()} == half
    repaired = [point for point in space.draft.trail if point.recovery == "reconstruct"]
    assert [round(point.value, 3) for point in repaired] == [0.935, 0.925, 0.915]
    assert [point.macs for point in repaired] == sorted((point.macs for point in repaired), reverse=True)

    space.undo()
    visited("cut", space)
    assert space.draft.now == before  # and what was found is not put on the board for a second time
    space.go_to(repaired[-1].choice)
    test = visited("cut", space)
    assert not test.exception
    assert space.budget == repaired[-1].choice.budget


def test_a_best_plan_by_another_criterion_takes_the_board_there(desk):
    space = WORKSPACES.create()
    request = {"kind": "search", "spec": Spec(MODEL, "digits", criterion="flow").to_json(), "targets": [0.5, 0.3]}
    found = found_plans(engine.opened(MODEL).structure, [0.5, 0.3])
    found["tried"][0]["criterion"], found["tried"][1]["criterion"] = "group-norm", "flow"
    desk.finish(space, "search", {**request, "cost": "macs", "held": {}}, found)
    test = visited("cut", space)
    assert not test.exception
    assert (space.criterion, space.options) == ("group-norm", {})
    assert any("goes by Group magnitude" in each.value for each in test.warning)
    mine, other = sorted(point.setting[1] for point in space.draft.trail if point.recovery == "reconstruct")
    assert (mine, other) == ("flow", "group-norm")


def test_a_search_is_not_asked_for_what_it_can_not_find(desk):
    space = WORKSPACES.create()
    space.take_out(next(iter(engine.opened(MODEL).structure.blocks)), out=True)
    test = visited("cut", space)
    button(test, "Best plan").click().run()
    assert not test.exception
    assert not desk.asked
    assert "put them back first" in words_of(test)
