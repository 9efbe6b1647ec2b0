"""Sparse training: losses and schedules by hand, the asked sparsity to the count, runs that resume to the bit."""

import json
from dataclasses import replace
from functools import partial
from math import exp, log
from types import SimpleNamespace

import onnx
import pytest
import torch
from onnx import numpy_helper
from safetensors.torch import load_file
from torch import nn

from explorer.bench import dg2pf as bench
from explorer.cli import main
from explorer.cli.options import spec_from
from explorer.cli.parser import build_parser
from explorer.errors import Cancelled, ExplorerError
from explorer.methods import METHODS
from explorer.methods.checking import check
from explorer.methods.dg2pf import Guided, Terms, guided_loss, kl_term, sample_weights, soft_labels, weighted_term
from explorer.methods.spec import Spec
from explorer.methods.tools import sparse_masks, sparse_training, sparsifying, steps
from explorer.methods.tools.sparse_schedule import SCHEDULES, Segment, cubic, even, linspace, stretches
from explorer.pruning.packing import unpacked
from explorer.pruning.unstructured import Holding, held, prunable
from explorer.recovery import History
from explorer.recovery.training import schedule
from explorer.runs.checkpoint import Checkpoint
from explorer.sources import load_model
from explorer.structure import analyse
from tests.methods.test_ifap import Toy
from tests.methods.toys import learnt, same_weights, stand_in

DG2PF = Spec(
    "toy", "stripes", method="dg2pf", criterion="l1", recover="distill", sparsity=0.9, steps=3, epochs=5, device="cpu",
    settings={"rate": "0.01", "tune_rate": "0.01"},
)  # fmt: skip
SPARSE = replace(DG2PF, method="sparse", recover="finetune", epochs=4, settings={})


@pytest.fixture(scope="module")
def trained():
    return learnt(Toy, epochs=4, rate=0.05)


@pytest.fixture
def subject(trained, monkeypatch):
    return stand_in(monkeypatch, trained, {"metric": "top1", "top1": 0.5, "samples": 60, "size_bytes": 1}).subject


def run(spec: Spec, **settings: str):
    spec = replace(spec, settings={**spec.settings, **settings})
    check(spec)
    return METHODS[spec.method].function(spec)


def zeros(module: nn.Module) -> tuple[int, int]:
    found = prunable(module).values()
    return sum(int((weight == 0).sum()) for weight in found), sum(weight.numel() for weight in found)


# --- formulas


def test_schedules_by_hand():
    assert [linspace(i, 5, 0.8) for i in range(1, 6)] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8])
    assert linspace(1, 1, 0.8) == 0.8
    assert [even(i, 4, 0.8) for i in range(1, 5)] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert [cubic(i, 2, 0.8) for i in (1, 2)] == pytest.approx([0.7, 0.8])


@pytest.mark.parametrize("name", list(SCHEDULES))
def test_every_schedule_spends_its_epochs_and_ends_at_the_sparsity(name):
    segments = SCHEDULES[name](0.9, 11, 3, "initial")
    assert sum(segment.epochs for segment in segments) == 11
    assert segments[-1].sparsity == pytest.approx(0.9)
    assert [segment.chooses for segment in segments] == [False] * (len(segments) - 1) + [True]
    assert all(segment.epochs > 0 for segment in segments)


def test_rounds_remove_the_same_share_of_what_is_left():
    segments = SCHEDULES["rounds"](0.875, 8, 3, "early")
    assert [1 - segment.sparsity for segment in segments] == pytest.approx([1, 1, 0.5, 0.25, 0.125])
    assert [segment.rewind for segment in segments] == [None, None, 1, 1, 1]
    assert [segment.restart for segment in segments] == [False, False, True, True, True]


def test_each_cycle_but_the_first_has_a_dense_epoch():
    segments = SCHEDULES["cyclical"](0.8, 8, 3, "initial")
    assert [segment.sparsity for segment in segments] == pytest.approx([0.7, 0.8, 0, 0.7, 0.8, 0, 0.7, 0.8])
    assert [segment.restart for segment in segments] == [False, False, True, False, False, True, False, False]
    assert [segment.afresh for segment in segments] == [segment.restart for segment in segments]
    shortest = [segment.sparsity for segment in SCHEDULES["cyclical"](0.8, 5, 3, "initial")]
    assert shortest == pytest.approx([0.8, 0, 0.8, 0, 0.8])


