"""IFAP: the schedule by hand, no stale indices, nothing decided on the test split, runs that resume to the bit."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.methods import METHODS
from explorer.methods.ifap import ifap
from explorer.methods.spec import Spec
from explorer.methods.tools import steps, trajectory
from explorer.methods.tools.schedule import first_fraction, fraction
from explorer.pruning import cut
from explorer.recovery import Teacher
from explorer.runs.checkpoint import Checkpoint
from explorer.structure import count
from explorer.tasks import evaluate
from tests.methods.toys import ends_the_same, gradual, learnt, stand_in
from tests.recovery.test_finetuning import CPU, task

SPEC = Spec(**gradual("ifap", {"macs": 0.4}), steps=4)


class Toy(nn.Module):
    """A stem, a residual block, and a wider layer: coupled channels and free ones."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.bn = nn.Conv2d(1, 12, 3), nn.BatchNorm2d(12)
        self.a, self.b = nn.Conv2d(12, 16, 3, padding=1), nn.Conv2d(16, 12, 3, padding=1)
        self.c, self.fc = nn.Conv2d(12, 24, 1), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn(self.stem(x)))
        x = x + self.b(F.silu(self.a(x)))
        return self.fc(F.relu(self.c(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def trained():
    return learnt(Toy, epochs=6, rate=0.05)


@pytest.fixture(autouse=True)
def subject(trained, monkeypatch):
    return stand_in(monkeypatch, trained)


def scripted(monkeypatch, values):
    """Validation gives these values: the base's, then for each step before and after its recovery."""
    given = iter(values)
    monkeypatch.setattr(trajectory, "evaluate", lambda *_, **__: SimpleNamespace(value=next(given)))


def test_the_share_of_every_step_is_the_closed_formula():
    shares = [fraction(t, 4, 0.1, 1.5) for t in range(4)]
    assert shares == pytest.approx([0.1, 0.139754, 0.183712, 0.231504], abs=1e-6)
    left = 0.9 * (1 - 0.139754) * (1 - 0.183712) * (1 - 0.231504)
    assert first_fraction(left, [fraction(t, 4, 1.0, 1.5) for t in range(4)]) == pytest.approx(0.1, abs=1e-5)
    assert first_fraction(1.0, [1.0]) == pytest.approx(0, abs=1e-9)


def test_steps_remove_their_share_of_what_remains(subject):
    outcome = ifap(replace(SPEC, keep=None, recover="none", steps=5).with_settings(rho=0.1))
    remain = sum(subject.subject.structure.full.values())
    for t, entry in enumerate(outcome.steps):
        assert entry["removed"] == round(0.1 * (1 + t / 5) ** 1.5 * remain)
        assert entry["rho"] == entry["removed"] / remain
        remain -= entry["removed"]
    assert len(outcome.steps) == 5
    assert sum(map(len, outcome.plan.remove.values())) == sum(entry["removed"] for entry in outcome.steps)


@pytest.mark.parametrize("changes", [{}, {"rho": 0.05}, {"rho": 0.3, "alpha": 0.0}, {"keep": {"params": 0.45}}])
def test_the_target_is_hit(changes, subject):
    outcome = ifap(Spec.from_json(SPEC.to_json() | {"recover": "none", "steps": 6} | changes))
    [(kind, keep)] = outcome.target.items()
    whole, real = subject.subject.structure.cost(), count(outcome.module, torch.randn(1, 1, 8, 8))
    assert outcome.achieved[kind] == getattr(real, kind) / getattr(whole, kind) == pytest.approx(keep, rel=0.01)
    assert outcome.steps[-1]["macs"] == outcome.pruned["macs"] == real.macs
    assert not any(entry["rolled_back"] for entry in outcome.steps)
    assert not outcome.warnings


def test_without_rho_the_cost_falls_by_the_shares_of_the_formula():
    outcome = ifap(replace(SPEC, recover="none", steps=6))
    costs = [outcome.base["macs"], *(entry["macs"] for entry in outcome.steps)]
    rho = first_fraction(0.4, [fraction(t, 6, 1.0, 1.5) for t in range(6)])
    fallen = [1 - after / before for before, after in pairwise(costs)]
    assert fallen == pytest.approx([fraction(t, 6, rho, 1.5) for t in range(6)], abs=0.07)  # a unit is some percent


def test_indices_are_those_of_the_original_model(trained, subject):
    """Without recovery the weights after many cuts are those of one cut by the final plan."""
    outcome = ifap(replace(SPEC, recover="none", steps=8))
    once = cut(trained, subject.subject.structure, outcome.plan).module.state_dict()
    assert list(outcome.module.state_dict()) == list(once)
    for name, tensor in outcome.module.state_dict().items():
        assert torch.equal(tensor, once[name]), name
    assert outcome.groups == [
        {"name": name, "size": group.size, "kept": outcome.steps[-1]["kept"][name]}
        for name, group in subject.subject.structure.groups.items()
    ]


def test_every_step_scores_the_model_that_the_last_one_left(monkeypatch):
    seen, score = [], steps.score_subject

    def watched(subject, spec, report):
        seen.append((subject.module.c.out_channels, subject.structure.groups["c"].units, len(subject.module.c.weight)))
        return score(subject, spec, report)

    monkeypatch.setattr(steps, "score_subject", watched)
    outcome = ifap(SPEC)
    kept = [24, *(entry["kept"]["c"] for entry in outcome.steps[:-1])]
    assert seen == [(width, width, width) for width in kept]
    assert kept[-1] < 24


class Forbidden:
    """Data that nobody may look at."""

    def __len__(self) -> int:
        raise AssertionError("looked at")

    __getitem__ = __iter__ = __len__


def test_the_test_split_decides_nothing(subject):
    subject.subject = replace(subject.subject, task=task(test=Forbidden()))
    assert ifap(SPEC).steps
    subject.subject = replace(subject.subject, task=task(test=Forbidden(), train=Forbidden()))
    assert ifap(replace(SPEC, recover="none")).steps


def test_a_step_too_far_is_taken_back_and_the_smallest_within_the_limit_wins(monkeypatch):
    base, good, bad = 0.9, 0.885, 0.87
    # accepted, rejected, at half depth accepted, then rejected at full depth, at half and at a quarter
    scripted(monkeypatch, [base, 0.5, good, 0.4, bad, 0.6, good, 0.3, bad, 0.2, bad, 0.1, bad])
    outcome = ifap(replace(SPEC, keep=None, recover="none").with_settings(rho=0.1, max_drop=0.02))
    assert [entry["rolled_back"] for entry in outcome.steps] == [False, True, False, True, True, True]
    assert [entry["top1_before"] for entry in outcome.steps] == [0.5, 0.4, 0.6, 0.3, 0.2, 0.1]
    assert [entry["top1_after"] for entry in outcome.steps] == [good, bad, good, bad, bad, bad]
    shares = [0.1, fraction(1, 4, 0.1, 1.5), fraction(1, 4, 0.05, 1.5), fraction(1.5, 4, 0.1, 1.5)]
    assert [entry["rho"] for entry in outcome.steps[:4]] == pytest.approx(shares, abs=0.5 / 40)  # whole units
    assert outcome.pruned["macs"] == outcome.steps[2]["macs"]
    assert any("4 of 6 steps passed the limit" in text for text in outcome.warnings)


def test_a_target_beyond_the_limit_is_said(monkeypatch):
    scripted(monkeypatch, [0.9, 0.9, 0.9, *[0.1] * 6])
    outcome = ifap(replace(SPEC, recover="none").with_settings(max_drop=0.02))
    assert outcome.achieved["macs"] == outcome.steps[0]["macs"] / outcome.base["macs"] > 0.4
    assert any("macs=0.4 is not met" in text and "2.0 points of validation top-1" in text for text in outcome.warnings)


def test_no_step_within_the_limit_is_an_error(monkeypatch):
    scripted(monkeypatch, [0.9, *[0.5] * 6])
    with pytest.raises(ExplorerError, match="no step stays within the limit") as caught:
        ifap(replace(SPEC, recover="none").with_settings(max_drop=0.02))
    assert "−40.0 points" in str(caught.value)


def test_locked_groups_and_minimum_are_those_of_the_original(subject):
    outcome = ifap(replace(SPEC, recover="none", keep={"macs": 0.05}, minimum=0.5, locked=("c",), steps=5))
    kept = outcome.plan.kept(subject.subject.structure)
    assert kept["c"] == 24
    assert all(2 * kept[name] >= units for name, units in subject.subject.structure.full.items())
    assert any("macs=0.05 is not met" in text for text in outcome.warnings)
    with pytest.raises(ExplorerError, match="nothing would be removed"):
        ifap(replace(SPEC, locked=tuple(subject.subject.structure.groups)))
    with pytest.raises(ExplorerError, match="unknown group 'd'"):
        ifap(replace(SPEC, locked=("d",)))


def test_accuracy_that_means_nothing_can_not_decide(subject):
    subject.subject = replace(subject.subject, task=task(measured=False))
    with pytest.raises(ExplorerError, match="means nothing"):
        ifap(SPEC)


@pytest.mark.parametrize("teacher", ["base", "previous"])
def test_the_teacher_is_the_base_or_the_step_before(teacher, monkeypatch):
    widths, of = [], Teacher.of

    def watched(module, structure):
        widths.append(module.c.out_channels)
        return of(module, structure)

    monkeypatch.setattr(Teacher, "of", watched)
    outcome = ifap(SPEC.with_settings(teacher=teacher))
    before = [24, *(entry["kept"]["c"] for entry in outcome.steps[:-1])]
    assert widths == (before if teacher == "previous" else [24] * len(before))
    assert len(set(before)) > 1


def test_the_trajectory_is_told_as_it_happens(subject):
    told = []

    def report(fraction, message, **metrics):
        assert all(isinstance(value, int | float) for value in metrics.values())
        told.append((fraction, metrics))

    outcome = ifap(replace(SPEC, keep={"macs": 0.5}), report)
    fractions = [fraction for fraction, _ in told]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(0.95)
    points = [metrics for _, metrics in told if "step" in metrics]
    assert [point["step"] for point in points] == list(range(len(outcome.steps) + 1))
    assert points[0]["macs"] == outcome.base["macs"]
    for point, entry in zip(points[1:], outcome.steps, strict=True):
        assert (point["macs"], point["params"], point["top1"]) == (entry["macs"], entry["params"], entry["top1_after"])
        assert {f"width/{name}": width for name, width in entry["kept"].items()}.items() <= point.items()


@pytest.mark.parametrize("teacher", ["base", "previous"])
def test_interrupted_anywhere_it_ends_the_same_to_the_bit(teacher, tmp_path):
    ends_the_same(ifap, replace(SPEC, seed=3).with_settings(teacher=teacher), tmp_path, seed=7, trials=2)


def test_finished_steps_are_not_done_again(tmp_path, monkeypatch):
    ifap(SPEC, memo=Checkpoint(tmp_path / "kept", SPEC, resume=False))
    again = Checkpoint(tmp_path / "kept", SPEC, resume=True)
    assert {"start", "scores-00", "step-01", "scores-01", "step-02", "pruned"} <= set(again.finished())
    monkeypatch.setattr(steps, "score_subject", None)
    monkeypatch.setattr(steps, "recovered", None)
    points = []
    ifap(SPEC, lambda *_, **metrics: points.append(metrics.get("step")), again)
    assert [point for point in points if point is not None] == [0, 1, 2, 3, 4]


def test_registered():
    assert METHODS["ifap"].function is ifap
    assert METHODS["ifap"].defaults == {"criterion": "flow", "recover": "distill"}


def test_recovered_accuracy_is_that_of_the_model_handed_back(subject):
    outcome = ifap(replace(SPEC, epochs=2))
    found = evaluate(outcome.module, subject.subject.task.validation, kind="image-classification", device=CPU)
    assert found.value == outcome.steps[-1]["top1_after"]


@pytest.mark.slow
def test_from_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.undo()
    out = tmp_path / "out"
    arguments = ["prune", "--model", "demo:vit-digits", "--data", "digits", "--device", "cpu", "--method", "ifap"]
    arguments += ["--keep", "macs=0.8", "--steps", "2", "--epochs", "1", "--samples", "64", "--teacher", "previous"]
    assert main([*arguments, "--out", str(out), "--json", "--quiet"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert json.loads(Path(out / "report.json").read_text()) == result
    assert {"base", "as_cut", "pruned", "target", "achieved", "seconds", "groups", "onnx", "out"} <= set(result)
    assert (result["spec"]["criterion"], result["spec"]["recover"]) == ("flow", "distill")
    assert result["achieved"]["macs"] == pytest.approx(0.8, rel=0.01)
    assert {"step", "rho", "removed", "macs", "params", "top1_before", "top1_after", "seconds", "rolled_back"} <= set(
        result["steps"][0]
    )
    assert result["pruned"]["macs"] == result["steps"][-1]["macs"]
