"""One-shot pruning on a bundled model: targets met, nothing silent, interrupted runs end alike."""

from dataclasses import replace

import pytest
import torch

from explorer.errors import Cancelled, ExplorerError
from explorer.methods import METHODS
from explorer.methods.one_shot import one_shot
from explorer.methods.spec import Spec
from explorer.methods.tools import steps
from explorer.methods.tools.choosing import choose
from explorer.methods.tools.ending import afterthoughts
from explorer.progress import silent
from explorer.runs.checkpoint import Checkpoint
from explorer.structure import count

SPEC = Spec(model="demo:resnet20-digits", data="digits", criterion="l2", keep={"macs": 0.5}, device="cpu")
BY_HAND = replace(SPEC, keep=None, ratios={"layer1.0.conv1": 0.5})


@pytest.fixture(scope="module")
def half():
    return one_shot(SPEC)


def test_target_is_met_and_every_number_agrees(half):
    example = half.loaded.example()
    before, after = count(half.loaded.module, example), count(half.module, example)
    assert after.macs / before.macs == pytest.approx(0.5, rel=0.01)
    assert half.achieved == {"params": after.params / before.params, "macs": after.macs / before.macs}
    assert (half.base["macs"], half.pruned["macs"]) == (before.macs, after.macs)
    assert half.pruned["size_bytes"] < half.base["size_bytes"]
    assert half.target == {"macs": 0.5}


def test_groups_tell_the_width_of_every_layer(half):
    kept = {group["name"]: group["kept"] for group in half.groups}
    assert set(kept) == set(half.structure.groups)
    assert half.module.get_submodule("layer1.0.conv1").out_channels == kept["layer1.0.conv1"]
    assert sum(g["size"] - g["kept"] for g in half.groups) == sum(map(len, half.plan.remove.values()))


def test_without_recovery_the_pruned_model_is_the_cut(half):
    assert half.pruned["top1"] == half.as_cut["top1"]
    assert half.base["samples"] == len(half.task.test)
    assert set(half.seconds) == {"scores", "base", "cut", "recovery", "pruned"}


def test_the_model_that_was_loaded_is_left_alone(half):
    assert half.loaded.module.get_submodule("layer1.0.conv1").out_channels == 16
    assert not half.module.training


def test_ratio_by_hand():
    outcome = one_shot(replace(BY_HAND, ratios={"layer1.0.conv1": 0.5, "layer1.1.conv1": 0.01}))
    changed = {g["name"]: g["kept"] for g in outcome.groups if g["kept"] < g["size"]}
    assert changed == {"layer1.0.conv1": 8}
    assert outcome.target is None
    assert any("layer1.1.conv1 stays whole" in text for text in outcome.warnings)


def test_blocks_leave_besides_ratios_and_alone():
    outcome = one_shot(replace(BY_HAND, ratios={"conv1": 0.25, "layer1.0.conv1": 0.5}, skip=("layer1.0",)))
    assert outcome.plan.blocks == ("layer1.0",)
    assert {name: len(units) for name, units in outcome.plan.remove.items()} == {"conv1": 4}  # the other went along
    cost = outcome.plan.cost(outcome.structure)
    assert (outcome.pruned["params"], outcome.pruned["macs"]) == (cost.params, cost.macs)
    alone = one_shot(replace(BY_HAND, ratios={}, skip=("layer2.1",)))
    assert (dict(alone.plan.remove), alone.plan.blocks) == ({}, ("layer2.1",))
    assert alone.scores == {}  # none were needed
    with pytest.raises(ExplorerError, match="layer9"):
        one_shot(replace(BY_HAND, skip=("layer9",)))
    with pytest.raises(ExplorerError, match="layer9"):
        one_shot(replace(BY_HAND, ratios={}, skip=("layer9",)))