@pytest.mark.parametrize("name", ["cubic", "linear"])
def test_gradual_steps_are_no_more_than_epochs(name):
    assert [segment.epochs for segment in SCHEDULES[name](0.8, 2, 5, "initial")] == [1, 1]
    assert [segment.epochs for segment in SCHEDULES[name](0.8, 5, 2, "initial")] == [1, 4]


def test_the_rate_goes_on_over_segments_until_a_restart():
    segments = [Segment(2, 0.0), Segment(1, 0.5), Segment(3, 0.5, restart=True), Segment(1, 0.9)]
    assert stretches(segments) == [(0, 3), (2, 3), (0, 4), (3, 4)]
    regime = sparse_training.Continued(segments[1], (2, 3), {})
    assert regime.share(4, 10) == schedule(24, 30)


STUDENT = torch.tensor([[2.0, 0.0, -1.0], [0.0, 1.0, 0.5]])
TEACHER = torch.tensor([[3.0, 0.0, 0.0], [2.0, 1.0, 0.0]])
LABELS = torch.tensor([0, 1])  # the teacher is right, then wrong; the student is right twice


def softmax(logits: list[float], tau: float = 1.0) -> list[float]:
    powers = [exp(value / tau) for value in logits]
    return [power / sum(powers) for power in powers]


@pytest.mark.parametrize("tau", [1.0, 0.5])
def test_divergence_by_hand(tau):
    by_hand = 0.0
    for student, teacher in zip(STUDENT.tolist(), TEACHER.tolist(), strict=True):
        p, q = softmax(teacher, tau), softmax(student, tau)
        by_hand += sum(a * (log(a) - log(b)) for a, b in zip(p, q, strict=True)) / 2
    assert kl_term(STUDENT, TEACHER, tau).item() == pytest.approx(by_hand, rel=1e-5)
    assert kl_term(TEACHER, TEACHER, tau).item() == pytest.approx(0, abs=1e-6)


def test_sample_weights_by_hand():
    p = [softmax(logits)[label] for logits, label in zip(TEACHER.tolist(), LABELS.tolist(), strict=True)]
    paper = sample_weights(TEACHER, LABELS, Terms(gamma=2.0, beta=0.3)).tolist()
    cited = sample_weights(TEACHER, LABELS, Terms(gamma=2.0, beta=0.3, weighting="cited")).tolist()
    assert paper == pytest.approx([(1 - value) ** 2 + 0.3 for value in p], rel=1e-5)
    assert cited == pytest.approx([0.3 + 0.7 * (1 - value) ** 2 for value in p], rel=1e-5)
    assert paper[1] > paper[0]  # the less sure teacher's sample counts more


def test_labels_are_soft_where_the_network_is_right():
    by_teacher = soft_labels(STUDENT, TEACHER, LABELS, "teacher")
    assert by_teacher[0].tolist() == pytest.approx(softmax(TEACHER[0].tolist()), rel=1e-5)
    assert by_teacher[1].tolist() == [0, 1, 0]
    by_student = soft_labels(STUDENT.requires_grad_(), TEACHER, LABELS, "student")
    assert by_student[1].tolist() == pytest.approx(softmax(STUDENT[1].tolist()), rel=1e-5)
    assert not by_student.requires_grad


def test_the_whole_loss_by_hand():
    weights = [1 - softmax(TEACHER[0].tolist())[0] + 0.1, 1 - softmax(TEACHER[1].tolist())[1] + 0.1]
    wanted = [softmax(TEACHER[0].tolist()), [0.0, 1.0, 0.0]]
    judged = 0.0
    for weight, target, logits in zip(weights, wanted, STUDENT.tolist(), strict=True):
        judged -= weight * sum(t * log(p) for t, p in zip(target, softmax(logits), strict=True)) / 2
    assert weighted_term(STUDENT, TEACHER, LABELS, Terms()).item() == pytest.approx(judged, rel=1e-5)
    plain, soft = kl_term(STUDENT, TEACHER).item(), kl_term(STUDENT, TEACHER, 2.0).item()
    for changes, by_hand in (
        ({}, (0.9 * plain + 0.1 * judged) * 4),
        ({"kd_softening": "hinton"}, (0.9 * soft + 0.1 * judged) * 4),
        ({"kd_softening": "hinton", "tau_scale": "divergence"}, 0.9 * soft * 4 + 0.1 * judged),
        ({"alpha": 0.25}, (0.25 * plain + 0.75 * judged) * 4),
    ):
        loss = guided_loss(STUDENT, TEACHER, LABELS, replace(Terms(tau=2.0), **changes))
        assert loss.item() == pytest.approx(by_hand, rel=1e-5)


