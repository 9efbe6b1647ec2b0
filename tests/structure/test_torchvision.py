"""Groups and costs of torchvision's classifiers against torch-pruning's graph and the published figures."""

import pytest
import torch
import torch_pruning as tp
import torchvision
from torch import nn

from explorer.bench.families import stir
from explorer.pruning import Plan, cut, mask
from explorer.sources import build
from explorer.structure import analyse, count

GRAPH_IS_RIGHT = (
    "resnet18 resnet50 vgg16_bn densenet121 mobilenet_v3_large efficientnet_b0 convnext_tiny regnet_y_400mf "
    "squeezenet1_1 mnasnet0_5 resnext50_32x4d mobilenet_v2"
).split()
PUBLISHED = (
    "resnet18 resnet50 vgg16_bn densenet121 mobilenet_v3_large efficientnet_b0 googlenet inception_v3 convnext_tiny "
    "regnet_y_400mf squeezenet1_0 mnasnet1_0 vit_b_16"
).split()


HEAVY = {"vgg16_bn", "vit_b_32", "vit_b_16", "inception_v3"}


def heavy(name: str) -> object:
    return pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name


def model(name: str) -> nn.Module:
    torch.manual_seed(0)
    return stir(build({"family": "torchvision", "name": name, "arguments": {}})).eval()


def size(name: str) -> int:
    return 299 if name == "inception_v3" else 224


@pytest.mark.parametrize("name", [heavy(n) for n in GRAPH_IS_RIGHT])
def test_groups_equal_those_of_torch_prunings_graph(name: str):
    module = model(name)
    example = torch.randn(1, 3, 64, 64)
    structure = analyse(module, example, trial=False)
    ours = {
        frozenset(m.tensor.rpartition(".")[0] for m in group.of_role("producer")) for group in structure.groups.values()
    }
    names = {layer: path for path, layer in module.named_modules()}
    graph = tp.DependencyGraph().build_dependency(module, example)
    outputs = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
    theirs = set()
    for group in graph.get_all_groups(ignored_layers=[outputs], root_module_types=[nn.Conv2d, nn.Linear]):
        theirs.add(
            frozenset(
                names[dep.target.module]
                for dep, _ in group
                if graph.is_out_channel_pruning_fn(dep.handler) and isinstance(dep.target.module, nn.Conv2d | nn.Linear)
            )
        )
    assert ours == theirs


@pytest.mark.parametrize("name", [heavy(n) for n in PUBLISHED])
def test_macs_match_the_published_figures(name: str):
    weights = torchvision.models.get_model_weights(name)
    published = next(w.meta for w in weights if "_ops" in w.meta)
    module = model(name)
    if name == "googlenet":  # the published parameters leave out its auxiliary heads, Inception's do not
        module.aux1 = module.aux2 = None
    cost = count(module, torch.randn(1, 3, size(name), size(name)))
    assert cost.macs / 1e9 == pytest.approx(published["_ops"], rel=0.02)
    assert cost.params == published["num_params"]


@pytest.mark.parametrize("name", [heavy(n) for n in (*PUBLISHED[:-1], "vit_b_32", "resnext50_32x4d")])
def test_thirty_percent_cut_is_the_mask_costs_as_computed_and_trains(name: str):
    module = model(name)
    pixels = {"inception_v3": 299, "vit_b_32": 224}.get(name, 64)
    structure = analyse(module, torch.randn(1, 3, pixels, pixels))
    assert len(structure.groups) > 5
    assert all(group.exact for group in structure.groups.values())
    plan = Plan(name, {g.name: range(int(0.3 * g.units)) for g in structure.groups.values()})
    smaller = cut(module, structure, plan).module
    x = torch.randn(2, 3, pixels, pixels)
    with torch.no_grad():
        masked, done = mask(module, structure, plan)(x), smaller(x)
        assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()
    assert structure.cost(plan.kept(structure)) == count(smaller, x)
    out = smaller.train()(x)
    sum(o.square().mean() for o in (out if isinstance(out, tuple) else (out,))).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in smaller.parameters())


@pytest.mark.slow
def test_auxiliary_heads_are_cut_along_even_if_the_input_is_too_small_for_them():
    module = model("inception_v3")
    structure = analyse(module, torch.randn(1, 3, 96, 96))
    tied = {m.tensor for m in structure.groups["Mixed_6e.branch1x1.conv"].members}
    assert "AuxLogits.conv0.conv.weight" in tied
    plan = Plan("inception_v3", {g.name: (0,) for g in structure.groups.values()})
    with torch.no_grad():
        logits, auxiliary = cut(module, structure, plan).module.train()(torch.randn(2, 3, 299, 299))
    assert logits.shape == auxiliary.shape == (2, 1000)
