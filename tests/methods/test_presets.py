"""Presets of methods: a spec written out, refused names, and rankings that differ as the formulas say."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.cli.options import spec_from
from explorer.cli.parser import build_parser
from explorer.criteria import CRITERIA, score
from explorer.errors import ExplorerError
from explorer.methods import METHODS, Spec
from explorer.methods.asking import asked_for
from explorer.methods.checking import check
from explorer.methods.ifap import ifap
from explorer.methods.tools.pace import Pace
from explorer.methods.tools.schedule import Schedule
from explorer.structure import analyse
from tests.methods.test_ifap import SPEC, scripted, subject, trained  # noqa: F401

WITH_PRESETS = [name for name, entry in METHODS.items() if entry.presets]
EACH = [(name, preset) for name in WITH_PRESETS for preset in METHODS[name].presets]


def parsed(*words: str) -> Spec:
    arguments = ["prune", "--model", "demo:vit-digits", "--data", "digits", "--out", "x", *words]
    return spec_from(build_parser().parse_args(arguments))


def test_published_ifap_is_the_settings_written_out():
    words = [
        *("--criterion", "flow", "--option", "activation=relu", "--normalise", "none", "--recover", "distill"),
        *("--minimum", "1", "--steps", "30", "--teacher", "previous", "--alpha", "1.5", "--rho", "0.1"),
        *("--max-drop", "0.05", "--set", "past_limit=stop"),
    ]
    asked = parsed("--method", "ifap", "--preset", "published", "--keep", "macs=0.5")
    assert asked == parsed("--method", "ifap", *words, "--keep", "macs=0.5")
    assert Spec.from_json(asked.to_json()) == asked
    assert "preset" not in asked.to_json()


@pytest.mark.parametrize("name", WITH_PRESETS)
def test_ours_is_what_the_defaults_come_to(name):
    plain = asked_for({"model": "m", "data": "d", "method": name}, {})
    assert next(iter(METHODS[name].presets)) == "ours"
    assert asked_for({"model": "m", "data": "d", "method": name}, {}, "ours") == plain
    assert METHODS[name].changes("ours", plain) == []


@pytest.mark.parametrize("name", WITH_PRESETS)
def test_the_presets_of_a_method_set_the_same_things(name):
    first, *others = METHODS[name].presets.values()
    for preset in others:
        assert preset.fields.keys() - {"steps"} == first.fields.keys()
        assert preset.settings.keys() == first.settings.keys() <= METHODS[name].settings.keys()


@pytest.mark.parametrize(("name", "preset"), EACH)
def test_every_preset_can_be_asked_for(name, preset):
    sparse = METHODS[name].sparse
    given = {"model": "demo:vit-digits", "data": "digits", "method": name, "device": "cpu"}
    given |= {"sparsity": 0.9} if sparse else {"keep": {"macs": 0.5}}
    spec = asked_for(given, {}, preset)
    check(spec)
    assert METHODS[name].nearest(spec) == preset
    assert METHODS[name].changes(preset, spec) == []
    CRITERIA[spec.criterion].read(spec.options)


def test_what_is_said_besides_goes_before_the_preset():
    spec = parsed(
        "--method", "ifap", "--preset", "published", "--teacher", "base", "--option", "scale=chw", "--steps", "5"
    )
    assert spec.options == {"activation": "relu", "scale": "chw"}
    assert METHODS["ifap"].told(spec)["teacher"] == "base"
    assert METHODS["ifap"].changes("published", spec) == ["steps", "scale", "teacher"]
    other = parsed("--method", "ifap", "--preset", "published", "--criterion", "taylor")
    assert (other.criterion, other.options, other.normalise) == ("taylor", {}, "none")


def test_an_unknown_preset_is_answered_with_the_nearest():
    with pytest.raises(ExplorerError, match="unknown preset of ifap 'publishd': did you mean published"):
        parsed("--method", "ifap", "--preset", "publishd")
    with pytest.raises(ExplorerError, match="'one-shot' has no presets"):
        parsed("--preset", "published")
    with pytest.raises(ExplorerError, match="did you mean ifap"):
        parsed("--method", "ifa", "--preset", "published")


class Chain(nn.Module):
    """A wide early layer of large maps, a late one of a single place; a batch norm that shifts."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.norm = nn.Conv2d(1, 2, 1, bias=False), nn.BatchNorm2d(2)
        self.b, self.c = nn.Conv2d(2, 2, 4, bias=False), nn.Conv2d(2, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.c(torch.relu(self.b(torch.relu(self.norm(self.a(x)))))).flatten(1)


@pytest.fixture
def chain():
    module = Chain().eval()
    with torch.no_grad():
        module.a.weight.copy_(torch.tensor([2.0, -1.0]).view(2, 1, 1, 1))
        module.norm.bias.copy_(torch.tensor([0.0, 3.0]))
        module.norm.eps = 0.0
        module.b.weight.copy_(torch.tensor([0.5, 0.25]).view(2, 1, 1, 1).expand(2, 2, 4, 4))
    return module


def test_rankings_of_the_presets_differ_as_the_formulas_say(chain):
    """``S_c = mean_b sqrt(Σ relu(z)²)·‖W_c‖₂`` by hand, on one input of ones, 4×4.

    Published: z is [2, −1] at 16 places, so S of a is [2·4·2, 0] = [16, 0]. Ours: the batch norm makes it [2, 2], so S
    of a is [8·2, 8·1] = [16, 8]. b sees 2 + 2 at 16 places times its weights: z = [32, 16], ‖W‖ = [0.5, 0.25]·√32.
    """
    data = [(torch.ones(1, 4, 4), 0)]
    structure = analyse(chain, data[0][0][None])
    root = 32**0.5
    expected = {
        "published": {"a": [16, 0], "b": [32 * 0.5 * root, 16 * 0.25 * root]},
        "ours": {"a": [16, 8], "b": [32 * 0.5 * root, 16 * 0.25 * root]},
    }
    for preset, groups in expected.items():
        spec = asked_for({"model": "m", "data": "d", "method": "ifap"}, {}, preset)
        found = score(spec.criterion, chain, structure, data, options=spec.options, device="cpu").groups
        for name, values in groups.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6, err_msg=f"{preset}, {name}")


@pytest.mark.parametrize(("preset", "first"), [("published", "a"), ("ours", "b")])
def test_who_leaves_first(preset, first, chain):
    """Raw, a's second unit has 0 and b's 22.6; divided by its group's mean, a's has 8/12 and b's 0.4."""
    data = [(torch.ones(1, 4, 4), 0)]
    structure = analyse(chain, data[0][0][None])
    spec = asked_for({"model": "m", "data": "d", "method": "ifap", "steps": 1}, {"rho": 0.25}, preset)
    scores = score(spec.criterion, chain, structure, data, options=spec.options, device="cpu")
    chosen = Schedule(spec, Pace.of(METHODS["ifap"].told(spec)), structure).choose(structure, scores, 0.0, 1.0)
    assert chosen.plan.remove == {first: (1,)}


def test_a_run_may_end_with_the_first_step_past_the_limit(monkeypatch, subject):  # noqa: F811
    scripted(monkeypatch, [0.9, 0.9, 0.9, 0.1, 0.1])
    asked = replace(SPEC, keep=None, recover="none").with_settings(rho=0.1, max_drop=0.02, past_limit="stop")
    outcome = ifap(asked)
    assert [entry["rolled_back"] for entry in outcome.steps] == [False, True]
    assert outcome.pruned["macs"] == outcome.steps[0]["macs"]
