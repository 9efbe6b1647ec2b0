"""Runs set side by side, on small reports worked out by hand."""

import json

import pytest

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods.checking import check
from explorer.methods.spec import Spec
from explorer.pruning import Plan
from explorer.runs.history.baselines import baselines, effort
from explorer.runs.history.comparison import compare, origins, row
from explorer.runs.history.finished import Finished, read_finished
from explorer.runs.history.lineage import Branch, RunRecord
from explorer.runs.history.overlap import difference

MODEL = "demo:resnet20-digits"


def measured(value, params, macs):
    found = {"params": params, "macs": macs, "size_bytes": 4 * params, "latency_ms": 1.0, "samples": 100}
    return found | {"metric": "top1", "top1": value, "top1_low": value - 0.02, "top1_high": value + 0.01}


def step(number, macs, before, after, *, rolled_back=False):
    return {
        "step": number,
        "macs": macs,
        "params": macs,
        "top1_before": before,
        "top1_after": after,
        "rolled_back": rolled_back,
    }


def finished(name="run", *, remove=None, groups=(("a", 8, 4), ("b", 12, 12)), steps=(), **settings):
    spec = Spec(**{"model": MODEL, "data": "digits", "keep": {"macs": 0.5}, **settings})
    result = {
        "base": measured(0.9, 200, 400),
        "pruned": measured(0.8, 150, 100),
        "achieved": {"params": 0.75, "macs": 0.25},
        "groups": [{"name": group, "size": size, "kept": kept} for group, size, kept in groups],
        "recovery": {"epochs": [{}, {}, {}]},
        "steps": list(steps),
        "seconds": 60.0,
        "spec": spec.to_json(),
    }
    return Finished(name, result, Plan(spec.model, remove or {}))


def test_a_row_has_the_run_against_its_own_base():
    found = row(finished(steps=[step(1, 300, 0.5, 0.7), step(2, 200, 0.4, 0.6, rolled_back=True)])).to_json()
    assert (found["macs_kept"], found["params_kept"]) == (0.25, 0.75)
    assert found["change"] == pytest.approx(-0.1)
    assert (found["low"], found["high"]) == (pytest.approx(0.78), pytest.approx(0.81))
    assert (found["steps"], found["taken_back"]) == (2, 1)


def test_a_curve_keeps_validation_apart_from_test():
    run = finished(steps=[step(1, 300, 0.5, 0.7), step(2, 200, 0.4, 0.6, rolled_back=True)])
    points = compare([run]).to_json()["curves"]["run"]
    assert [(point["split"], point["step"], point["macs"], point["value"]) for point in points] == [
        ("test", 0, 1.0, 0.9),
        ("validation", 1, 0.75, 0.7),
        ("validation", 2, 0.5, 0.6),
        ("test", None, 0.25, 0.8),
    ]
    assert [point["rolled_back"] for point in points] == [False, False, True, False]
    assert all((point["low"] is None) == (point["split"] == "validation") for point in points)


def test_plans_are_compared_unit_by_unit_and_with_chance():
    first = finished("one", remove={"a": (0, 1, 2, 3)})
    second = finished("two", remove={"a": (2, 3, 4, 5), "b": (0, 1, 2)}, groups=(("a", 8, 4), ("b", 12, 9)))
    found = difference(first, second).to_json()
    assert (found["both"], found["first"], found["second"]) == (2, 2, 5)
    assert found["overlap"] == pytest.approx(2 / 9)
    # Of a, 4 of 8 units each: 2 are shared on average; 4 + 7 units are removed, so 11 - 2 different ones.
    assert found["chance"] == pytest.approx(2 / 9)
    assert found["groups"][0] == {"name": "a", "both": 2, "first": 2, "second": 2}


def test_units_of_several_channels_count_as_units():
    heads = (("h", 64, 32),)
    first = finished("one", remove={"h": (0, 1)}, groups=heads)
    second = finished("two", remove={"h": (1, 2)}, groups=heads)
    assert difference(first, second).chance == pytest.approx(1 / 3)  # 2 of 4 heads each: 1 shared of 3


def test_plans_of_different_models_are_not_compared():
    other = finished("other", model="demo:vgg-digits")
    assert compare([finished("one"), other]).to_json()["plans"] == []
    with pytest.raises(ExplorerError, match="one model"):
        difference(finished("one"), other)


