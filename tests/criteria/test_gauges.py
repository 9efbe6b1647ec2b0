"""Reading the network's own activations instead of computing them again."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from explorer.criteria.tools.gauges import Gauge, Watch


class Block(nn.Module):
    """One ReLU module used thrice: on a norm's output, on a sum written into one, on what a GELU reads too."""

    def __init__(self):
        super().__init__()
        self.bn1, self.bn2, self.fc = nn.BatchNorm1d(3), nn.BatchNorm1d(3), nn.Linear(3, 3)
        self.relu, self.gelu = nn.ReLU(inplace=True), nn.GELU()

    def forward(self, x):
        y = self.relu(self.bn1(x))
        z = self.bn2(y)
        z += x
        z = self.fc(self.relu(z))
        return self.gelu(z) + self.relu(z)


DIRECT, SUMMED = Gauge("bn1", "relu", -1), Gauge("bn2", "relu", -1)
TWICE, SIGMOID = Gauge("fc", "relu", -1), Gauge("fc", "sigmoid", -1)


@torch.no_grad()
def test_later_passes_read_what_the_first_computes():
    torch.manual_seed(0)
    block, x = Block().eval(), torch.randn(7, 3)
    y = block.bn1(x).relu()
    added = block.bn2(y)
    hidden = block.fc((added + x).relu())
    expected = {
        DIRECT: y,
        SUMMED: F.relu(added),  # the sum belongs to others too: not read from the network's ReLU
        TWICE: F.relu(hidden),
        SIGMOID: F.sigmoid(hidden),
    }
    watch = Watch(block, list(expected))
    for passes in (1, 2, 3):
        seen = {}
        with watch.open(lambda gauge, activation, seen=seen: seen.update({gauge: activation.clone()})):
            block(x.clone())
        assert watch.followed == {DIRECT, TWICE}, passes
        for gauge, activation in expected.items():
            torch.testing.assert_close(seen[gauge], activation)


@torch.no_grad()
def test_a_first_pass_that_breaks_off_is_learnt_from_again():
    """As where memory ends behind an activation that a module of the network computes too."""
    block, x, seen = Block().eval(), torch.randn(7, 3), {}

    def full(*_):
        raise torch.OutOfMemoryError

    watch = Watch(block, [DIRECT])
    with watch.open(lambda gauge, activation: seen.update({gauge: activation.clone()})):
        handle = block.fc.register_forward_pre_hook(full)
        with pytest.raises(torch.OutOfMemoryError):
            block(x.clone())
        handle.remove()
        for _ in ("learns", "has learnt"):
            seen.clear()
            block(x.clone())
            torch.testing.assert_close(seen[DIRECT], block.bn1(x).relu())


@torch.no_grad()
def test_hooks_end_with_the_watch():
    block = Block().eval()
    with Watch(block, [DIRECT, TWICE]).open(lambda gauge, activation: None):
        assert any(part._forward_hooks for part in block.modules())
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in block.modules())
