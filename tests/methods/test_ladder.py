"""The ladder's rungs are what evaluating such networks gives, and climbing it leaves the model as it was."""

import json

import pytest
import torch

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods.spec import Spec
from explorer.methods.studies.ladder import ladder, recovery_stage
from explorer.pruning import Plan, cut
from explorer.recovery import recalibrate
from explorer.sources import load_pair
from explorer.structure import analyse
from explorer.tasks import evaluate

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def subject():
    model, task = load_pair("demo:resnet20-digits", "digits")
    structure = analyse(model.module, model.example())
    plan = Plan(model.ref, {"layer1.0.conv1": tuple(range(6)), "layer3.1.conv1": tuple(range(30))})
    return model, task, structure, plan


def test_rungs_are_the_accuracies_of_those_networks(subject):
    model, task, structure, plan = subject
    before = {key: value.clone() for key, value in model.module.state_dict().items()}
    data = task.validation
    low = recovery_stage("none", model.module, structure, task, plan, data=data, device=CPU)
    high = recovery_stage("bn", model.module, structure, task, plan, data=data, device=CPU)
    assert (low.by, high.by) == ("mask", "cut")
    smaller = cut(model.module, structure, plan).module
    assert low.quality.value == evaluate(smaller, data, kind=task.kind, device=CPU).value
    recalibrate(smaller, task.calibration, device=CPU)
    assert high.quality.value == evaluate(smaller, data, kind=task.kind, device=CPU).value
    after = model.module.state_dict()
    assert all(torch.equal(value, after[key]) for key, value in before.items())


def test_a_network_without_batch_norm_says_so():
    model, task = load_pair("demo:vit-digits", "digits")
    structure = analyse(model.module, model.example())
    name = next(iter(structure.groups))
    found = recovery_stage(
        "bn", model.module, structure, task, Plan(model.ref, {name: (0,)}), data=task.validation, device=CPU
    )
    assert "no batch norm" in found.warnings[0]


def test_the_command_climbs_as_far_as_it_is_told(capsys):
    asked = ["ladder", "--model", "demo:resnet20-digits", "--data", "digits", "--criterion", "l1", "--keep", "macs=0.6"]
    assert main([*asked, "--device", "cpu", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [entry["recovery"] for entry in found["rungs"]] == ["none", "bn", "reconstruct"]
    assert found["kept"]["macs"] == pytest.approx(0.6, abs=0.01)
    cut_, recalibrated, repaired = (entry["top1"] for entry in found["rungs"])
    assert cut_ < recalibrated < repaired < found["base"]["top1"] + 0.01
    assert main([*asked, "--device", "cpu", "--up-to", "none"]) == 0
    assert "as cut" in capsys.readouterr().out
    assert main(["ladder", "--help"]) == 0
    assert "the last stage" in capsys.readouterr().out


def test_a_plan_from_a_file_is_taken_as_it_is(tmp_path, capsys):
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(Plan("demo:resnet20-digits", {"conv1": (3, 5)}).to_json()))
    asked = ["ladder", "--model", "demo:resnet20-digits", "--data", "digits", "--plan", str(file), "--up-to", "none"]
    assert main([*asked, "--device", "cpu", "--json"]) == 0
    assert 0.5 < json.loads(capsys.readouterr().out)["kept"]["macs"] < 1
    assert main([*asked, "--keep", "macs=0.5"]) == 2
    assert "both say what goes" in capsys.readouterr().err
    file.write_text("{}")
    assert main(asked) == 2
    assert "not a plan" in capsys.readouterr().err


def test_random_data_has_no_ladder():
    spec = Spec("demo:resnet20-digits", "random", criterion="l1", keep={"macs": 0.5}, device="cpu")
    with pytest.raises(ExplorerError, match="means nothing"):
        ladder(spec, ["none"])
