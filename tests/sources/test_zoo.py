"""The demo networks: their shapes, their size, and that parts can be taken out without telling them."""

import ast
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from explorer.sources.networks import attention, zoo
from explorer.sources.networks.zoo import ZOO, VisionTransformer


def take(layer: nn.Linear, rows: torch.Tensor | None = None, columns: torch.Tensor | None = None) -> None:
    """Keeps some outputs and inputs of a linear layer, its attributes untouched."""
    weight, bias = layer.weight.detach(), layer.bias.detach()
    weight = weight if rows is None else weight[rows]
    layer.weight = nn.Parameter(weight if columns is None else weight[:, columns])
    layer.bias = nn.Parameter(bias if rows is None else bias[rows])


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("channels", [1, 3])
def test_forward_backward_and_size(name, channels):
    model = ZOO[name](classes=7, channels=channels)
    logits = model(torch.randn(2, channels, 32, 32))
    assert logits.shape == (2, 7)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    assert sum(parameter.numel() for parameter in model.parameters()) * 4 < 1.34e6  # six of them stay under 8 MB


def test_resnet20_is_the_published_one():
    """He et al. 2016, table 6: 0.27 M parameters, 20 layers with weights besides the shortcuts."""
    model = ZOO["resnet20"](classes=10, channels=3)
    assert 0.27e6 < sum(parameter.numel() for parameter in model.parameters()) < 0.28e6
    weighted = [
        name
        for name, module in model.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear)) and "downsample" not in name
    ]
    assert len(weighted) == 20


def test_transformer_runs_without_some_heads():
    model = VisionTransformer(classes=4, channels=1).eval()
    layer, head = model.blocks[1].attention, model.blocks[1].attention.head_dim
    heads = layer.q.weight.shape[0] // head
    kept = torch.cat([torch.arange(i * head, (i + 1) * head) for i in range(heads) if i not in (1, 4)])
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        for gone in (1, 4):
            layer.out.weight[:, gone * head : (gone + 1) * head] = 0
        masked = model(x)
        for projection in (layer.q, layer.k, layer.v):
            take(projection, rows=kept)
        take(layer.out, columns=kept)
        torch.testing.assert_close(model(x), masked, rtol=1e-5, atol=1e-6)


def test_transformer_runs_without_some_hidden_units():
    model = VisionTransformer(classes=4, channels=1).eval()
    block, kept = model.blocks[0], torch.arange(192) % 3 != 0
    x = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        block.fc2.weight[:, ~kept] = 0
        masked = model(x)
        take(block.fc1, rows=kept)
        take(block.fc2, columns=kept)
        torch.testing.assert_close(model(x), masked, rtol=1e-5, atol=1e-6)


def test_transformer_runs_with_a_narrower_stream():
    model, kept = VisionTransformer(classes=4, channels=1).eval(), torch.arange(70)
    patch = model.patch
    patch.weight, patch.bias = nn.Parameter(patch.weight[kept]), nn.Parameter(patch.bias[kept])
    model.token, model.position = nn.Parameter(model.token[..., kept]), nn.Parameter(model.position[..., kept])
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.weight, module.bias = nn.Parameter(module.weight[kept]), nn.Parameter(module.bias[kept])
            module.normalized_shape = (len(kept),)
    for block in model.blocks:
        for reader in (block.attention.q, block.attention.k, block.attention.v, block.fc1):
            take(reader, columns=kept)
        for writer in (block.attention.out, block.fc2):
            take(writer, rows=kept)
    take(model.head, columns=kept)
    assert model(torch.randn(2, 1, 32, 32)).shape == (2, 4)


@pytest.mark.parametrize("module", [zoo, attention])
def test_stands_alone(module):
    """An exported bundle carries these files to places where nothing but torch is installed."""
    tree = ast.parse(Path(module.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} <= {"torch", *sys.stdlib_module_names}
