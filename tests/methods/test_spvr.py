"""SPvR: sets leave in one ascending order up to the target, layers and blocks vanish, and runs resume."""

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from scipy.stats import kendalltau
from sklearn.datasets import make_classification
from torch import Tensor, nn
from torch.utils.data import TensorDataset
from torchvision.models import resnet34, resnet50
from torchvision.models.vgg import cfgs, make_layers

from explorer.budget import Target
from explorer.cli import main
from explorer.criteria import Scores, score
from explorer.criteria.masking import stages
from explorer.errors import ExplorerError
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.methods.spvr import propose, spvr
from explorer.methods.tools import steps
from explorer.methods.tools.vanishing import Vanishing
from explorer.progress import silent
from explorer.pruning import Plan, cut
from explorer.sources import load_model
from explorer.structure import Skip, adapt, analyse, count
from explorer.structure.blocks import without
from explorer.structure.types import Cost
from tests.methods.toys import ends_the_same, learnt, stand_in

SPEC = Spec(
    model="toy",
    data="stripes",
    method="spvr",
    criterion="masking",
    recover="finetune",
    keep={"params": 0.4},
    epochs=1,
    samples=30,
    minimum=0.0,
    device="cpu",
)


class Chain(nn.Module):
    """Three convolutions with batch norms, of which the second and third read as many maps as they give."""

    def __init__(self) -> None:
        super().__init__()
        layers = []
        for before, width in ((1, 8), (8, 12), (12, 12)):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.hidden, self.fc = nn.Linear(12, 6), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(F.relu(self.hidden(self.features(x).mean((2, 3)))))


FIRST, SECOND, THIRD = "features.0", "features.3", "features.6"


@pytest.fixture(scope="module")
def trained():
    return learnt(Chain, epochs=3, rate=0.02)


@pytest.fixture
def subject(trained, monkeypatch):
    return stand_in(monkeypatch, trained).subject


def proposed(given, target, **changes):
    """What is proposed for the chain where the units of each group have these scores, the others high ones."""
    module, example = Chain().eval(), torch.randn(1, 1, 8, 8)
    vanishing = Vanishing(module, analyse(module, example), example)
    groups = vanishing.structure.groups
    values = {name: np.asarray(given.get(name, np.full(group.units, 9.0))) for name, group in groups.items()}
    found = propose(vanishing, Scores("masking", 0.0, values), target, replace(SPEC, **changes))
    smaller = cut(module, vanishing.structure, found.plan).module
    assert count(smaller, example) == found.plan.cost(vanishing.structure)
    return found, vanishing.structure


def test_sets_leave_in_one_ascending_order_until_the_target_is_met():
    """Sets of two; scores of different layers are compared as they are."""
    scores = {
        SECOND: np.repeat([0.3, 0.1, 0.9, 0.8, 0.95, 0.7], 2),
        THIRD: np.repeat([0.2, 2.0, 2.1, 2.2, 2.3, 2.4], 2),
    }
    structure, before = proposed({}, Target("params", 0.9))[1], count(Chain(), torch.randn(1, 1, 8, 8)).params
    for remove in ({SECOND: (2, 3)}, {SECOND: (2, 3), THIRD: (0, 1)}, {SECOND: (0, 1, 2, 3), THIRD: (0, 1)}):
        cost = Plan("toy", remove).cost(structure).params
        for goal in (cost, before - 1):
            assert proposed(scores, Target("params", amount=goal))[0].plan.remove == remove
        before = cost
    assert proposed(scores, Target("params", 1.0))[0].plan.empty


def test_a_layer_of_a_chain_vanishes():
    """The next one then reads what it read; where it can't leave, one channel stays, and it is said."""
    found = proposed({SECOND: np.full(12, 0.1)}, Target("params", 0.75))[0]
    assert found.plan.blocks == (SECOND, "features.4")
    assert found.plan.remove == {SECOND: (0, 1, 2, 3)}
    assert not found.warnings
    found = proposed({FIRST: np.full(8, 0.1)}, Target("macs", 0.65))[0]
    assert not found.plan.blocks
    assert len(found.plan.remove[FIRST]) == 7
    assert "features.0 would vanish" in found.warnings[0]


def test_two_layers_vanish_one_after_the_other():
    found, structure = proposed({SECOND: np.full(12, 0.1), THIRD: np.full(12, 0.2)}, Target("params", 0.2))
    assert set(found.plan.blocks) == {SECOND, "features.4", THIRD, "features.7"}
    assert found.plan.kept(structure) == {FIRST: 8, SECOND: 0, THIRD: 8, "hidden": 6}


