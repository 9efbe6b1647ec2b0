"""Ten networks as people write them, each entering by its file and leaving as a smaller one."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten

from explorer.pruning import Plan, cut, mask
from explorer.sources import build, load_model
from explorer.sources.own_code import code_at, trust
from explorer.structure import adapt, analyse, count

NETWORKS = """
import torch, torchvision, timm
import torch.nn.functional as F
from torch import nn

class Two(nn.Module):  # a picture and numbers beside it
    def __init__(self):
        super().__init__()
        self.conv, self.mlp = nn.Conv2d(3, 12, 3, 2), nn.Linear(5, 12)
        self.head = nn.Linear(24, 4)
    def forward(self, picture, numbers):
        return self.head(torch.cat([F.relu(self.conv(picture)).mean((2, 3)), F.relu(self.mlp(numbers))], 1))

class Named(nn.Module):  # outputs in a dictionary, one of them nested
    def __init__(self):
        super().__init__()
        self.body, self.kind, self.depth = nn.Conv2d(3, 16, 3, padding=1), nn.Linear(16, 3), nn.Conv2d(16, 1, 1)
    def forward(self, x):
        seen = F.gelu(self.body(x))
        return {"kind": self.kind(seen.mean((2, 3))), "maps": [self.depth(seen)]}

class Writer(nn.Module):  # numbers of words
    def __init__(self):
        super().__init__()
        self.words, self.lstm, self.out = nn.Embedding(50, 16), nn.LSTM(16, 20, batch_first=True), nn.Linear(20, 50)
    def forward(self, ids):
        return self.out(self.lstm(self.words(ids))[0])

class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.deep = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 16, 3, 2, 1)
        self.up, self.out = nn.ConvTranspose2d(16, 8, 2, 2), nn.ConvTranspose2d(8, 2, 2, 2)
    def forward(self, x):
        high = F.relu(self.down(x))
        return self.out(F.relu(self.up(F.relu(self.deep(high)))) + high)

class Volume(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm, self.b = nn.Conv3d(1, 8, 3, padding=1), nn.BatchNorm3d(8), nn.Conv3d(8, 8, 3, padding=1)
        self.out = nn.Linear(8, 2)
    def forward(self, x):
        h = F.relu(self.norm(self.a(x)))
        return self.out((h + self.b(h)).mean((2, 3, 4)))

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.patches, self.encoder = nn.Conv2d(3, 32, 8, 8), nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(32, 6)
    def forward(self, x):
        return self.out(self.encoder(self.patches(x).flatten(2).mT).mean(1))

class Tabular(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(9, 32), nn.BatchNorm1d(32), nn.SiLU(), nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 1))

class Waves(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv1d(a, b, 5, 2) for a, b in ((1, 8), (8, 16), (16, 16)))
        self.gru, self.out = nn.GRU(16, 12, batch_first=True), nn.Linear(12, 3)
    def forward(self, x):
        for conv in self.convs:
            x = F.leaky_relu(conv(x), 0.1)
        return self.out(self.gru(x.mT)[0][:, -1])

def own_head():
    net = torchvision.models.mobilenet_v3_small(num_classes=10)
    net.classifier[3] = nn.Linear(1024, 7)
    return net, torch.zeros(1, 3, 64, 64)

class Backbone(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = timm.create_model("test_resnet", features_only=True)
        self.heads = nn.ModuleList(nn.Conv2d(width, 3, 1) for width in self.body.feature_info.channels())
    def forward(self, x):
        return tuple(head(seen) for head, seen in zip(self.heads, self.body(x)))

def two(): return Two(), (torch.zeros(1, 3, 16, 16), torch.zeros(1, 5))
def named(): return Named(), {"x": torch.zeros(1, 3, 16, 16)}
def writer(): return Writer(), torch.zeros(1, 7, dtype=torch.int64)
def segmenter(): return Segmenter(), torch.zeros(1, 3, 16, 16)
def volume(): return Volume(), torch.zeros(1, 1, 6, 6, 6)
def tokens(): return Tokens(), torch.zeros(1, 3, 32, 32)
def tabular(): return Tabular(), torch.zeros(1, 9)
def waves(): return Waves(), torch.zeros(1, 1, 64)
def backbone(): return Backbone(), torch.zeros(1, 3, 64, 64)
"""
NAMES = "two named writer segmenter volume tokens tabular waves own_head backbone".split()


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("own") / "nets.py"
    path.write_text(NETWORKS)
    return path


def flat(out: object) -> Tensor:
    return torch.cat([leaf.reshape(len(leaf), -1) for leaf in tree_flatten(out)[0]], 1)


@pytest.mark.parametrize("name", NAMES)
def test_it_enters_is_cut_and_is_built_again(file, name, tmp_path, monkeypatch):
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    trust(code_at(file))
    model = load_model(f"python:{file}:{name}")
    structure = analyse(model.module, model.example())
    assert structure.groups
    gone = {name: tuple(range(group.units // 4)) for name, group in structure.groups.items() if group.units >= 4}
    plan = Plan(model.ref, gone)
    smaller = cut(model.module, structure, plan)
    assert count(smaller.module, model.example()) == plan.cost(structure)
    inputs = model.example(3)
    inputs = inputs + torch.randn(inputs.shape) if inputs.is_floating_point() else inputs + torch.arange(7)
    again = build(model.architecture)
    adapt(again, smaller.module.state_dict(), smaller.attributes)
    with torch.no_grad():
        masked = flat(mask(model.module, structure, plan)(inputs))
        torch.testing.assert_close(flat(smaller.module(inputs)), masked, rtol=1e-4, atol=1e-5)
        assert torch.equal(flat(again(inputs)), flat(smaller.module(inputs)))
