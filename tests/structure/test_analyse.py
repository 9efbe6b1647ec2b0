"""Which channels leave together, and what is said of those that can't leave."""

import copy
import json
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.structure import GROUP_KINDS, adapt, analyse, count, cut_module, mask_module
from explorer.structure.adapt import fitting
from tests import nets


def structure_of(net):
    return analyse(nets.alive(net), torch.randn(1, *nets.INPUT))


def producers(structure, name: str) -> set[str]:
    return {member.tensor for member in structure.groups[name].of_role("producer")}


def test_plain_net_has_one_group_per_layer_and_keeps_its_outputs():
    structure = structure_of(nets.Plain)
    assert {name: (g.kind, g.size) for name, g in structure.groups.items()} == {
        "conv1": ("conv", 8),
        "conv2": ("conv", 12),
        "fc1": ("linear", 10),
    }
    assert [(b.name, b.size, b.reason) for b in structure.blocked] == [("fc2", 5, "these are the model's outputs")]


def test_flattened_channels_own_a_run_of_the_linear_layers_inputs():
    group = structure_of(nets.Plain).groups["conv2"]
    read = next(m for m in group.members if m.tensor == "fc1.weight")
    assert read.role == "consumer"
    assert read.axis == 1
    assert read.units.tolist() == [channel for channel in range(12) for _ in range(16)]


def test_additions_tie_everything_that_writes_into_a_stream():
    structure = structure_of(nets.Residual)
    assert producers(structure, "stem") == {"stem.weight", "b.weight"}
    assert producers(structure, "d") == {"d.weight", "short.weight"}
    assert structure.groups["stem"].kind == "stream"
    assert "addition" in structure.groups["stem"].why
    assert structure.groups["a"].kind == "conv"


def test_taps_name_the_norm_and_the_first_non_linearity_also_after_a_sum():
    groups = structure_of(nets.Residual).groups
    taps = {(t.producer, t.module, t.activation) for name in ("stem", "a", "d") for t in groups[name].taps}
    assert taps == {
        ("stem.weight", "bn", "relu"),
        ("b.weight", "b", ""),  # summed into the stream, nothing after the sum
        ("a.weight", "a", "silu"),
        ("d.weight", "d", "relu"),  # the sum is normalised and then rectified
        ("short.weight", "short", "relu"),
    }


def test_depthwise_and_gates_join_their_input_and_grouped_convolutions_lose_one_channel_per_group():
    structure = structure_of(nets.Mobile)
    assert producers(structure, "expand") == {"expand.weight", "depth.weight", "twofold.weight", "excite.weight"}
    grouped = structure.groups["grouped"]
    assert (grouped.size, grouped.unit) == (8, 4)
    assert structure.groups["project"].unit == 4  # 12 inputs in 4 groups: the same place of every group


def test_attention_offers_whole_heads_stream_and_feed_forward():
    structure = structure_of(nets.Attention)
    kinds = {name: (g.kind, g.size, g.unit) for name, g in structure.groups.items()}
    assert kinds == {"patch": ("stream", 12, 1), "qkv": ("heads", 12, 4), "fc1": ("ffn", 20, 1)}
    tied = {m.tensor for m in structure.groups["patch"].members}
    assert {"token", "position", "scale", "norm1.weight", "norm3.bias", "head.weight"} <= tied


def test_a_module_called_twice_and_split_slices_are_tied():
    structure = structure_of(nets.Dense)
    assert structure.groups["c"].unit == 2  # left and right halves enter the same weights
    assert structure.groups["c"].units == 4


def test_inexact_groups_say_why():
    structure = structure_of(nets.Normed)
    assert structure.groups["a"].exact  # a group norm sees only the channels that stay
    assert not structure.groups["b"].exact
    assert "softmax" in structure.groups["b"].reason
    assert structure.groups["a"].unit == 2


def test_what_can_not_be_cut_is_listed_with_its_operator():
    structure = structure_of(nets.Awkward)
    assert list(structure.groups) == ["averaged", "free"]
    assert "mean" in structure.groups["averaged"].reason  # cuttable, but a mask would average over zeros
    reasons = {b.name: b.reason for b in structure.blocked}
    assert "sort over channels" in reasons["sorted"]
    assert "fixed width" in reasons["plus"]
    assert "no input" in reasons["unused"]