def test_locked_groups_and_a_minimum_are_respected():
    scores = {name: np.arange(12.0) / 100 for name in (SECOND, THIRD)}
    found, structure = proposed(scores, Target("params", 0.3), locked=(SECOND,), minimum=0.5)
    assert found.plan.kept(structure) == {FIRST: 4, SECOND: 12, THIRD: 6, "hidden": 3} | {
        name: structure.full[name] for name in (FIRST, "hidden")
    }
    assert any("is not met" in text for text in found.warnings)


def test_residual_blocks_vanish_with_their_insides():
    model = load_model("demo:resnet20-digits")
    structure = analyse(model.module, model.example(), trial=False)
    vanishing = Vanishing(model.module, structure, model.example())
    values = {name: np.full(group.units, 9.0) for name, group in structure.groups.items()}
    values["layer3.1.conv1"][:], values["layer3.0.conv1"][:] = 0.1, 0.2
    found = propose(vanishing, Scores("masking", 0.0, values), Target("params", 0.6), SPEC)
    assert found.plan.blocks == ("layer3.1",)
    assert len(found.plan.remove["layer3.0.conv1"]) == 63
    assert "layer3.0.conv1 would vanish" in found.warnings[0]
    assert "(layer3.0.conv1: layer3.0.conv1 changes the size of its maps)" in found.warnings[0]
    smaller = cut(model.module, structure, found.plan).module  # residual blocks are known without chains
    assert count(smaller, model.example()) == found.plan.cost(structure)


def test_widths_of_a_stage_stay_one():
    model = load_model("demo:resnet20-digits")
    structure = analyse(model.module, model.example(), trial=False)
    data = TensorDataset(torch.randn(3, *model.input_shape), torch.zeros(3))
    options = {"coupling": "stages", "size": "8"}
    scores = score("masking", model.module, structure, data, options=options, device="cpu")
    vanishing = Vanishing(model.module, structure, model.example())
    plan = propose(vanishing, scores, Target("params", 0.5), replace(SPEC, options=options)).plan
    kept = plan.kept(structure)
    assert [len({kept[name] for name in stage}) for stage in stages(structure)] == [1, 1, 1]
    assert plan.cost(structure).params <= 0.5 * structure.cost().params


VGG = {
    70.05: "58,64,126,128,238,224,0,192,192,94,56,482,512",
    79.98: "58,64,126,128,238,224,0,192,192,94,56,196,512",
    90.02: "54,64,124,128,224,220,0,174,110,0,0,0,0",
    95.01: "42,64,110,126,170,138,92,0,0,0,0,0,0",
    98.01: "36,62,78,112,92,44,46,0,0,0,0,0,0",
}
RESNET34 = {70.31: (60, 112, 0, 328), 80.24: (60, 104, 0, 256), 90.05: (60, 100, 0, 152), 95.06: (60, 76, 0, 88)}
RESNET34 |= {98.00: (60, 36, 0, 44)}
RESNET50 = {39.33: (64, 120, 240, 328), 69.20: (64, 112, 200, 152), 78.82: (56, 112, 168, 96), 93.93: (56, 88, 64, 0)}


def test_published_vggs_have_the_published_sizes():
    """Of 16 layers, some vanish; the same parts of our network are left."""
    features = make_layers(cfgs["D"], batch_norm=True)
    module = nn.Sequential(features, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)).eval()
    example = torch.randn(1, 3, 32, 32)
    vanishing = Vanishing(module, analyse(module, example, trial=False), example)
    whole = vanishing.structure.cost().params
    assert round(whole / 1e6, 2) == 14.73
    for removed, widths in VGG.items():
        wished = dict(zip(vanishing.structure.groups, map(int, widths.split(",")), strict=True))
        settled = vanishing.settle(wished)
        assert not settled.held
        left = vanishing.structure.cost(settled.kept, settled.blocks).params
        assert 100 * (1 - left / whole) == pytest.approx(removed, abs=0.01)


