"""The models on the way: kept beside the result, loadable, and where other runs start from."""

import json
import os

import pytest
import torch

from explorer.methods.spec import Spec
from explorer.owned import MARK
from explorer.runs import kept_steps as kept
from explorer.runs.execute import execute
from explorer.runs.history.lineage import read_runs, tree
from explorer.runs.identity import Parent, parent_of
from explorer.sources import load_pair
from explorer.structure import count
from explorer.tasks import evaluate
from pages.take.bundles import files

CPU = torch.device("cpu")
GRADUAL = {"method": "ifap", "criterion": "l2", "recover": "none", "settings": {"max_drop": "1.0"}, "device": "cpu"}
SPEC = Spec("demo:resnet20-digits", "digits", keep={"macs": 0.7}, steps=3, **GRADUAL)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("steps") / "out"
    return out, execute(SPEC, out).to_json()


@pytest.mark.slow
def test_every_accepted_step_is_the_model_that_the_report_tells_of(run):
    out, result = run
    assert [step["folder"] for step in result["steps"]] == ["steps/01", "steps/02", "steps/03"]
    for step in result["steps"]:
        folder = out / step["folder"]
        loaded, task = load_pair(f"run:{folder}")
        cost = count(loaded.module, loaded.example())
        assert (cost.macs, cost.params) == (step["macs"], step["params"])
        found = evaluate(loaded.module, task.validation, kind=task.kind, device=CPU)
        assert found.value == step["top1_after"]
        plan = json.loads((folder / "plan.json").read_text())
        removed = {group["name"]: group["size"] - step["kept"][group["name"]] for group in result["groups"]}
        assert {name: len(units) for name, units in plan["remove"].items()} == {n: r for n, r in removed.items() if r}
        assert parent_of(f"run:{folder}") == Parent(f"run:{folder}", result["id"], step["step"])


@pytest.mark.slow
def test_steps_are_no_part_of_what_is_downloaded(run):
    out, _ = run
    assert set(files(out)) == {path.name for path in out.iterdir() if path.is_file()} - {MARK}
    assert "steps/" in (out / "README.md").read_text()


@pytest.mark.slow
def test_a_run_that_is_written_again_leaves_no_steps_of_the_last_one(run, tmp_path, monkeypatch):
    out, result = run
    monkeypatch.setattr(kept, "LIMIT", 2.5 * os.stat(out / "steps" / "02" / "weights.safetensors").st_size)
    (out / "notes.txt").write_text("mine")
    again = execute(SPEC, out).to_json()
    assert sorted(os.listdir(out / "steps")) == ["02", "03"]
    assert [step.get("folder") for step in again["steps"]] == [None, "steps/02", "steps/03"]
    assert any("the models of the last 2 of 3 steps are kept" in warning for warning in again["warnings"])
    assert (out / "notes.txt").exists()
    assert again["id"] != result["id"]


@pytest.mark.slow
def test_a_run_from_a_step_names_its_parent(run, tmp_path):
    out, _ = run
    first = json.loads((out / "report.json").read_text())
    branch = Spec(f"run:{out}/steps/02", "digits", keep={"macs": 0.9}, steps=1, **GRADUAL)
    second = execute(branch, out.parent / "branch").to_json()
    assert second["parent"] == {"ref": f"run:{out}/steps/02", "id": first["id"], "step": 2}
    assert second["base"]["macs"] == first["steps"][1]["macs"]
    [root] = tree(read_runs(out.parent))
    assert [(child.run.id, child.run.parent_step) for child in root.children] == [(second["id"], 2)]