def test_widths_stand_beside_each_other_in_network_order():
    found = compare([finished("one"), finished("two", groups=(("a", 8, 2), ("b", 12, 6)))]).to_json()
    assert found["groups"] == [
        {"name": "a", "size": 8, "kept": {"one": 4, "two": 2}, "network": MODEL},
        {"name": "b", "size": 12, "kept": {"one": 12, "two": 6}, "network": MODEL},
    ]


def test_the_widths_of_a_branch_are_shares_of_the_whole_model():
    branch = finished("branch", groups=(("a", 4, 2), ("b", 12, 12)))
    found = compare([branch, finished("whole")]).to_json()["groups"]
    assert found[0] == {"name": "a", "size": 8, "kept": {"branch": 2, "whole": 4}, "network": MODEL}


def test_a_branch_begins_at_its_parents_share(tmp_path):
    def record(id, parent_step=None):
        empty = dict.fromkeys(("ref", "title", "model", "data", "method", "criterion", "recovery"), "")
        return RunRecord(id, tmp_path, **empty, state="done", created=0.0, parent_step=parent_step)

    runs = {"root": finished(steps=[step(1, 300, 0.5, 0.7)]), "child": finished(), "grandchild": finished()}
    forest = [Branch(record("root"), (Branch(record("child", 1), (Branch(record("grandchild")),)),))]
    found = origins(forest, runs)
    assert {id: share["macs"] for id, share in found.items()} == {"root": 1.0, "child": 0.75, "grandchild": 0.75 * 0.25}


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
    with pytest.raises(ExplorerError, match="no finished run"):
        read_finished(tmp_path)
    (tmp_path / "plan.json").write_text(json.dumps({"base": MODEL, "remove": {}}))
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(ExplorerError, match="damaged"):
        read_finished(tmp_path)
    (tmp_path / "report.json").write_text("[]")
    with pytest.raises(ExplorerError, match="should hold a JSON object"):
        read_finished(tmp_path)


def test_baselines_share_the_widths_the_cost_and_the_effort():
    run = finished(
        method="ifap",
        criterion="flow",
        recover="distill",
        epochs=2,
        locked=("b",),
        steps=[step(1, 300, 0.5, 0.7), step(2, 200, 0.4, 0.6), step(3, 100, 0.4, 0.6)],
    )
    spec = Spec.from_json(run.spec)
    found = baselines(spec, run.result)
    assert effort(spec, run.result) == 6
    assert {entry.epochs for entry in found.values()} == {6}
    assert found["random"].ratios == {"a": 0.5}
    assert (found["random"].criterion, found["random"].recover) == ("random", "distill")
    assert found["scratch"].keep == {"macs": 0.25}
    assert (found["scratch"].allocate, found["scratch"].recover) == ("uniform", "scratch")
    for entry in found.values():
        check(entry)
        assert entry.method == "one-shot"


def test_a_run_that_did_not_train_has_no_effort_to_match():
    run = finished(recover="bn")
    found = baselines(Spec.from_json(run.spec), run.result)
    assert list(found) == ["random"]
    assert found["random"].epochs is None


def test_where_whole_blocks_left_the_random_baseline_has_the_same_cost():
    run = finished(groups=(("a", 8, 4), ("b", 12, 0)), recover="finetune")
    found = baselines(Spec.from_json(run.spec), run.result)["random"]
    assert (found.keep, found.ratios) == ({"macs": 0.25}, {})
    check(found)


def test_the_command_compares_folders(tmp_path, capsys):
    runs = [finished("one", remove={"a": (0, 1, 2, 3)}), finished("two", remove={"a": (2, 3, 4, 5)})]
    for run in runs:
        folder = tmp_path / run.name
        folder.mkdir()
        (folder / "plan.json").write_text(json.dumps(run.plan.to_json()))
        (folder / "report.json").write_text(json.dumps(run.result))
    folders = [str(tmp_path / run.name) for run in runs]
    assert main(["compare", *folders, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [run["run"] for run in document["runs"]] == folders
    assert document["plans"][0]["overlap"] == pytest.approx(2 / 6)
    assert main(["compare", *folders]) == 0
    said = capsys.readouterr().out
    assert "top-1 80.0% (78.0–81.0%)" in said
    assert "an overlap of 33%, by chance 33%" in said
    assert main(["compare", str(tmp_path)]) == 2
