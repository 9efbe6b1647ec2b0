"""SelfAttention is nn.MultiheadAttention, but whole heads can be cut out of it."""

import pytest
import torch
from torch import nn
from torchvision import models

from explorer.sources.networks.architectures import build
from explorer.sources.networks.attention import SelfAttention, replace_attention

TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def stock(width: int = 24, heads: int = 4, **arguments) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    attention = nn.MultiheadAttention(width, heads, **{"batch_first": True} | arguments)
    for parameter in attention.parameters():
        nn.init.normal_(parameter, std=0.5)
    return attention.eval()


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_same_state_dict_and_result(bias, training):
    attention = stock(bias=bias).train(training)
    ours = replace_attention(nn.Sequential(attention))[0]
    assert isinstance(ours, SelfAttention)
    assert list(ours.state_dict()) == list(attention.state_dict())
    assert ours.training is training
    x = torch.randn(2, 7, 24)
    expected, _ = attention(x, x, x, need_weights=False)
    result, weights = ours(x, x, x, need_weights=False)
    assert weights is None
    torch.testing.assert_close(result, expected, **TOLERANCE)


def test_gradients_reach_every_parameter():
    ours = SelfAttention(8, 2)
    ours(torch.randn(2, 3, 8))[0].square().sum().backward()
    assert all(parameter.grad is not None for parameter in ours.parameters())


def test_a_removed_head_is_a_head_whose_output_is_ignored():
    attention, width, head_dim = stock(), 24, 6
    kept = torch.tensor([0, 2, 3])
    columns = (kept[:, None] * head_dim + torch.arange(head_dim)).flatten()
    rows = torch.cat([columns, width + columns, 2 * width + columns])
    cut = SelfAttention(width, 4).eval()
    cut.in_proj_weight = nn.Parameter(attention.in_proj_weight[rows].detach())
    cut.in_proj_bias = nn.Parameter(attention.in_proj_bias[rows].detach())
    cut.out_proj = nn.Linear(len(columns), width)
    cut.out_proj.load_state_dict({"weight": attention.out_proj.weight[:, columns], "bias": attention.out_proj.bias})
    x = torch.randn(2, 5, width)
    with torch.no_grad():
        attention.out_proj.weight[:, head_dim : 2 * head_dim] = 0
        torch.testing.assert_close(cut(x)[0], attention(x, x, x)[0], **TOLERANCE)


@pytest.mark.parametrize("arguments", [{"batch_first": False}, {"kdim": 12, "vdim": 12}, {"add_bias_kv": True}])
def test_other_kinds_of_attention_stay(arguments):
    model = nn.Sequential(stock(**arguments))
    assert isinstance(replace_attention(model)[0], nn.MultiheadAttention)


def test_what_it_cannot_do_is_refused():
    ours, x = SelfAttention(8, 2), torch.randn(1, 3, 8)
    with pytest.raises(ValueError, match="own input"):
        ours(x, torch.randn(1, 4, 8))
    with pytest.raises(ValueError, match="masks"):
        ours(x, x, x, attn_mask=torch.zeros(3, 3))


def test_torchvision_transformer_keeps_its_logits():
    ours = build({"family": "torchvision", "name": "vit_b_32", "arguments": {"num_classes": 10, "image_size": 64}})
    assert not any(isinstance(module, nn.MultiheadAttention) for module in ours.modules())
    stock_model = models.vit_b_32(num_classes=10, image_size=64).eval()
    nn.init.normal_(stock_model.heads.head.weight)  # zero otherwise, and then all logits are
    ours.load_state_dict(stock_model.state_dict())
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        expected = stock_model(x)
        assert expected.std() > 1
        torch.testing.assert_close(ours(x), expected, rtol=1e-4, atol=1e-4)
