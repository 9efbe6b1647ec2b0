"""Training before pruning: other classes, a network from nothing, a killed run that goes on, honest refusals."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from torchvision.transforms.functional import to_pil_image

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods import METHODS, Spec, check
from explorer.methods.one_shot import one_shot
from explorer.runs.execute import execute
from explorer.runs.history.baselines import baselines
from explorer.runs.history.comparison import compare
from explorer.runs.history.finished import read_finished
from explorer.runs.history.lineage import read_runs
from explorer.sources import load_model, load_task

TEACHER = "demo:resnet20-digits"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The digits 0 to 2 as PNG files: other classes than those of the demo networks."""
    root, digits = tmp_path_factory.mktemp("pictures"), load_task("digits")
    for part, most in (("train", 150), ("test", 60)):
        samples = getattr(digits, part)
        some = [sample for sample in map(samples.__getitem__, range(len(samples))) if int(sample[1]) < 3]
        for place, (image, label) in enumerate(some[:most]):
            file = root / part / f"digit {int(label)}" / f"{place}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            to_pil_image(image * 0.5 + 0.5).save(file)
    return root


@pytest.fixture(scope="module")
def spec(folder):
    asked = {"method": "train", **METHODS["train"].defaults, "epochs": 2, "device": "cpu"}
    return Spec(TEACHER, f"folder:{folder}", **asked)


@pytest.fixture(scope="module")
def trained(spec, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "out"
    return execute(spec, out)


def test_a_trained_network_learns_other_classes(trained):
    assert trained.base["top1"] < 0.7 < 0.9 < trained.pruned["top1"]
    assert (trained.achieved, trained.as_cut) == ({"params": 1.0, "macs": 1.0}, {})
    assert all(group["kept"] == group["size"] for group in trained.groups)
    assert trained.recovery["recovery"] == "finetune"
    assert trained.spec["seed"] == 0


def test_what_comes_out_is_opened_and_pruned(trained, spec):
    ref = f"run:{trained.out}"
    model = load_model(ref)
    assert (model.classes, model.trained) == (3, True)
    assert model.note == f"trained from {TEACHER}"
    pruned = one_shot(Spec(ref, spec.data, criterion="l2", keep={"macs": 0.7}, recover="bn", device="cpu"))
    assert pruned.base["top1"] == trained.pruned["top1"]


def test_the_history_shows_a_run_that_removed_nothing(trained, spec):
    (run,) = read_runs(trained.out.parent)
    assert (run.method, run.state, run.kept) == ("train", "done", {"params": 1.0, "macs": 1.0})
    finished = read_finished(trained.out)
    (line,) = compare([finished]).to_json()["runs"]
    assert (line["macs_kept"], line["value"]) == (1.0, trained.pruned["top1"])
    assert baselines(spec, finished.result) == {}
    card = (trained.out / "README.md").read_text()
    assert "before anything is removed" in card
    assert "| | base | trained |" in card


def test_a_frozen_body_keeps_every_tensor(spec):
    frozen = replace(spec, epochs=1).with_settings(freeze="body", rate=0.1)
    outcome = METHODS["train"].function(frozen)
    before, after = load_model(TEACHER).module.state_dict(), outcome.module.state_dict()
    assert {name for name in before if not torch.equal(before[name], after[name])} == {"fc.weight", "fc.bias"}
    assert 0.02 < outcome.recovery["epochs"][0]["learning_rate"] <= 0.1
    assert all(parameter.requires_grad for parameter in outcome.module.parameters())


@pytest.mark.slow
def test_a_killed_training_goes_on_after_its_last_epoch(spec, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["train", "--model", TEACHER, "--data", spec.data, "--epochs", "3", "--device", "cpu", "--no-track"]
    asked += ["--out", str(out)]
    process = subprocess.Popen([sys.executable, "-m", "explorer", *asked, "--quiet"])
    kept = out.with_name("out.partial")
    try:
        while not (kept / "epoch-01.safetensors").exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    left = sorted(path.name for path in kept.glob("*.safetensors"))
    assert left[0] == "base.safetensors"
    assert len(left) == 2  # of epochs the last one alone
    assert main([*asked, "--resume", "--json"]) == 0
    answer, told = capsys.readouterr()
    assert "epoch 1 of" not in told
    resumed = json.loads(answer)
    assert [epoch["epoch"] for epoch in resumed["recovery"]["epochs"]] == [1, 2, 3]
    whole = METHODS["train"].function(replace(spec, epochs=3))
    tensors = load_model(f"run:{out}").module.state_dict()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in whole.module.state_dict().items())
    assert not kept.exists()


def test_a_network_that_still_guesses_is_told(folder, spec):
    guessing = replace(spec, epochs=1).with_settings(rate=1e-6)
    outcome = METHODS["train"].function(guessing)
    assert "is no better than always answering digit" in " ".join(outcome.warnings)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"keep": {"macs": 0.5}}, "removes nothing: leave out the keep"),
        ({"sparsity": 0.5}, "removes nothing: leave out the sparsity"),
        ({"recover": "distill"}, "leave out recovery 'distill'"),
        ({"data": "random"}, "can't learn from 'random' data: use real data"),
        ({"settings": {"rate": "99"}}, "must be from 1e-07 to 10"),
    ],
)
def test_what_can_be_known_to_be_wrong_is_refused(spec, changes, words):
    with pytest.raises(ExplorerError, match=words):
        check(replace(spec, **changes))


def test_a_frozen_body_of_random_weights_is_refused(spec):
    with pytest.raises(ExplorerError, match="is untrained: a frozen body would stay random"):
        METHODS["train"].function(replace(spec, model="torchvision:resnet18?stem=cifar").with_settings(freeze="body"))


def test_prune_sends_who_would_train_to_the_right_command(capsys):
    assert main("prune --model demo:resnet20-digits --data digits --method train --out nowhere".split()) == 2
    assert "use the command train" in capsys.readouterr().err
