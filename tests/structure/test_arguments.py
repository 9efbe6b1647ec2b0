"""Constants that modules are given with a number for every head, or channel: these leave with the heads."""

import copy
import json
import math
import pickle

import pytest
import torch
from torch import Tensor, nn

from explorer.structure import Structure, adapt, analyse, count, cut_module, mask_module

TOKENS = torch.randn(2, 6, 16, generator=torch.Generator().manual_seed(0))


def slopes(heads: int, length: int) -> Tensor:
    """(heads, 1, length)"""
    return torch.arange(length) * 2.0 ** -torch.arange(1, heads + 1).view(-1, 1, 1)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out, self.heads = nn.Linear(16, 48), nn.Linear(16, 16), 4

    def parts(self, x: Tensor) -> list[Tensor]:
        return [part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, -1)]

    def joined(self, weights: Tensor, v: Tensor) -> Tensor:
        return self.out((weights.softmax(-1) @ v).transpose(1, 2).flatten(2))


class Folded(Attention):
    """The batch is folded into the heads, as in BLOOM."""

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = (part.flatten(0, 1) for part in self.parts(x))
        weights = bias.baddbmm(q, k.mT, alpha=0.5).unflatten(0, (len(x), -1))
        return self.joined(weights, v.unflatten(0, (len(x), -1)))


class Sliced(Attention):
    """Takes the last places of what is made for longer texts, as MPT does."""

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = self.parts(x)
        return self.joined(q @ k.mT / 2 + 0.5 * bias[..., -x.shape[1] :], v)


class Buffered(Attention):
    """Has slopes of its own, that building it gives, and makes of them what it adds."""

    slopes: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("slopes", 2.0 ** -torch.arange(1, 5), persistent=False)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = self.parts(x)
        return self.joined(q @ k.mT / 2 - self.slopes[:, None, None] * torch.arange(x.shape[1]).flip(0), v)


class Twice(Sliced):
    """Uses what it is given itself and gives it on."""

    def __init__(self) -> None:
        super().__init__()
        self.softened = Softened()

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        q, k, v = self.parts(x)
        return self.joined(self.softened(q @ k.mT + bias, bias), v)


class Softened(nn.Module):
    def forward(self, weights: Tensor, bias: Tensor) -> Tensor:
        return weights + bias.sigmoid()


class OfTorch(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return self.attention(x, x, x, attn_mask=bias.expand(-1, x.shape[1], -1), need_weights=False)[0]


class Block(nn.Module):
    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.norm, self.attention = nn.LayerNorm(16), attention

    def forward(self, x: Tensor, bias: Tensor) -> Tensor:
        return x + self.attention(self.norm(x), bias=bias)


class Alibi(nn.Module):
    """Makes the slopes for the heads that it was built with, whatever its blocks have left."""

    def __init__(self, attention: type[nn.Module]) -> None:
        super().__init__()
        self.folded, self.longer = attention in (Folded, OfTorch), 3 if attention is Sliced else 0
        self.first, self.last = nn.Linear(16, 16), nn.Linear(16, 3)
        self.blocks = nn.ModuleList(Block(attention()) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        bias = slopes(4, x.shape[1] + self.longer)
        x = self.first(x)
        for block in self.blocks:
            x = block(x, bias.repeat(len(x), 1, 1) if self.folded else bias)
        return self.last(x)


def cut(module: nn.Module, structure: Structure, share: float) -> nn.Module:
    """What is left; the mask is the cut, the cost a count, and a fresh network takes it over."""
    removal = {name: tuple(range(0, group.units, round(1 / share))) for name, group in structure.groups.items()}
    kept = {name: structure.groups[name].units - len(units) for name, units in removal.items()}
    smaller, attributes = cut_module(module, structure, removal)
    assert count(smaller, TOKENS[:1]) == structure.cost(kept)
    fresh = copy.deepcopy(module)
    adapt(fresh, smaller.state_dict(), json.loads(json.dumps(attributes)))
    with torch.no_grad():
        torch.testing.assert_close(mask_module(module, structure, removal)(TOKENS), smaller(TOKENS))
        for same in (fresh, copy.deepcopy(smaller), pickle.loads(pickle.dumps(smaller))):
            assert torch.equal(same(TOKENS), smaller(TOKENS))
    return fresh


@pytest.mark.parametrize("attention", [Folded, Sliced, Twice, OfTorch, Buffered])
def test_heads_leave_with_the_slopes_that_their_attention_is_given(attention):
    module = Alibi(attention).eval()
    structure = analyse(module, TOKENS[:1])
    heads = [group for group in structure.groups.values() if group.kind == "heads"]
    assert [group.units for group in heads] == [4, 4]
    assert not structure.blocked or {part.name for part in structure.blocked} == {"last"}
    smaller = cut(module, structure, 1 / 4)
    again = analyse(smaller, TOKENS[:1])
    assert [group.units for group in again.groups.values() if group.kind == "heads"] == [3, 3]
    cut(smaller, again, 1 / 2)


class Positions(nn.Module):
    """Adds sines of the places, which it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 16)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        return x + self.inner(x + places).relu()


class Placed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(16, 16), Positions(), nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        places = torch.outer(torch.arange(x.shape[1]), math.pi / torch.arange(1.0, 17)).sin()
        return self.last(self.middle(self.first(x), places))


def test_channels_leave_with_the_positions_that_a_module_adds():
    module = Placed().eval()
    structure = analyse(module, TOKENS[:1])
    assert structure.groups["first"].units == 16
    cut(module, structure, 1 / 4)


def test_what_the_model_itself_is_given_stays_whole():
    structure = analyse(Sliced().eval(), (TOKENS[:1], slopes(4, 6)[None]))
    assert not [group for group in structure.groups.values() if group.kind == "heads"]
    assert any("fixed width" in part.reason for part in structure.blocked)