@pytest.mark.parametrize(
    ("build", "classes", "expansion", "published"),
    [
        pytest.param(resnet34, 200, 1, RESNET34, id="resnet34"),
        pytest.param(resnet50, 1000, 4, RESNET50, id="resnet50", marks=pytest.mark.slow),
    ],
)
@torch.no_grad()
def test_published_resnets_have_the_published_sizes(build, classes, expansion, published):
    """A stage of width zero leaves, and what follows reads the stage before."""
    module, example = build(num_classes=classes).eval(), torch.randn(1, 3, 64, 64)
    whole = sum(parameter.numel() for parameter in module.parameters())
    if expansion == 1:  # the published networks keep the stem's width, for which the first block needs a projection
        module.layer1[0].downsample = nn.Sequential(nn.Conv2d(64, 64, 1, bias=False), nn.BatchNorm2d(64)).eval()
    vanishing = Vanishing(module, analyse(module, example, trial=False), example)
    structure = vanishing.structure
    for removed, widths in published.items():
        wished = dict(structure.full)
        *tied, stem = stages(structure)
        assert stem == ("conv1",)
        for stage, width in zip(tied, widths, strict=True):
            for name in stage:
                wanted = width * (expansion if structure.groups[name].kind == "stream" else 1)
                wished[name] = min(wanted, structure.full[name])
        settled = vanishing.settle(wished)
        assert not settled.held
        groups = without(structure, settled.blocks).groups
        remove = {name: tuple(range(group.units - settled.kept[name])) for name, group in groups.items()}
        plan = Plan("", remove, settled.blocks)
        smaller = cut(module, structure, plan).module
        assert smaller(example).shape == (1, classes)
        assert count(smaller, example) == plan.cost(structure)
        left = sum(parameter.numel() for parameter in smaller.parameters())
        assert 100 * (1 - left / whole) == pytest.approx(removed, abs=0.01)


@pytest.mark.parametrize("name", ["demo:resnet20-digits", "demo:resnet20-shapes"])
def test_a_stage_vanishes_with_its_stream(name):
    """Maps become as small as before, and a file of weights says enough to build the network again."""
    model = load_model(name)
    vanishing = Vanishing(model.module, analyse(model.module, model.example(), trial=False), model.example())
    structure = vanishing.structure
    values = {name: np.full(group.units, 9.0) for name, group in structure.groups.items()}
    [middle] = [name for name, group in structure.groups.items() if group.kind == "stream" and group.units == 32]
    values[middle][:] = 0.1
    found = propose(vanishing, Scores("masking", 0.0, values), Target("params", 0.9), SPEC)
    assert found.plan.blocks == ("layer2.0", "layer2.1", "layer2.2")
    assert not found.warnings
    result = cut(model.module, structure, found.plan)
    sizes = []
    result.module.layer3[0].conv1.register_forward_pre_hook(lambda _, given: sizes.append(given[0].shape[1:]))
    logits = result.module(model.example())
    assert sizes == [(16, 16, 16)]
    assert count(result.module, model.example()) == found.plan.cost(structure)
    again = copy.deepcopy(model.module)
    adapt(again, result.module.state_dict(), json.loads(json.dumps(result.attributes)))
    torch.testing.assert_close(again(model.example()), logits)


@pytest.mark.parametrize(
    ("ref", "blocks", "remove", "words"),
    [
        ("demo:resnet20-digits", ("layer2.0",), {}, "can only leave together"),
        ("demo:resnet20-digits", ("layer2.0", "layer2.1", "layer2.2"), {}, "keep as many units of both"),
        ("demo:vgg-digits", ("features.3",), {}, "can only leave together"),
        ("demo:resnet20-digits", ("layer4",), {}, "no residual block that can be taken out"),
    ],
)
def test_a_plan_in_which_widths_would_not_meet_is_refused(ref, blocks, remove, words):
    with pytest.raises(ExplorerError, match=words):
        steps.open_subject(Spec(ref, "digits", plan=remove, skip=blocks, device="cpu"), silent)


def test_a_stage_that_nothing_comes_before_keeps_one_channel():
    model = load_model("demo:resnet20-digits")
    vanishing = Vanishing(model.module, analyse(model.module, model.example(), trial=False), model.example())
    streams = [name for name, group in vanishing.structure.groups.items() if group.kind == "stream"]
    settled = vanishing.settle(vanishing.structure.full | dict.fromkeys(streams, 0))
    assert settled.held == (streams[0],)
    assert [settled.kept[name] for name in streams] == [1, 1, 1]
    assert set(settled.blocks) == {f"layer{stage}.{block}" for stage in (2, 3) for block in range(3)}


def test_a_run_ends_with_a_network_of_the_promised_size(subject):
    outcome = spvr(SPEC)
    assert outcome.pruned["params"] == outcome.plan.cost(outcome.structure).params
    assert outcome.achieved["params"] <= 0.4
    assert outcome.pruned["params"] == count(outcome.module, subject.loaded.example()).params
    assert any("to be trained from its beginning" in text for text in outcome.warnings)


def test_interrupted_anywhere_it_ends_the_same_to_the_bit(subject, tmp_path):
    ends_the_same(spvr, SPEC, tmp_path, seed=5, earliest=1 / 3)


@pytest.mark.parametrize("request_", [{"keep": {"macs": 0.5, "params": 0.5}}, {"keep": {"size": "1MB"}}])
def test_only_one_target_of_params_or_macs_can_be_followed(request_):
    with pytest.raises(ExplorerError, match="one target of params or macs"):
        spvr(replace(SPEC, **request_))