class Remembers(nn.Module):
    """A shape in the code repeats the width of `a`."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.fc = nets.conv(3, 6), nets.conv(6, 4), nn.Linear(4, 5)

    def forward(self, x):
        x = self.a(x)
        x = x.view(len(x), 6, -1).view(len(x), 6, 8, 8)
        return self.fc(torch.relu(self.b(x)).mean((2, 3)))


class InnerWidth(nn.Module):
    """Attention that takes the width of what it returns from its input, as EVA's and Swin's do."""

    def __init__(self) -> None:
        super().__init__()
        self.heads = 4
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x):
        batch, positions, width = x.shape
        q, k, v = self.qkv(x).view(batch, -1, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, positions, width)
        return self.out(x)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch, self.at, self.fc = nn.Conv2d(3, 16, 2, stride=2), InnerWidth(), nn.Linear(16, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.fc((x + self.at(x)).mean(1))


@pytest.mark.parametrize(
    ("make", "plan"),
    [
        (Remembers, {"a": (0, 3), "b": (1,)}),
        (Attending, {"at.qkv": (0, 3)}),
        (Attending, {"at.qkv": (1,), "patch": (0, 4, 5)}),
        (Attending, {"patch": tuple(range(8))}),
    ],
)
def test_shapes_in_the_code_that_repeat_a_width_follow_it(make, plan):
    torch.manual_seed(0)
    module = make().eval()
    structure = analyse(module, torch.randn(1, 3, 8, 8))
    assert {blocked.name for blocked in structure.blocked} == {"fc"}
    smaller, attributes = cut_module(module, structure, plan)
    x = torch.randn(3, 3, 8, 8)
    expected = mask_module(module, structure, plan)(x)
    assert torch.allclose(smaller(x), expected, atol=1e-5)
    kept = {name: structure.groups[name].units - len(units) for name, units in plan.items()}
    assert structure.cost(kept) == count(smaller, x)
    again = make().eval()
    adapt(again, smaller.state_dict(), json.loads(json.dumps(attributes)))
    for same in (again, copy.deepcopy(smaller), pickle.loads(pickle.dumps(smaller))):
        assert torch.equal(same(x), smaller(x))


@pytest.mark.parametrize(
    ("size", "shape", "follows"),
    [
        ((2, 5, 24), (2, 5, 24), {}),
        ((2, 5, 24), (2, -1, 24), {}),
        ((2, 5, 3, 8), (2, 5, 32), {2: 24}),
        ((2, 16, 9), (2, 32, 3, 3), {1: 16}),
        ((1, 2, 2, 7, 7, 36), (1, 4, 49, 3, 1, 24), {5: 12}),  # 2 windows of 49 would do, too
        ((1, 14, 2, 2), (1, 16, -1), {1: 14}),
        ((1, 4, 16), (1, -1, 2, 1, 16), {4: 8, 1: 4}),  # else 2 positions
        ((1, 12, 24), (1, 12, -1, 24), {}),  # one part, not 24
        ((6, 5), (-1, 2, 5), {}),
        ((6, 5), (6, 5, -1, 2), {}),
        ((2, 7), (3, 5), {}),
    ],
)
def test_the_width_that_makes_a_shape_fit(size, shape, follows):
    assert fitting(size, shape) == follows


class Halves(nn.Module):
    """The two halves of one layer's channels go different ways, parted by `part`."""

    def __init__(self, part) -> None:
        super().__init__()
        self.part = part
        self.a, self.left, self.right = nets.conv(3, 8), nets.conv(4, 3), nets.conv(4, 3)
        self.fc = nn.Linear(6, 5)

    def forward(self, x):
        left, right = self.part(torch.relu(self.a(x)))
        return self.fc(torch.cat([self.left(left), self.right(right)], 1).mean((2, 3)))


def test_equal_parts_lose_the_same_places():
    structure = structure_of(lambda: Halves(lambda x: x.chunk(2, dim=1)))
    group = structure.groups["a"]
    assert (group.units, group.unit) == (4, 2)
    assert group.members[0].units.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]


def test_fixed_bounds_between_channels_block_what_lies_before_them():
    structure = structure_of(lambda: Halves(lambda x: (x[:, :4], x[:, 4:])))
    assert {"left", "right"} <= set(structure.groups)
    before = [g for g in structure.groups.values() if g.name.startswith("a")]
    assert all(set(m.units[:4].tolist()) == {-1} for g in before for m in g.members if m.tensor == "a.weight")
    assert "a" in {b.name for b in structure.blocked}


def test_the_model_is_left_as_it_was():
    module = nets.alive(nets.Residual).train()
    module.bn.eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    random_state = torch.random.get_rng_state()
    analyse(module, torch.randn(1, *nets.INPUT, generator=torch.Generator().manual_seed(1)))
    assert module.training
    assert not module.bn.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert torch.equal(random_state, torch.random.get_rng_state())
    assert not any(layer._forward_hooks or layer._forward_pre_hooks for layer in module.modules())


def test_an_input_that_does_not_fit_is_one_clear_line():
    with pytest.raises(ExplorerError, match="does not run on an input of 3×12×12: ") as caught:
        analyse(nets.alive(nets.Attention), torch.randn(1, 3, 12, 12))
    assert "\n" not in str(caught.value)


def test_counted_products():
    """A convolution: positions × kernel × in × out; attention: both products; by hand."""
    cost = count(nets.alive(nets.Attention), torch.randn(2, *nets.INPUT))
    patch = 4 * (3 * 4 * 4) * 12
    linears = 5 * (12 * 36 + 12 * 12 + 12 * 20 + 20 * 12) + 12 * 5
    attention = 2 * (5 * 5 * 12)
    assert cost.macs == patch + linears + attention


@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU, nn.RNN])
def test_hidden_units_of_recurrent_layers_are_a_kind_of_their_own(layer):
    """All gates of a unit leave at once; the size counts units, not gates."""

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.head = layer(6, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.layer(x)[0][:, -1])

    group = analyse(Reader(), torch.randn(1, 3, 6)).groups["layer"]
    assert (group.kind, group.size, group.unit) == ("recurrent", 5, 1)
    assert group.kind in GROUP_KINDS
