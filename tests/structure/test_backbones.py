"""Backbones whose features are narrowed, since whoever reads them is cut, too."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import ResNet, resnet
from torchvision.models.feature_extraction import create_feature_extractor

from explorer.bench.families import stir
from explorer.pruning import Plan, cut, mask
from explorer.structure import analyse, count
from explorer.structure.running import tensors_in


def timm_features() -> nn.Module:
    timm = pytest.importorskip("timm")
    return timm.create_model("resnet10t", features_only=True, out_indices=(1, 2, 3))


def torchvision_trunk() -> nn.Module:
    network = ResNet(resnet.BasicBlock, [1, 1, 1, 1], width_per_group=64)
    return create_feature_extractor(network, {"layer2": "middle", "layer4": "last"})


def plain() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3), nn.ReLU())


def kept(whole: Tensor, group: str, plan: Plan) -> Tensor:
    gone = set(plan.remove[group])
    return whole[:, [channel for channel in range(whole.shape[1]) if channel not in gone]]


@pytest.mark.parametrize("build", [timm_features, torchvision_trunk, plain])
@torch.no_grad()
def test_features_lose_channels(build: Callable[[], nn.Module]):
    torch.manual_seed(0)
    module, example = stir(build()).eval(), torch.randn(2, 3, 32, 32)
    protected = analyse(module, example)
    structure = analyse(module, example, keep_outputs=False)
    assert len(protected.groups) < len(structure.groups)
    assert not structure.blocked
    plan = Plan("m", {name: range(0, group.units, 3) for name, group in structure.groups.items()})
    smaller = cut(module, structure, plan).module
    assert count(smaller, example[:1]) == plan.cost(structure)
    masked, done = tensors_in(mask(module, structure, plan)(example)), tensors_in(smaller(example))
    for whole, narrow in zip(masked, done, strict=True):
        assert narrow.shape[1] < whole.shape[1]
        fitting = (name for name, group in structure.groups.items() if group.size == whole.shape[1])
        features = [kept(whole, name, plan) for name in fitting]
        assert any(torch.allclose(f, narrow, atol=1e-5) for f in features if f.shape == narrow.shape)
