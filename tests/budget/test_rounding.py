"""Widths that are multiples of a number, in the cut network itself: also where heads and places in them both leave."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.budget import Target, allocate
from explorer.criteria import Scores
from explorer.pruning import Plan, cut
from explorer.sources.networks.attention import SelfAttention
from explorer.structure import analyse


class Attending(nn.Module):
    """Two layers of attention between a patch embedding and a classifier."""

    def __init__(self, heads: int, places: int) -> None:
        super().__init__()
        width = heads * places
        self.embed = nn.Conv2d(3, width, 4, 4)
        self.first, self.second = SelfAttention(width, heads), SelfAttention(width, heads)
        self.up, self.down = nn.Linear(width, 48), nn.Linear(48, width)
        self.head = nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x).flatten(2).mT
        x = x + self.first(x)[0]
        x = x + self.second(x)[0]
        return self.head((x + self.down(self.up(x).relu())).mean(1))


class Joined(nn.Module):
    """Channels of a convolution beside ten that nothing may cut, read as one width."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.read = nn.Conv2d(10, 32, 1), nn.Conv2d(42, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.read(torch.cat([self.made(x), x], 1))


def scored(structure, seed=0):
    generator = np.random.default_rng(seed)
    return Scores("random", 0.0, {name: generator.random(units) for name, units in structure.full.items()})


def odd_widths(whole: nn.Module, smaller: nn.Module, multiple: int) -> dict[str, int]:
    """Outputs of layers that changed and are no multiple; of a fused projection those of each part."""
    found = {}
    before = dict(whole.named_parameters())
    for name, tensor in smaller.named_parameters():
        width = len(tensor) // (3 if "in_proj" in name else 1)
        if len(tensor) != len(before[name]) and width % multiple:
            found[name] = width
    return found


@pytest.mark.parametrize("multiple", [4, 6, 8, 16])
@pytest.mark.parametrize(("heads", "places"), [(6, 16), (5, 12), (4, 8), (8, 4), (3, 10)])
def test_products_of_heads_and_places_are_multiples(heads, places, multiple):
    net = Attending(heads, places).eval()
    structure = analyse(net, torch.randn(1, 3, 16, 16))
    assert {"heads", "head-dims"} <= {group.kind for group in structure.groups.values()}
    for seed, keep in enumerate((0.8, 0.6, 0.4, 0.2)):
        found = allocate("global", structure, scored(structure, seed), Target("macs", keep), round_to=multiple)
        smaller = cut(net, structure, Plan("", found.remove)).module
        assert odd_widths(net, smaller, multiple) == {}
        assert not any("no multiple" in warning for warning in found.warnings)


def test_places_fit_the_heads_that_left_before():
    net = Attending(6, 16).eval()
    structure = analyse(net, torch.randn(1, 3, 16, 16))
    locked = {"first": 1, "second": 3}
    found = allocate("global", structure, scored(structure), Target("macs", 0.4), locked=locked, round_to=8)
    smaller = cut(net, structure, Plan("", found.remove)).module
    assert len(smaller.first.in_proj_weight) // 3 % 5 == 0
    assert odd_widths(net, smaller, 8) == {}


def test_a_width_that_can_not_be_a_multiple_is_said_with_its_layer_and_reason():
    net = Joined().eval()
    structure = analyse(net, torch.randn(1, 10, 4, 4))
    found = allocate("global", structure, scored(structure), Target("macs", 0.5), round_to=8)
    kept = 32 - len(found.remove["made"])
    assert kept % 8 == 0
    assert any(
        warning == f"read keeps {kept + 10} channels, no multiple of 8: 10 of them belong to layers that are left whole"
        for warning in found.warnings
    )


def test_widths_that_a_person_holds_are_said_too():
    net = Attending(6, 16).eval()
    structure = analyse(net, torch.randn(1, 3, 16, 16))
    found = allocate("global", structure, scored(structure), Target("macs", 0.4), locked={"up": 3}, round_to=8)
    assert any("up keeps 45 channels" in warning and "45 units of up" in warning for warning in found.warnings)
