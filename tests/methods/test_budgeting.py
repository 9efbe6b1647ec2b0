"""Targets shared out for a real model: what is measured for it, and what is told."""

from dataclasses import replace

import pytest

from explorer.evaluation import size_bytes
from explorer.methods.spec import Spec
from explorer.methods.tools import budgeting, steps
from explorer.methods.tools.budgeting import Budgeting, budget_of
from explorer.methods.tools.stopwatch import Stopwatch
from explorer.progress import silent
from explorer.pruning import Plan, cut

SPEC = Spec(model="demo:resnet20-digits", data="digits", criterion="l1", device="cpu", keep={"size": "500kB"})


@pytest.fixture(scope="module")
def opened():
    subject = steps.open_subject(SPEC, silent)
    return subject, steps.scores_of(steps.score_subject(subject, SPEC, silent))


def cut_by(subject, found):
    return cut(subject.module, subject.structure, Plan("", found.remove)).module


@pytest.mark.parametrize("name", ["global", "erk", "knapsack"])
def test_the_file_of_the_cut_model_is_as_large_as_asked(opened, name):
    subject, scores = opened
    shared = Budgeting(subject, replace(SPEC, allocate=name)).share_out(scores)
    found, account = shared.allocation, shared.to_json()
    size = size_bytes(cut_by(subject, found))
    assert 495_000 <= size <= 500_000
    assert account["costs"] == {"size": size}
    assert account["binding"] == ["size"]
    assert account["next"]["saves"]["size"] > 0
    assert (account["latency"], account["effect"]) == (None, None)


@pytest.mark.slow
def test_predicted_and_measured_effect_stand_side_by_side(opened):
    subject, scores = opened
    spec = replace(SPEC, allocate="sensitivity", keep={"macs": 0.6})
    shared = Budgeting(subject, spec).share_out(scores)
    found, account = shared.allocation, shared.to_json()
    assert found.achieved == pytest.approx(0.6, rel=0.01)
    effect = account["effect"]
    assert 0 <= effect["predicted"] <= effect["base"]
    from explorer.tasks import accuracy

    real = accuracy(cut_by(subject, found), subject.task.validation, device=subject.device).top1
    assert effect["measured"] == pytest.approx(real, abs=1 / len(subject.task.validation))
    assert account["next"]["drop"] is not None


def clocked(module):
    """Milliseconds as no sum of groups gives them, with a step at half of the parameters."""
    params = sum(parameter.numel() for parameter in module.parameters())
    seconds = 1e-3 * (1 + 3 * (params / 272_186) ** 0.5 + (0.3 if params > 136_000 else 0.0))
    return lambda: seconds


@pytest.mark.slow
def test_a_latency_target_holds_for_the_cut_network(opened, monkeypatch):
    subject, scores = opened

    def watch(*arguments, **given):
        found = Stopwatch(*arguments, **given, anew=True, make=clocked)
        table = found.table
        found.table = lambda report: table(report, seconds=0.0)
        return found

    monkeypatch.setattr(budgeting, "Stopwatch", watch)
    for keep in (0.8, "2.6ms"):
        spec = replace(SPEC, keep={"latency": keep})
        shared = Budgeting(subject, spec).share_out(scores)
        found, account = shared.allocation, shared.to_json()
        goal = 0.8 * 4.3 if keep == 0.8 else 2.6
        assert 1e3 * clocked(cut_by(subject, found))() == pytest.approx(goal, rel=0.05)
        assert account["latency"]["measured_ms"] == pytest.approx(goal, rel=0.05)
        assert account["reach"][0]["goal"] == pytest.approx(goal)
    out_of_reach = replace(SPEC, keep={"latency": 0.01})
    shared = Budgeting(subject, out_of_reach).share_out(scores)
    found, account = shared.allocation, shared.to_json()
    assert not account["reach"][0]["feasible"]
    assert "latency=0.01 is not met, the nearest feasible is latency=0." in found.warnings[0]


def test_before_anything_is_scored_it_is_told_what_is_in_reach():
    told = []
    spec = replace(SPEC, keep={"macs": 0.5, "size": "1kB"}, locked=("conv1",))
    document = budget_of(spec, lambda fraction, message, **metrics: told.append(message)).to_json()
    reach = [message for message in told if "in reach" in message]
    assert len(reach) == 2
    assert "macs=0.5 can be met" in reach[0]
    assert "size=1 kB can't be met" in reach[1]
    assert next(group for group in document["groups"] if group["name"] == "conv1")["kept"] == 16
    assert any("size=1 kB is not met" in warning for warning in document["warnings"])