def test_the_loss_is_of_the_student_without_its_smallest_weights():
    student, teacher = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    with torch.no_grad():
        student.weight.copy_(torch.tensor([[2.0, 0.5, -1.0], [0.3, 1.5, -0.2], [-0.1, 0.4, 9.0]]))
        teacher.weight.copy_(torch.eye(3))
    mask = torch.ones(3, 3, dtype=torch.bool)
    mask[2, 2] = False
    inputs, labels = torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, -1.0]]), torch.tensor([2, 0])
    with held(student, {"weight": mask}) as holding:
        guided = Guided(teacher, Terms(alpha=0.25, tau=2.0), partial(holding.without_smallest, 0.5))
        with guided.ready(student, inputs, torch.device("cpu")):
            loss = guided(student, inputs, labels).item()

    left = [[0.0, 3.0, 0.0], [1.5, 1.5, 0.0]]  # inputs times [[2, 0.5, −1], [0, 1.5, 0], [0, 0, 0]]
    wanted = [softmax([1.0, 2.0, 3.0]), [1.0, 0.0, 0.0]]  # the teacher is right, then wrong
    divergence = judged = 0.0
    for logits, full, target, label in zip(left, inputs.tolist(), wanted, labels.tolist(), strict=True):
        p, q = softmax(full), softmax(logits)
        divergence += sum(a * (log(a) - log(b)) for a, b in zip(p, q, strict=True)) / 2
        judged -= (1 - p[label] + 0.1) * sum(t * log(b) for t, b in zip(target, q, strict=True)) / 2
    assert loss == pytest.approx((0.25 * divergence + 0.75 * judged) * 4, rel=1e-5)


# --- runs


def test_dg2pf_ends_at_the_sparsity_to_the_count(subject):
    outcome = run(DG2PF)
    found, whole = zeros(outcome.module)
    assert found == round(0.9 * whole) == outcome.sparse["zeros"]
    assert [entry["sparsity"] for entry in outcome.steps] == pytest.approx([0, 0.45, 0.9, 0.9, 0.9], abs=1 / whole)
    assert outcome.pruned["nonzero_params"] == outcome.pruned["params"] - found
    assert outcome.pruned["params"] == outcome.base["params"]  # zeros are no savings of a dense network
    assert outcome.achieved == {"params": 1.0, "macs": 1.0}
    assert outcome.pruned["nonzero_macs"] < outcome.pruned["macs"]
    assert outcome.plan.empty
    for name, weight in prunable(outcome.module).items():
        assert torch.equal(outcome.pruned_at[name] > 0, weight == 0)
    removed = {entry["step"]: sum(layer["removed"] for layer in entry["layers"]) for entry in outcome.steps}
    at = torch.cat([at.flatten() for at in outcome.pruned_at.values()])
    assert {step: int((at == step).sum()) for step in removed} == removed
    assert any("dense kernels" in text for text in outcome.warnings)


def test_the_best_epoch_is_never_one_that_is_less_sparse(subject, monkeypatch):
    from explorer.recovery import trainer

    scores = iter([0.99] * 8 + [0.5] * 100)  # splendid while weights are still there

    def found(*_: object, **__: object) -> SimpleNamespace:
        return SimpleNamespace(value=next(scores), loss=1.0)

    monkeypatch.setattr(trainer, "evaluate", found)
    outcome = run(DG2PF)
    assert outcome.steps[0]["top1_after"] == 0.99
    assert outcome.sparse["sparsity"] == pytest.approx(0.9, abs=1e-3)
    assert zeros(outcome.module)[0] == outcome.sparse["zeros"]


