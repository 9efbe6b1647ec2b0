"""IDAP++: blocks leave in ascending order within the error budget, come back when they hurt, and runs resume."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.cli import main
from explorer.criteria.divergence import block_divergence
from explorer.export.layout import REPORT
from explorer.methods import METHODS
from explorer.methods.idap import error_budget, idap
from explorer.methods.spec import Spec
from explorer.methods.tools import trajectory
from explorer.pruning import Plan
from explorer.structure import adapt, count
from tests.methods.toys import ends_the_same, gradual, learnt, stand_in
from tests.recovery.test_finetuning import CPU

SPEC = Spec(**gradual("idap", {"macs": 0.7}) | {"criterion": "divergence"}, steps=2)


class Block(nn.Module):
    """A post-activation residual block whose branch counts `strength` times."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.a, self.b, self.strength = nn.Conv2d(8, 10, 3, padding=1), nn.Conv2d(10, 8, 3, padding=1), strength

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.strength * self.b(F.relu(self.a(x))))


class Toy(nn.Module):
    """A stem, and three residual blocks of which the second does least, then the third."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8)
        self.blocks = nn.Sequential(Block(2.0), Block(0.01), Block(0.3))
        self.fc = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.blocks(F.relu(self.bn(self.stem(x)))).mean((2, 3)))


@pytest.fixture(scope="module")
def trained():
    return learnt(Toy, epochs=3, rate=0.02)


@pytest.fixture(autouse=True)
def subject(trained, monkeypatch):
    return stand_in(monkeypatch, trained).subject


def scripted(monkeypatch, values):
    """Validation gives these values: the base's, then for each step before and after its recovery."""
    given = iter(values)
    monkeypatch.setattr(trajectory, "evaluate", lambda *_, **__: SimpleNamespace(value=next(given)))


def depth(outcome):
    """The steps of the second stage."""
    return [entry for entry in outcome.steps if "block" in entry]


def test_the_error_budget_grows_with_every_block_up_to_the_largest_drop():
    assert [error_budget(0.04, 0.0, used, 4) for used in range(4)] == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert [error_budget(0.04, 0.02, used, 2) for used in range(2)] == pytest.approx([0.03, 0.04])


def test_blocks_leave_in_ascending_order_of_divergence(subject):
    """The published code took the most divergent first."""
    outcome = idap(replace(SPEC, recover="none"))
    assert [entry["block"] for entry in depth(outcome)] == ["blocks.1", "blocks.2", "blocks.0"]
    assert outcome.plan.blocks == ("blocks.0", "blocks.1", "blocks.2")
    first, second, third = depth(outcome)
    assert first["divergence"] < second["divergence"] < third["divergence"]
    assert outcome.steps[1]["macs"] > first["macs"] > second["macs"] > third["macs"] == outcome.pruned["macs"]
    assert outcome.plan.cost(subject.structure) == count(outcome.module, subject.loaded.example())
    assert (first["kept"]["blocks.0.a"], first["kept"]["blocks.1.a"]) == (outcome.steps[1]["kept"]["blocks.0.a"], 0)


def test_divergence_is_found_anew_after_every_block_that_leaves(monkeypatch):
    seen = []

    def watched(module, structure, data, **options):
        seen.append(list(structure.blocks))
        return block_divergence(module, structure, data, **options)

    monkeypatch.setattr("explorer.methods.idap.block_divergence", watched)
    idap(replace(SPEC, recover="none"))
    assert seen == [["blocks.0", "blocks.1", "blocks.2"], ["blocks.0", "blocks.2"], ["blocks.0"]]


@torch.no_grad()
def test_the_divergence_of_a_block_is_how_much_it_changes_its_input(subject):
    images = torch.stack([image for image, _ in subject.task.calibration])
    found = block_divergence(subject.module, subject.structure, subject.task.calibration, device=CPU, batch_size=7)
    x = F.relu(subject.module.bn(subject.module.stem(images)))
    for name, block in subject.module.blocks.named_children():
        y = block(x)
        ratios = [float((b - a).norm() / a.norm()) for a, b in zip(x, y, strict=True)]
        assert found[f"blocks.{name}"] == pytest.approx(sum(ratios) / len(ratios), rel=1e-4)
        x = y


@torch.no_grad()
def test_or_how_much_the_loss_grows_without_it(subject):
    data = subject.task.calibration
    images, labels = torch.stack([image for image, _ in data]), torch.tensor([int(label) for _, label in data])
    found = block_divergence(subject.module, subject.structure, data, by="loss", device=CPU, batch_size=7)
    stem, head = (lambda x: F.relu(subject.module.bn(subject.module.stem(x)))), (lambda x: subject.module.fc(x))
    base = F.cross_entropy(subject.module(images), labels)
    for left_out in range(3):
        x = stem(images)
        for place, block in enumerate(subject.module.blocks):
            x = x if place == left_out else block(x)
        without = F.cross_entropy(head(x.mean((2, 3))), labels)
        assert found[f"blocks.{left_out}"] == pytest.approx(float(without - base), abs=1e-5)


