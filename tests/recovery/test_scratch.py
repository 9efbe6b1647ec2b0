"""Training from scratch begins at random: nothing trained remains, everything is set, and signals keep their size."""

import copy
from math import sqrt

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut
from explorer.recovery import initialise, recover
from explorer.sources import build, load_model
from explorer.structure import adapt, analyse
from explorer.tasks import accuracy
from tests.recovery.test_finetuning import CPU, Net, net, task

GPT2 = {"model_type": "gpt2", "vocab_size": 30, "n_positions": 16, "n_embd": 32, "n_layer": 2, "n_head": 4}
ARCHITECTURES = {
    "gpt2": {
        "family": "huggingface",
        "name": "text-classification",
        "arguments": {"config": {**GPT2, "num_labels": 3, "pad_token_id": 0}},
    },
    "depthwise": {"family": "torchvision", "name": "mobilenet_v2", "arguments": {"num_classes": 5}},
}


def halved(ref: str) -> tuple[nn.Module, dict]:
    model = load_model(ref)
    structure = analyse(model.module, model.example())
    plan = Plan(ref, {name: tuple(range(group.units // 2)) for name, group in structure.groups.items()})
    return cut(model.module, structure, plan).module, model.architecture


def spoilt(module: nn.Module) -> nn.Module:
    """The module with nothing but NaN where something was trained."""
    module = copy.deepcopy(module)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.fill_(torch.nan)
        for layer in module.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.running_mean.fill_(torch.nan)
                layer.running_var.fill_(torch.nan)
    return module


def same(one: nn.Module, other: nn.Module) -> bool:
    tensors = other.state_dict()
    return all(torch.equal(tensor, tensors[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize("ref", ["demo:resnet20-digits", "demo:vit-digits"])
def test_of_a_cut_network_nothing_trained_remains(ref):
    module, architecture = halved(ref)
    trained, lost, other = copy.deepcopy(module), spoilt(module), copy.deepcopy(module)
    initialise(module, architecture, 1)
    initialise(lost, architecture, 1)
    initialise(other, architecture, 2)
    assert same(module, lost)
    assert all(tensor.isfinite().all() for tensor in module.state_dict().values())
    for name, parameter in module.named_parameters():
        if parameter.std() > 0:  # all but ones, zeros and other constants
            assert not torch.equal(parameter, trained.get_parameter(name))
            assert not torch.equal(parameter, other.get_parameter(name))


@pytest.mark.parametrize("name", [pytest.param("gpt2", marks=pytest.mark.slow), "depthwise"])
def test_uncut_it_is_the_network_as_it_is_built(name):
    module = spoilt(build(ARCHITECTURES[name]))
    initialise(module, ARCHITECTURES[name], 3)
    assert same(build(ARCHITECTURES[name], seed=3), module)


class Conv1D(nn.Module):
    """As in transformers: rows are inputs."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)


def test_weights_grow_by_what_they_no_longer_sum_over(monkeypatch):
    whole = nn.ModuleDict(
        {
            "conv": nn.Conv2d(8, 6, 3),
            "depthwise": nn.Conv2d(6, 6, 3, groups=6),
            "transposed": nn.ConvTranspose2d(8, 6, 2),
            "embedding": nn.Embedding(5, 8),
            "turned": Conv1D(torch.randn(8, 6)),
        }
    )
    monkeypatch.setattr("explorer.recovery.scratch.build", lambda architecture, seed: whole)
    small = copy.deepcopy(whole)
    shapes = {"conv": (3, 2, 3, 3), "depthwise": (3, 1, 3, 3), "transposed": (2, 3, 2, 2), "embedding": (5, 2)}
    shapes["turned"] = (2, 6)
    tensors = {f"{name}.weight": torch.full(shape, torch.nan) for name, shape in shapes.items()}
    adapt(small, {**tensors, **{f"{name}.bias": torch.zeros(3) for name in ("conv", "depthwise", "transposed")}})
    initialise(small, {}, 0)
    corners = {
        "conv": 2 * whole["conv"].weight[:3, :2],
        "depthwise": whole["depthwise"].weight[:3],
        "transposed": 2 * whole["transposed"].weight[:2, :3],
        "embedding": whole["embedding"].weight[:, :2],
        "turned": 2 * whole["turned"].weight[:2],
    }
    for name, corner in corners.items():
        torch.testing.assert_close(small[name].weight, corner)
    assert torch.equal(small["conv"].bias, whole["conv"].bias[:3])


class Deep(nn.Module):
    """Twelve layers without normalisation, in which a signal keeps its size at the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(256, 256, bias=False) for _ in range(12)])
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=sqrt(2 / 256))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = F.relu(layer(x))
        return x


def test_signals_of_narrow_networks_are_as_large_as_of_the_whole(monkeypatch):
    torch.manual_seed(0)
    whole = Deep()
    monkeypatch.setattr("explorer.recovery.scratch.build", lambda architecture, seed: whole)
    narrow = Deep()
    adapt(narrow, {f"layers.{place}.weight": torch.zeros(64, 64) for place in range(12)})
    initialise(narrow, {}, 0)
    with torch.no_grad():
        sizes = [network(torch.randn(500, width)).square().mean() for network, width in ((whole, 256), (narrow, 64))]
    assert 0.25 < sizes[1] / sizes[0] < 4  # a corner alone would leave 4⁻¹² of it


def test_it_learns_from_the_random_beginning(monkeypatch):
    monkeypatch.setattr("explorer.recovery.scratch.build", lambda architecture, seed: net())
    module = spoilt(Net())
    history = recover("scratch", module, task(), epochs=40, device=CPU, architecture={})
    assert history.recovery == "scratch"
    assert accuracy(module, task().test, device=CPU).top1 > 0.8


def test_without_the_architecture_it_is_refused():
    with pytest.raises(ExplorerError, match="needs the architecture"):
        recover("scratch", net(), task(), device=CPU)