def test_a_run_that_was_interrupted_ends_like_one_that_was_not(subject, tmp_path):
    whole = METHODS["dg2pf"].function(DG2PF)

    def interrupt(fraction, message, **metrics):
        if message.startswith("step 4 of 5: epoch"):
            raise Cancelled

    folder = tmp_path / "out.partial"
    with pytest.raises(Cancelled):
        METHODS["dg2pf"].function(DG2PF, interrupt, Checkpoint(folder, DG2PF, resume=False))
    again = Checkpoint(folder, DG2PF, resume=True)
    assert again.finished() == ["base", "sparse-01", "sparse-02", "sparse-03"]
    resumed = METHODS["dg2pf"].function(DG2PF, memo=again)
    same_weights(resumed.module, whole.module)
    assert [entry["layers"] for entry in resumed.steps] == [entry["layers"] for entry in whole.steps]


def test_the_optimiser_remembers_across_steps(subject):
    records = {}

    def memo(name, make):
        records[name] = make()
        return records[name]

    METHODS["dg2pf"].function(DG2PF, memo=memo)
    batches = len(finetune_batches(subject))
    counted = [int(records[f"sparse-{number:02}"].tensors["optimizer/0/step"]) for number in (1, 2, 3, 4)]
    assert counted == [batches, 2 * batches, 3 * batches, 5 * batches]
    assert "optimizer/0/momentum_buffer" in records["sparse-05"].tensors
    assert "optimizer/0/step" not in records["sparse-05"].tensors