def test_a_block_that_hurts_comes_back_to_the_bit(monkeypatch):
    base = 0.9
    # stage 1: two steps that cost 0.01; stage 2: blocks.1 within (0.02), blocks.2 beyond, blocks.0 within
    values = [base, 0.5, 0.9, 0.5, 0.89, 0.5, 0.88, 0.5, 0.86, 0.5, 0.87]
    scripted(monkeypatch, values)
    memo = {}

    def remember(name, make):
        return memo.setdefault(name, make())

    outcome = idap(replace(SPEC, recover="none").with_settings(max_drop=0.04), memo=remember)
    first, second, third = depth(outcome)
    assert [entry["block"] for entry in (first, second, third)] == ["blocks.1", "blocks.2", "blocks.0"]
    assert [entry["limit"] for entry in (first, second, third)] == pytest.approx([0.02, 0.03, 0.03])
    assert [entry["rolled_back"] for entry in (first, second, third)] == [False, True, False]
    assert outcome.plan.blocks == ("blocks.0", "blocks.1")
    for name, tensor in outcome.module.state_dict().items():
        if name.startswith("blocks.2."):
            assert torch.equal(tensor, memo["step-03"].tensors[name]), name
    assert any("1 of 5 steps passed the limit" in text for text in outcome.warnings)


@pytest.mark.parametrize(("blocks", "left"), [(0, 0), (1, 1), (9, 3)])
def test_no_more_blocks_leave_than_asked_for(blocks, left):
    outcome = idap(replace(SPEC, recover="none").with_settings(blocks=blocks))
    assert len(outcome.plan.blocks) == left
    assert outcome.achieved["macs"] < 0.71


def test_a_block_with_a_locked_group_stays():
    outcome = idap(replace(SPEC, recover="none", locked=("blocks.1.a",)))
    assert outcome.plan.blocks == ("blocks.0", "blocks.2")


def test_a_step_can_be_rebuilt_from_its_record_and_the_base_alone(subject):
    memo = {}

    def remember(name, make):
        return memo.setdefault(name, make())

    outcome = idap(SPEC.with_settings(blocks=1), memo=remember)
    record = memo[f"step-{len(outcome.steps):02}"]
    assert not record.values["rolled_back"]
    plan = Plan.from_json(json.dumps(record.values["plan"]))
    assert plan == outcome.plan
    again = Toy()
    adapt(again, record.tensors, record.values["attributes"])
    assert count(again.eval(), subject.loaded.example()) == plan.cost(subject.structure)


def test_the_last_recovery_is_kept_only_if_it_is_no_worse(monkeypatch):
    for last, kept in ((0.95, True), (0.85, False)):
        scripted(monkeypatch, [0.9, *[0.9, 0.9] * 2, 0.9, 0.9, last])
        memo = {}
        outcome = idap(SPEC.with_settings(blocks=1), memo=lambda name, make, memo=memo: memo.setdefault(name, make()))
        source = memo["final" if kept else "step-03"].tensors
        assert all(torch.equal(tensor, source[name]) for name, tensor in outcome.module.state_dict().items())


def test_interrupted_anywhere_it_ends_the_same_to_the_bit(tmp_path):
    whole = ends_the_same(idap, replace(SPEC, seed=3), tmp_path, seed=5, earliest=1 / 3)
    assert whole.plan.blocks


def test_registered():
    assert METHODS["idap"].gradual
    assert {"criterion": "divergence", "recover": "distill"}.items() <= METHODS["idap"].defaults.items()


@pytest.mark.slow
def test_from_the_command_line_and_its_plan_again(tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    arguments = ["prune", "--model", "demo:resnet20-digits", "--data", "digits", "--device", "cpu", "--json", "--quiet"]
    gradual = ["--method", "idap", "--keep", "macs=0.8", "--steps", "1", "--epochs", "1", "--samples", "64"]
    gradual += ["--blocks", "1", "--max-drop", "0.5", "--no-track", "--out", str(tmp_path / "out")]
    assert main([*arguments, *gradual]) == 0
    result = json.loads(capsys.readouterr().out)
    [block] = [entry["block"] for entry in result["steps"] if entry.get("block")]
    plan = json.loads((tmp_path / "out" / "plan.json").read_text())
    assert plan["blocks"] == [block]
    assert result["pruned"]["macs"] == result["steps"][-1]["macs"] < 0.8 * result["base"]["macs"]
    assert block in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / REPORT).read_text())["attributes"][block] == {"skipped": 0}
    assert (
        main([*arguments, "--plan", str(tmp_path / "out" / "plan.json"), "--no-track", "--out", str(tmp_path / "b")])
        == 0
    )
    again = json.loads(capsys.readouterr().out)
    assert again["as_cut"]["top1"] == result["as_cut"]["top1"]
    assert again["pruned"]["macs"] == result["pruned"]["macs"]