def test_explicit_plan_needs_no_scores():
    outcome = one_shot(replace(SPEC, keep=None, plan={"layer1.0.conv1": (3, 5)}))
    assert dict(outcome.plan.remove) == {"layer1.0.conv1": (3, 5)}
    assert outcome.scores == {}
    assert "scores" not in outcome.seconds


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(BY_HAND, ratios={"layer1.0.conv1": 0.01}), "nothing would be removed: every ratio"),
        (replace(BY_HAND, ratios={"layer1.0.conv9": 0.5}), "layer1.0.conv1"),
        (replace(BY_HAND, locked=("layer1.0.conv1",)), "locked"),
        (replace(BY_HAND, ratios={"fc": 0.5}), "fc can't be cut"),
        (replace(SPEC, locked=("layer1.0.convx",)), "layer1.0.conv"),
        (replace(SPEC, keep={"macs": 1.0}), "nothing would be removed"),
        (replace(SPEC, keep=None, plan={"layer1.0.conv1": tuple(range(16))}), "all 16 units"),
        (replace(SPEC, keep=None, plan={"layer1.0.conv1": (99,)}), "99"),
    ],
)
def test_what_removes_nothing_or_too_much_is_refused(spec, words):
    with pytest.raises(ExplorerError, match=words) as caught:
        one_shot(spec)
    assert "\n" not in str(caught.value)


def test_everything_locked_is_refused(half):
    with pytest.raises(ExplorerError, match="every group is locked"):
        one_shot(replace(SPEC, locked=tuple(half.structure.groups)))


def test_a_target_out_of_reach_is_said():
    spec = replace(SPEC, keep={"macs": 0.02}, minimum=0.5)
    subject = steps.open_subject(spec, silent)
    plan, warnings, _ = choose(subject, spec, steps.scores_of(steps.score_subject(subject, spec, silent)))
    assert not plan.empty
    assert any("macs=0.02 is not met" in text for text in warnings)


def test_random_data_has_no_accuracy_and_gives_no_meaning():
    outcome = one_shot(replace(SPEC, data="random", criterion="flow", samples=8))
    assert outcome.base["top1"] is None
    assert outcome.pruned["top1"] is None
    assert any("means nothing" in text for text in outcome.warnings)


def test_an_interrupted_run_ends_like_one_that_was_not(tmp_path):
    spec = replace(SPEC, criterion="taylor", samples=64, recover="bn", seed=3)
    whole = one_shot(spec)

    def interrupt(fraction, message, **metrics):
        if message.startswith("recovering: batch"):
            raise Cancelled

    folder = tmp_path / "out.partial"
    with pytest.raises(Cancelled):
        one_shot(spec, interrupt, Checkpoint(folder, spec, resume=False))
    again = Checkpoint(folder, spec, resume=True)
    assert again.finished() == ["base", "cut", "scores"]
    resumed = one_shot(spec, memo=again)
    assert resumed.plan == whole.plan
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, resumed.module.state_dict()[name]), name


def test_slower_although_smaller_is_said():
    def found(macs):
        return {"top1": None, "params": macs, "macs": macs, "latency_ms": 1.0}

    def timed(ms, low):
        ratio = {"batch": 1, "base_ms": 10.0, "ms": ms, "ratio": ms / 10.0, "low": low, "high": ms / 10 + 0.1}
        return afterthoughts(SPEC, found(100), found(50), found(50), [ratio])

    assert afterthoughts(SPEC, found(100), found(50), found(50), []) == []
    assert timed(10.4, 0.99) == []
    [noisy] = timed(11.0, 0.95)
    assert "11.00 ms for one input instead of 10.00 ms" in noisy
    assert "quiet machine" in noisy
    [slow] = timed(13.0, 1.2)
    assert "quiet machine" not in slow


def test_lost_accuracy_is_said():
    def found(top1):
        return {"top1": top1, "samples": 100, "params": 1, "macs": 1, "latency_ms": 1.0}

    whole = {**found(0.9), "params": 2, "macs": 2}
    assert "usual right after a cut" in afterthoughts(SPEC, whole, found(0.5), found(0.5), [])[0]
    recovered = replace(SPEC, recover="finetune")
    assert afterthoughts(recovered, whole, found(0.5), found(0.8), []) == []
    assert "lowered test top-1" in afterthoughts(recovered, whole, found(0.5), found(0.4), [])[0]


def test_registered():
    assert METHODS["one-shot"].function is one_shot