def finetune_batches(subject: steps.Subject) -> range:
    return range(-(-len(subject.task.train) // 64))


def test_steps_simulate_more_pruning_until_full_sparsity(subject, monkeypatch):
    calls, without_smallest = [], Holding.without_smallest

    def spy(self, share, scope="global"):
        calls.append((share, scope))
        return without_smallest(self, share, scope)

    monkeypatch.setattr(Holding, "without_smallest", spy)
    run(DG2PF, simulate="0.25", scope="layer")
    batches = len(finetune_batches(subject))
    assert [call for call in calls if call[0]] == [(0.25, "layer")] * 3 * batches
    assert not any(share for share, _ in calls[3 * batches :])


def test_dg2pf_does_what_the_settings_say(subject, monkeypatch):
    rules, terms, trainings = [], [], []
    opened, guided = sparsifying.Sparsifying.__init__, Guided.__init__

    def opening(self, spec, report, memo, rule):
        rules.append(rule)
        opened(self, spec, report, memo, rule)

    def guiding(self, teacher, found, simulated):
        terms.append(found)
        guided(self, teacher, found, simulated)

    def training(module, task, *, learning_rate, patience, regime, **settings):
        made = regime.optimizer(module, learning_rate, ())
        trainings.append((type(made).__name__, made.param_groups[0]["lr"], regime.share(9, 10), patience))
        return History("finetune", seconds=0.0, start=0.5)

    monkeypatch.setattr(sparsifying.Sparsifying, "__init__", opening)
    monkeypatch.setattr(Guided, "__init__", guiding)
    monkeypatch.setattr(sparse_training, "finetune", training)
    loss = {"kd_softening": "hinton", "tau_scale": "divergence", "soft_label": "student", "weighting": "cited"}
    asked = {"schedule": "even", "scope": "layer", "margins": "signed", "patience": "7", "tune_rate": "0.003"}
    numbers = {"alpha": "0.25", "tau": "2", "gamma": "3", "beta": "0.4", "rate": "0.002"}
    outcome = run(DG2PF, **loss, **asked, **numbers)
    assert rules == [sparse_masks.Rule("l1", "layer", "signed")]
    assert terms == [Terms(alpha=0.25, tau=2.0, gamma=3.0, beta=0.4, **loss)] * 4
    first, second = ("AdamW", 0.002, 1.0), ("SGD", 0.003, 1.0)
    assert trainings == [(*first, 1)] * 3 + [(*first, 7), (*second, 7)]  # a step is one epoch whatever the patience
    assert [entry["sparsity"] for entry in outcome.steps] == pytest.approx([0.3, 0.6, 0.9, 0.9, 0.9], abs=0.01)


def idle(module: nn.Module, task: object, **settings: object) -> History:
    """In place of training: nothing is learnt."""
    settings["regime"].optimizer(module, 0.1, ())
    return History("finetune", seconds=0.0, start=0.5)


@pytest.mark.parametrize(
    ("asked", "settings"),
    [
        ({}, {"schedule": "one-shot"}),
        ({"criterion": "snip"}, {"schedule": "one-shot"}),
        ({"criterion": "grasp"}, {"schedule": "one-shot"}),
        ({"criterion": "random"}, {"schedule": "linear", "scope": "layer"}),
        ({"steps": 2, "epochs": 3}, {"schedule": "rounds"}),
        ({"steps": 2}, {"schedule": "cyclical"}),
        ({}, {"schedule": "cubic", "margins": "signed"}),
    ],
    ids=str,
)
def test_every_way_ends_at_the_sparsity(asked, settings, subject, monkeypatch):
    monkeypatch.setattr(sparse_training, "finetune", idle)
    outcome = run(replace(SPARSE, samples=30, **asked), **settings)
    found, whole = zeros(outcome.module)
    assert found == pytest.approx(0.9 * whole, abs=3)
    history = [entry["sparsity"] for entry in outcome.steps]
    regrown = sum(layer["regrown"] for entry in outcome.steps for layer in entry["layers"])
    assert (history == sorted(history)) == (regrown == 0) == (settings["schedule"] != "cyclical")


def test_a_lottery_ticket_has_its_first_weights(subject, trained, monkeypatch):
    def scrambled(module: nn.Module, task: object, **settings: object) -> History:
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
        return idle(module, task, **settings)

    monkeypatch.setattr(sparse_training, "finetune", scrambled)
    shift = {
        (rewind, epochs): run(replace(SPARSE, steps=2, epochs=epochs), schedule="rounds", rewind=rewind).module.fc.bias
        - trained.fc.bias
        for rewind, epochs in (("initial", 3), ("early", 3), ("early", 6), ("none", 3))
    }
    noise = torch.randn(3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(shift["initial", 3], noise)  # trained once from the beginning
    torch.testing.assert_close(shift["early", 3], 2 * noise)  # once more after the first epoch, all of its stretch
    torch.testing.assert_close(shift["early", 6], 2 * noise)  # the same from the middle of a stretch of two
    torch.testing.assert_close(shift["none", 3], 3 * noise)


def test_a_cycle_begins_dense_and_what_comes_back_grows_in_every_layer(subject):
    records = {}

    def memo(name, make):
        records[name] = make()
        return records[name]

    spec = replace(SPARSE, sparsity=0.5, steps=2, epochs=3, settings={"schedule": "cyclical", "scope": "layer"})
    outcome = METHODS["sparse"].function(spec, memo=memo)
    pruned, opened = (records[f"sparse-{number:02}"].tensors for number in (1, 2))
    for name, weight in prunable(outcome.module).items():
        gone = pruned[f"pruned_at/{name}"] > 0
        assert gone.float().mean() == 0.5, name
        assert not opened[f"pruned_at/{name}"].any(), name
        assert not pruned[f"weights/{name}"][gone].any(), name
        assert opened[f"weights/{name}"][gone].any(), name
        assert (weight == 0).float().mean() == 0.5, name
    assert [entry["sparsity"] for entry in outcome.steps] == [0.5, 0.0, 0.5]
    assert all(layer["regrown"] == layer["weights"] // 2 for layer in outcome.steps[1]["layers"])


def test_regrowth_keeps_the_number_of_every_layer(subject):
    outcome = run(replace(SPARSE, epochs=4, samples=30), schedule="regrow")
    kept = [[layer["kept"] for layer in entry["layers"]] for entry in outcome.steps]
    assert len(kept) == 3
    assert all(numbers == kept[0] for numbers in kept)
    assert sum(layer["regrown"] for layer in outcome.steps[1]["layers"]) > 0
    assert zeros(outcome.module)[0] >= outcome.sparse["zeros"]


def test_two_of_four_is_said_with_what_stays_dense(subject, monkeypatch):
    monkeypatch.setattr(sparse_training, "finetune", idle)
    outcome = run(replace(SPARSE, sparsity=None), schedule="one-shot", pattern="2:4")
    shares = {layer["name"]: layer["sparsity"] for layer in outcome.sparse["layers"]}
    assert shares.pop("stem.weight") == 0  # of a single input
    assert set(shares.values()) == {0.5}
    assert any(text.startswith("stem stay dense") for text in outcome.warnings)
    assert outcome.sparse["semi_structured"] == {"measured": False, "reason": "cpu has no 2:4 sparse matrix units"}


def test_synflow_empties_no_layer_where_one_round_would(subject, monkeypatch):
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Conv2d(6, 24, 3), nn.ReLU(), nn.Conv2d(24, 6, 3), nn.ReLU()]
    chain = nn.Sequential(*layers, nn.Flatten(), nn.Linear(24, 3)).eval()
    loaded = replace(subject.loaded, module=chain)
    found = replace(subject, loaded=loaded, structure=analyse(chain, loaded.example()))
    monkeypatch.setattr(steps, "open_subject", lambda spec, report: found)
    monkeypatch.setattr(sparse_training, "finetune", idle)
    spec = replace(SPARSE, criterion="synflow", sparsity=0.98)
    kept = {}
    for rounds in (1, sparse_masks.SYNFLOW_ROUNDS):
        monkeypatch.setattr(sparse_masks, "SYNFLOW_ROUNDS", rounds)
        outcome = run(spec, schedule="one-shot")
        kept[rounds] = min(int((at == 0).sum()) for at in outcome.pruned_at.values())
        assert outcome.sparse["zeros"] == round(0.98 * outcome.sparse["weights"])
        emptied = any("no weight is left" in text for text in outcome.warnings)
        assert emptied == (kept[rounds] == 0)
    assert kept[1] < kept[100]
    assert kept[100] > 0


def test_locked_layers_stay_dense(subject, monkeypatch):
    monkeypatch.setattr(sparse_training, "finetune", idle)
    outcome = run(replace(SPARSE, locked=("fc",)), schedule="one-shot")
    assert "fc.weight" not in outcome.pruned_at
    assert outcome.module.fc.weight.all()


# --- requests


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (replace(DG2PF, sparsity=None), "give the share of weights"),
        (replace(DG2PF, sparsity=1.0), "sparsity is 1"),
        (replace(DG2PF, keep={"macs": 0.5}), "no keep"),
        (replace(DG2PF, criterion="flow"), "leave --criterion"),
        (replace(DG2PF, epochs=2), "3 epochs"),
        (replace(DG2PF, settings={"alpha": "1.5"}), "from 0 to 1"),
        (replace(DG2PF, settings={"alpha": "high"}), "give a number"),
        (replace(DG2PF, settings={"alhpa": "0.5"}), "did you mean alpha"),
        (replace(DG2PF, settings={"soft_label": "nobody"}), "teacher, student"),
        (replace(DG2PF, method="one-shot", settings={}), "cuts channels"),
        (replace(SPARSE, criterion="flow"), "scores channels, not single weights"),
        (replace(SPARSE, criterion="snip", settings={"margins": "signed"}), "use --criterion l1"),
        (replace(SPARSE, settings={"pattern": "2:4", "schedule": "one-shot"}), "leave --sparsity out"),
        (replace(SPARSE, sparsity=None, settings={"pattern": "2:4"}), "schedule=one-shot"),
        (replace(SPARSE, recover="none"), "trains between its steps"),
        (replace(SPARSE, recover="scratch"), "start=initial"),
        (replace(SPARSE, steps=9, settings={"schedule": "rounds"}), "9 rounds"),
        (replace(SPARSE, steps=5, epochs=8, settings={"schedule": "cyclical"}), "at least 9 epochs"),
        (replace(SPARSE, epochs=1, settings={"schedule": "regrow"}), "needs at least 2"),
    ],
)
def test_what_makes_no_sense_is_refused(spec, words, subject):
    with pytest.raises(ExplorerError, match=words) as caught:
        run(spec)
    assert "\n" not in str(caught.value)


def test_the_command_line_says_all_of_it():
    asked = "prune --model toy --data stripes --method dg2pf --sparsity 0.9 --set alpha=0.5 --set tau=2 --out x"
    spec = spec_from(build_parser().parse_args(asked.split()))
    assert (spec.sparsity, spec.settings, spec.steps) == (0.9, {"alpha": "0.5", "tau": "2"}, 15)
    assert Spec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


# --- tables


GRID = bench.Grid(models=("demo:vgg-digits",), tables=("tau", "methods"), sparsities=(0.9,), seeds=2, epochs=4)


@pytest.fixture
def played(monkeypatch):
    """The runs that are made, none of them for real."""
    made = []

    def pretend(spec):
        made.append(spec)
        found = {"metric": "top1", "base": 0.9, "as_cut": 0.1, "value": 0.7 + 0.1 * spec.seed, "samples": 100}
        sizes = {"sparsity": spec.sparsity, "compressed_bytes": 10, "size_bytes": 100}
        return {"run": spec.digest(), "seed": spec.seed, **found, **sizes, "seconds": 1.0}

    monkeypatch.setattr(bench, "play", pretend)
    return made


def test_the_papers_tables_have_its_values_and_equal_effort(played):
    lines = bench.tables(GRID)
    assert [line["line"] for line in lines if line["table"] == "tau"] == ["0.1", "0.5", "1", "2", "4", "8"]
    assert {spec.settings["tau"] for spec in played if "tau" in spec.settings} == {"0.1", "0.5", "1", "2", "4", "8"}
    ablated = [spec for spec in played if spec.settings.get("alpha") == "0.75"]
    assert len(ablated) == 12
    assert all(spec.sparsity == 0.95 and spec.settings["simulate"] == "0.1" for spec in ablated)
    rivals = {spec.settings["schedule"]: spec for spec in played if spec.method == "sparse"}
    assert set(rivals) == {"one-shot", "cubic"}
    assert all(spec.epochs == 8 for spec in rivals.values())
    assert lines[0]["value"] == pytest.approx(0.75)
    assert lines[0]["low"] < 0.75 < lines[0]["high"]
    assert bench.markdown(lines).count("| DG2PF at 90% |") == 1


def test_finished_runs_are_not_made_again(tmp_path, played):
    kept = tmp_path / "rows.jsonl"
    lines = bench.tables(replace(GRID, tables=("methods",)), kept=kept)
    assert len(played) == 6
    assert bench.tables(replace(GRID, tables=("methods",)), kept=kept) == lines
    assert len(played) == 6


# --- bundles


@pytest.mark.slow
def test_a_bundle_keeps_its_zeros_everywhere(tmp_path, capsys):
    out = tmp_path / "out"
    asked = (
        "prune --model demo:vgg-digits --data digits --method dg2pf --sparsity 0.9 --steps 1 --epochs 1 --no-track "
        "--set rate=0.001 --set tune_rate=0.001 --json --quiet"
    )
    assert main([*asked.split(), "--out", str(out)]) == 0
    result = json.loads(capsys.readouterr().out)
    module = load_model(f"run:{out}").module
    found, whole = zeros(module)
    assert found == result["sparse"]["zeros"] == round(0.9 * whole)
    assert next(check for check in result["checks"] if check["name"] == "reloaded as run:DIR")["max_abs_diff"] == 0.0
    tensors, masks = unpacked(out / "sparse.safetensors")
    for name, tensor in module.state_dict().items():
        assert torch.equal(tensors[name], tensor), name
    assert (out / "sparse.safetensors").stat().st_size == result["pruned"]["compressed_bytes"]
    assert result["pruned"]["compressed_bytes"] < result["pruned"]["size_bytes"] / 5
    stored = [numpy_helper.to_array(entry) for entry in onnx.load(out / "model.onnx").graph.initializer]
    assert sum(int((array == 0).sum()) for array in stored if array.ndim > 1) >= found
    assert result["sparse"]["onnx_deflated_bytes"] < result["sparse"]["onnx_bytes"] / 5
    assert "A speed-up was not measured" in (out / "README.md").read_text()
    assert result["pruned"]["top1"] > result["as_cut"]["top1"]
    assert sum(int((~mask).sum()) for mask in masks.values()) == found
    at = load_file(out / "pruned_at.safetensors")
    assert all(torch.equal(at[name] == 0, mask) for name, mask in masks.items())
    for step in result["steps"]:
        left = sum(layer["kept"] for layer in step["layers"])
        assert zeros(load_model(f"run:{out / step['folder']}").module)[0] == whole - left
