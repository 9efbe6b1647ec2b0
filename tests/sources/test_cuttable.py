"""Replaced modules compute what torchvision's compute, and can be cut in every kind of group."""

import copy

import pytest
import torch
from torchvision import models

from explorer.bench.families import stir
from explorer.pruning import Plan, cut, mask
from explorer.sources.networks.architectures import build, cuttable
from explorer.structure import analyse, count


def stock(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return stir(models.get_model(name, weights=None, num_classes=10)).eval()


@pytest.mark.parametrize(
    ("name", "pixels"), [("swin_t", 100), ("swin_v2_t", 96), ("maxvit_t", 224), ("shufflenet_v2_x0_5", 64)]
)
@torch.inference_mode()
def test_the_results_and_weights_are_torchvisions(name: str, pixels: int):
    theirs = stock(name)
    ours = cuttable(copy.deepcopy(theirs))
    images = torch.randn(2, 3, pixels, pixels)  # 100 px: windows that must be padded
    torch.testing.assert_close(ours(images), theirs(images))
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize(
    ("name", "pixels", "kinds"),
    [
        ("swin_t", 96, {"stream", "heads", "head-dims", "ffn"}),
        pytest.param("swin_v2_t", 96, {"stream", "heads", "head-dims", "ffn"}, marks=pytest.mark.slow),
        pytest.param(
            "maxvit_t", 224, {"stream", "heads", "head-dims", "ffn", "conv", "linear"}, marks=pytest.mark.slow
        ),
        ("shufflenet_v2_x0_5", 64, {"conv"}),
        pytest.param("shufflenet_v2_x2_0", 64, {"conv"}, marks=pytest.mark.slow),
    ],
)
def test_every_group_can_be_cut_by_thirty_percent(name: str, pixels: int, kinds: set[str]):
    module = stir(build({"family": "torchvision", "name": name, "arguments": {"num_classes": 10}})).eval()
    structure = analyse(module, torch.randn(1, 3, pixels, pixels))
    assert {group.kind for group in structure.groups.values()} == kinds
    assert {blocked.reason for blocked in structure.blocked} == {"these are the model's outputs"}
    plan = Plan(name, {n: tuple(range(0, g.units, 3))[: g.units - 1] for n, g in structure.groups.items()})
    smaller = cut(module, structure, plan).module
    images = torch.randn(2, 3, pixels, pixels)
    with torch.no_grad():
        masked, done = mask(module, structure, plan)(images), smaller(images)
        assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()
    single = images[:1]  # Swin V2 computes its position biases once a batch
    assert structure.cost(plan.kept(structure)) == count(smaller, single)
    smaller.train()(images).square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in smaller.parameters())
