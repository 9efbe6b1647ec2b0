"""Attention and transformers of torch, whose heads have one width with their inputs, lose heads, places and streams."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from explorer.bench.families import stir
from explorer.structure import adapt, analyse, count, cut_module, mask_module
from explorer.structure.adapt import FreeAttention

WIDTH, HEADS = 16, 4


class Net(nn.Module):
    """Runs `part` on an embedding of (batch, positions, 6), batch first or positions first."""

    def __init__(self, part: nn.Module, run: Callable[..., Tensor], first: bool) -> None:
        super().__init__()
        self.part, self.run, self.first = part, run, first
        self.embed, self.fc = nn.Linear(6, WIDTH), nn.Linear(WIDTH, 5)
        self.probe = nn.Parameter(torch.randn(1, 2, WIDTH))

    def turned(self, x: Tensor) -> Tensor:
        return x if self.first else x.transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        padding = torch.arange(x.shape[1]).expand(len(x), -1) == x.shape[1] - 1
        y = self.run(self, self.turned(self.embed(x).relu()), self.turned(x), padding)
        return self.fc(self.turned(y).mean(1))


def causal(size: int) -> Tensor:
    return nn.Transformer.generate_square_subsequent_mask(size)


def encoder(first: bool) -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(WIDTH, HEADS, 24, batch_first=first), 2)


def decoder(first: bool) -> nn.Module:
    return nn.TransformerDecoder(nn.TransformerDecoderLayer(WIDTH, HEADS, 24, batch_first=first, norm_first=True), 1)


def attention(**options: object) -> Callable[[bool], nn.Module]:
    return lambda first: nn.MultiheadAttention(WIDTH, HEADS, batch_first=first, **options)


CASES = {
    "encoder": (encoder, lambda net, x, raw, padding: net.part(x, src_key_padding_mask=padding)),
    "decoder": (
        decoder,
        lambda net, x, raw, padding: net.part(x, x * 2, tgt_mask=causal(5), tgt_is_causal=True),
    ),
    "self": (attention(), lambda net, x, raw, padding: x + net.part(x, x, x, key_padding_mask=padding)[0]),
    "biased": (
        attention(add_bias_kv=True, add_zero_attn=True),
        lambda net, x, raw, padding: x + net.part(x, x, x, key_padding_mask=padding, attn_mask=causal(5) < 0)[0],
    ),
    "pooling": (
        attention(),
        lambda net, x, raw, padding: net.part(net.turned(net.probe.expand(len(padding), -1, -1)), x, x)[0],
    ),
    "across": (
        attention(kdim=6, vdim=6, bias=False),
        lambda net, x, raw, padding: x + net.part(x, raw, raw, need_weights=False)[0],
    ),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_heads_and_streams_leave(name: str, first: bool):
    make, run = CASES[name]
    torch.manual_seed(0)
    module = stir(Net(make(first), run, first)).eval()
    structure = analyse(module, torch.randn(1, 5, 6))
    kinds = [group.kind for group in structure.groups.values()]
    assert kinds.count("heads") == {"encoder": 2, "decoder": 2}.get(name, 1)
    assert {blocked.name for blocked in structure.blocked if not blocked.places} <= {"fc", "probe"}
    exact = {name: list(range(0, g.units, 3)) for name, g in structure.groups.items() if g.exact}
    assert any(structure.groups[name].kind == "heads" for name in exact)
    smaller, attributes = cut_module(module, structure, exact)
    x = torch.randn(2, 5, 6)
    with torch.no_grad():  # where torch would fuse, and leave out what is padded
        out = smaller(x)
    assert torch.allclose(out, mask_module(module, structure, exact)(x), atol=1e-5)
    kept = {name: structure.groups[name].units - len(units) for name, units in exact.items()}
    assert structure.cost(kept) == count(smaller, x)
    again = Net(make(first), run, first).eval()
    adapt(again, smaller.state_dict(), attributes)
    assert torch.equal(again(x), smaller(x))
    smaller.train()(x).sum().backward()


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("options", [{}, {"add_bias_kv": True, "add_zero_attn": True}, {"kdim": WIDTH, "vdim": 6}])
def test_free_attention_is_that_of_torch(options: dict, first: bool):
    torch.manual_seed(0)
    theirs = nn.MultiheadAttention(WIDTH, HEADS, batch_first=first, **options).eval()
    ours = nn.MultiheadAttention(WIDTH, HEADS, batch_first=first, **options).eval()
    ours.load_state_dict(theirs.state_dict())
    ours.__class__, ours.scale = FreeAttention, theirs.head_dim**-0.5
    query, key, value = (torch.randn(3, 3, width) for width in (WIDTH, WIDTH, theirs.vdim))
    padding = torch.tensor([[False, False, True]]).expand(3, -1)
    masks: tuple[Tensor | None, ...] = (None, causal(3), causal(3) < 0, torch.randn(3 * HEADS, 3, 3))
    for mask in masks:
        for call in (
            {"attn_mask": mask, "key_padding_mask": padding if mask is None or mask.dtype != torch.float else None},
            {"attn_mask": mask, "need_weights": False},
            {"attn_mask": mask, "average_attn_weights": False},
        ):
            for mine, expected in zip(ours(query, key, value, **call), theirs(query, key, value, **call), strict=True):
                assert (mine is None) == (expected is None)
                assert mine is None or torch.allclose(mine, expected, atol=1e-6)
    single = ours(query[0], key[0], value[0])
    for mine, expected in zip(single, theirs(query[0], key[0], value[0]), strict=True):
        assert torch.allclose(mine, expected, atol=1e-6)