def test_registered():
    assert METHODS["spvr"].defaults["criterion"] == "masking"
    assert METHODS["spvr"].defaults["recover"] == "scratch"


@pytest.mark.slow
def test_from_the_command_line_and_back(tmp_path, capsys):
    """A layer that vanished stays so in the exported model."""
    arguments = ["prune", "--model", "demo:vgg-digits", "--data", "digits", "--device", "cpu", "--json", "--quiet"]
    chosen = ["--method", "spvr", "--keep", "params=0.1", "--option", "size=16", "--samples", "12", "--epochs", "1"]
    assert main([*arguments, *chosen, "--no-track", "--out", str(tmp_path / "out")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["spec"]["recover"] == "scratch"
    assert result["pruned"]["params"] <= 0.1 * result["base"]["params"]
    loaded = load_model(f"run:{tmp_path / 'out'}")
    assert count(loaded.module, loaded.example()).params == result["pruned"]["params"]


@pytest.mark.slow
def test_a_vanished_stage_goes_into_the_files(tmp_path, monkeypatch, capsys):
    """The bundle's own script, ONNX and a new process of ours all build the network without it."""
    scored = steps.scores_of
    middle = {f"layer2.{block}.conv{number}" for block in range(3) for number in (1, 2)}

    def scores_of(record):
        found = scored(record)
        low = {name: np.zeros_like(values) for name, values in found.groups.items() if name in middle}
        return replace(found, groups=found.groups | low)

    monkeypatch.setattr(steps, "scores_of", scores_of)
    arguments = ["prune", "--model", "demo:resnet20-digits", "--data", "digits", "--device", "cpu", "--json", "--quiet"]
    chosen = ["--method", "spvr", "--keep", "params=0.85", "--criterion", "l1", "--recover", "none", "--no-track"]
    assert main([*arguments, *chosen, "--out", str(tmp_path / "out")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["checks"]) >= 2
    loaded = load_model(f"run:{tmp_path / 'out'}")
    assert count(loaded.module, loaded.example()) == Cost(result["pruned"]["params"], result["pruned"]["macs"])
    kept = dict(loaded.module.named_modules())
    assert kept["layer2.0"].stride == 2
    assert {type(kept[f"layer2.{block}"]) for block in range(3)} == {Skip}
    assert "`layer2.0` passes on one in 2" in (tmp_path / "out" / "README.md").read_text()
    again = [*arguments, "--plan", str(tmp_path / "out" / "plan.json"), "--recover", "none", "--no-track"]
    assert main([*again, "--out", str(tmp_path / "again")]) == 0
    weights = [load_file(tmp_path / name / "weights.safetensors") for name in ("out", "again")]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())


def hidden_layer(seed):
    """One hidden layer of 64 on 100 made features, 2 % of the labels flipped; and the samples that it learnt from."""
    x, y = make_classification(
        1000, 100, n_informative=20, n_redundant=0, n_classes=10, n_clusters_per_class=1, flip_y=0.02, random_state=seed
    )
    data = TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y))
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser = torch.optim.SGD(module.parameters(), 0.1, momentum=0.9)
    for _ in range(15):
        for chosen in torch.randperm(len(data)).split(100):
            inputs, labels = data[chosen]
            optimiser.zero_grad()
            F.cross_entropy(module(inputs), labels).backward()
            optimiser.step()
    return module.eval(), data


@pytest.mark.slow
def test_the_ranking_is_nearer_to_the_true_one_than_that_by_divergence():
    """The true importance of a unit is how much accuracy on the learnt samples its removal costs; 20 networks, 95 %.

    The advantage belongs to this setting, ten classes and a network that has learnt them well: by accuracy on other
    samples there is none, by the loss the divergence is nearer.
    """
    differences = []
    for seed in range(20):
        module, data = hidden_layer(seed)
        structure = analyse(module, data[0][0][None])
        inputs, labels = data.tensors
        ranking = score("masking", module, structure, data, options={"size": "1"}, device="cpu", batch_size=1000)
        with torch.no_grad():
            p = module(inputs).log_softmax(1)
            outs = [
                cut(module, structure, Plan("", {"0": (unit,)})).module(inputs).log_softmax(1) for unit in range(64)
            ]
        divergence = [float(F.kl_div(q, p, reduction="batchmean", log_target=True)) for q in outs]
        accuracy = [float((q.argmax(1) == labels).float().mean()) for q in outs]
        taus = [kendalltau(values, np.negative(accuracy)).statistic for values in (ranking.groups["0"], divergence)]
        differences.append(taus[0] - taus[1])
    spread = 1.96 * np.std(differences, ddof=1) / np.sqrt(len(differences))
    assert np.mean(differences) - spread > 0.01
