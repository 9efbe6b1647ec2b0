"""What the proof demands of a cut, and how it finds widths that the code keeps in plain attributes."""

import copy
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from explorer.errors import ExplorerError
from explorer.structure import adapt, analyse, count, cut_module, mask_module, rules
from explorer.structure.operators import Kind

TOKENS = torch.randn(1, 6, 16, generator=torch.Generator().manual_seed(0))


def cut_exactly(module: nn.Module, structure, example=TOKENS) -> None:
    """A third of every group leaves: the mask is the cut, the cost is a count, and a fresh module reloads it."""
    module.eval()
    removal = {name: tuple(range(max(1, group.units // 3))) for name, group in structure.groups.items()}
    kept = {name: structure.groups[name].units - len(units) for name, units in removal.items()}
    smaller, attributes = cut_module(module, structure, removal)
    assert count(smaller, example) == structure.cost(kept)
    with torch.no_grad():
        expected = smaller(example)
        torch.testing.assert_close(mask_module(module, structure, removal)(example), expected, atol=1e-5, rtol=1e-4)
        fresh = copy.deepcopy(module)
        adapt(fresh, smaller.state_dict(), attributes)
        assert torch.equal(fresh(example), expected)


class Heads(nn.Module):
    """Attention of four heads of four places each, whose code shapes its tensors as `shaped` says."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)
        self.num_heads, self.window_size, self.split = 4, 4, (16, 16, 16)

    def parts(self, x):
        q, k, v = self.qkv(x).split(self.split, -1)
        return (part.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for part in (q, k, v))

    def joined(self, x, heads):
        return self.out(heads.transpose(1, 2).flatten(2))

    def forward(self, x):
        assert self.window_size == 4  # no width, though it equals one
        q, k, v = self.parts(x)
        return x + self.joined(x, nn.functional.scaled_dot_product_attention(q, k, v, scale=0.5))


class Wide(Heads):
    """Writes as many channels as it reads."""

    def joined(self, x, heads):
        return self.out(heads.transpose(1, 2).reshape(x.shape))


@dataclass
class Config:
    heads: int = 4


class Configured(Heads):
    def __init__(self) -> None:
        super().__init__()
        self.config = Config()

    def parts(self, x):
        return (p.unflatten(-1, (self.config.heads, -1)).transpose(1, 2) for p in self.qkv(x).split(self.split, -1))


class Hidden(Heads):
    """Reads an attribute in a way that is not seen."""

    def parts(self, x):
        heads = self.__dict__["num_heads"]
        return (part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in self.qkv(x).split(self.split, -1))


def network(attention: type[nn.Module]) -> nn.Module:
    return nn.Sequential(nn.Linear(16, 16), attention(), attention(), nn.LayerNorm(16), nn.Linear(16, 3)).eval()


@pytest.mark.parametrize(
    ("attention", "attribute"), [(Heads, "num_heads"), (Configured, "config.heads")], ids=["number", "configuration"]
)
def test_numbers_that_the_code_reads_follow_a_cut(attention, attribute):
    module = network(attention)
    structure = analyse(module, TOKENS)
    heads = structure.groups["1.qkv"]
    assert (heads.kind, heads.units, heads.unit) == ("heads", 4, 4)
    assert {stored.attribute for stored in heads.stored} == {attribute, "split"}
    assert structure.groups["0"].kind == "stream"
    assert structure.forwards <= 10
    cut_exactly(module, structure)


def test_heads_leave_from_a_module_that_takes_their_width_from_what_it_reads():
    module = network(Wide)
    structure = analyse(module, TOKENS)
    kinds = {name: (group.kind, group.units) for name, group in structure.groups.items()}
    assert kinds == {"0": ("stream", 16), "1.qkv": ("heads", 4), "2.qkv": ("heads", 4)}
    assert {shape.module for shape in structure.groups["1.qkv"].fitted} == {"1"}
    cut_exactly(module, structure)


class CrossStage(nn.Module):
    """Splits by half of a number that is as large as what it joins later, too."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = 16
        self.expand, self.inner, self.join = nn.Linear(16, 16), nn.Linear(8, 8), nn.Linear(16, 3)

    def forward(self, x):
        a, b = self.expand(x).relu().split(self.wide // 2, -1)
        return self.join(torch.cat([a, self.inner(b).relu()], -1))


class DualPath(nn.Module):
    """Its first channels are added to the input's, the others joined to these."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.added, self.hidden, self.layers = 8, nn.Linear(width, 8), nn.Linear(8, 12)

    def forward(self, x):
        made = self.layers(self.hidden(x).relu())
        return torch.cat(
            [x[..., : self.added] + made[..., : self.added], x[..., self.added :], made[..., self.added :]], -1
        )


class Partial(nn.Module):
    """A layer for a part of the channels, which gives as many as it gets."""

    def __init__(self) -> None:
        super().__init__()
        self.some, self.others = 4, 12
        self.mix, self.hidden, self.out = nn.Linear(4, 4), nn.Linear(16, 20), nn.Linear(20, 16)

    def forward(self, x):
        a, b = x.split([self.some, self.others], -1)
        return x + self.out(self.hidden(torch.cat([self.mix(a), b], -1)).relu())


class Cascade(nn.Module):
    """A layer for each head, and two numbers for the widths of all."""

    def __init__(self) -> None:
        super().__init__()
        self.key, self.value = 4, 6
        self.heads = nn.ModuleList(nn.Linear(16, 14) for _ in range(3))
        self.out = nn.Linear(18, 16)

    def forward(self, x):
        made = []
        for head in self.heads:
            q, k, v = head(x).split([self.key, self.key, self.value], -1)
            made.append((q * 0.5 @ k.mT).softmax(-1) @ v)
        return x + self.out(torch.cat(made, -1))


@pytest.mark.parametrize(
    "make",
    [
        CrossStage,
        lambda: nn.Sequential(nn.Linear(16, 10), DualPath(10), DualPath(14), nn.Linear(18, 3)),
        lambda: nn.Sequential(nn.Linear(16, 16), Partial(), Partial(), nn.Linear(16, 3)),
        lambda: nn.Sequential(nn.Linear(16, 16), Cascade(), nn.Linear(16, 3)),
    ],
    ids=["half", "slices", "parts", "loop"],
)
def test_numbers_by_which_channels_are_taken_follow_these(make):
    torch.manual_seed(0)
    module = make().eval()
    structure = analyse(module, TOKENS)
    assert all("outputs" in part.reason for part in structure.blocked)
    assert structure.forwards < 40  # parts of so small a network are large shares of it
    cut_exactly(module, structure)


def test_numbers_in_lists_are_widths_only_beside_a_layer():
    class Outer(nn.Module):
        """Its list numbers what it keeps; 12 and 20 are widths inside by chance."""

        def __init__(self) -> None:
            super().__init__()
            self.keep = [1, 12, 20]
            self.body = nn.Sequential(nn.Linear(16, 12), nn.ReLU(), nn.Linear(12, 20), nn.ReLU(), nn.Linear(20, 3))

        def forward(self, x):
            assert self.keep == [1, 12, 20]
            return self.body(x)

    module = Outer()
    structure = analyse(module, TOKENS)
    assert structure.forwards < 10
    assert len(structure.groups) == 2
    assert not any(group.stored for group in structure.groups.values())


def test_a_part_that_several_modules_have_is_multiplied_in_each():
    class Twice(nn.Module):
        """Its layer is one that an earlier module has, too."""

        def __init__(self, shared: nn.Module) -> None:
            super().__init__()
            self.shared, self.inner, self.out, self.wide = shared, nn.Linear(16, 12), nn.Linear(12, 16), 12

        def forward(self, x):
            return self.out(self.inner(self.shared(x)).view(len(x), -1, self.wide).relu())

    shared = nn.Linear(16, 16)
    module = nn.Sequential(shared, nn.ReLU(), Twice(shared), Twice(shared), nn.Linear(16, 3)).eval()
    structure = analyse(module, TOKENS)
    assert {"2.inner", "3.inner"} <= structure.groups.keys()
    cut_exactly(module, structure)


def test_a_caller_names_attributes_that_are_not_seen():
    module = network(Hidden)
    assert "1.qkv" not in analyse(module, TOKENS).groups
    structure = analyse(module, TOKENS, attributes=["*.num_heads"])
    assert structure.groups["1.qkv"].kind == "heads"
    cut_exactly(module, structure)


def test_a_cut_that_runs_but_slices_other_heads_is_refused():
    """The tokens swallow what a missing head leaves: the cut model returns tensors of the right shape."""

    class Swallows(Heads):
        def parts(self, x):
            return (p.reshape(1, -1, 4, 4).transpose(1, 2) for p in self.qkv(x).chunk(3, -1))

        def joined(self, x, heads):
            return self.out(heads.transpose(1, 2).reshape(1, 6, -1))

    structure = analyse(network(Swallows), TOKENS)
    assert "1.qkv" not in structure.groups
    assert any(part.name == "1.qkv" for part in structure.blocked)
    cut_exactly(network(Swallows), structure)


def test_norms_that_look_fresh_hide_nothing():
    """With weights of one and zero, a norm over fixed runs of channels would agree with its mask by chance."""

    class Runs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(16, 12), nn.Linear(12, 3)
            self.norm = nn.BatchNorm1d(12)

        def forward(self, x):
            return self.b(self.norm(self.a(x)[:, 0]) + self.norm.weight[:1])

    module = Runs().eval()
    cut_exactly(module, analyse(module, TOKENS))


def test_a_rule_that_fails_freezes_what_it_touches_and_no_more(monkeypatch):
    def fail(*args):
        raise IndexError("no such axis")

    monkeypatch.setitem(rules.RULES, Kind.SOFTMAX, fail)
    module = nn.Sequential(nn.Linear(16, 8), nn.Softmax(-1), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    structure = analyse(module, TOKENS)
    assert list(structure.groups) == ["2"]
    assert "the rule for _softmax failed (no such axis)" in next(b.reason for b in structure.blocked if b.name == "0")
    cut_exactly(module, structure)


def test_only_a_model_that_does_not_run_by_itself_is_said_not_to_run():
    class Unwatched(nn.Linear):
        def forward(self, x):
            if self._forward_hooks:
                raise RuntimeError("somebody is looking")
            return super().forward(x)

    module = nn.Sequential(Unwatched(16, 8), nn.ReLU(), nn.Linear(8, 3))
    structure = analyse(module, TOKENS)
    assert not structure.groups
    assert {part.name for part in structure.blocked} == {"0", "2"}
    assert all("somebody is looking" in part.reason for part in structure.blocked)
    assert structure.cost() == count(module, TOKENS)
    with pytest.raises(ExplorerError, match="does not run on an input of 6×15"):
        analyse(module, TOKENS[..., :15])


def test_features_of_a_backbone_may_be_narrowed():
    module = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 12))
    assert list(analyse(module, TOKENS).groups) == ["0"]
    structure = analyse(module, TOKENS, keep_outputs=False)
    assert list(structure.groups) == ["0", "2"]
    smaller, _ = cut_module(module, structure, {"2": (0, 5)})
    kept = [i for i in range(12) if i not in (0, 5)]
    torch.testing.assert_close(smaller(TOKENS), module(TOKENS)[..., kept])


def test_encoders_of_torch_are_masked_exactly_on_their_fused_path():
    layer = nn.TransformerEncoderLayer(16, 4, 24, batch_first=True)
    module = nn.Sequential(nn.Linear(16, 16), nn.TransformerEncoder(layer, 2), nn.Linear(16, 3)).eval()
    structure = analyse(module, TOKENS)
    removal = {name: (0, 3) for name, group in structure.groups.items() if group.exact and group.units > 4}
    assert {structure.groups[name].kind for name in removal} == {"stream", "ffn"}
    with torch.inference_mode():
        expected = cut_module(module, structure, removal)[0](TOKENS)
        torch.testing.assert_close(mask_module(module, structure, removal)(TOKENS), expected, atol=1e-5, rtol=1e-4)


class Scaled(nn.Module):
    """Returns its channels in a dictionary, and reads a number that is their width by chance."""

    def __init__(self) -> None:
        super().__init__()
        self.enter, self.layers, self.places = nn.Linear(16, 12), nn.ModuleList(map(Feed, (8, 20))), 12

    def forward(self, x):
        x = self.enter(x) * (24 / self.places)
        for layer in self.layers:
            x = x + layer(x)
        return {"hidden": x}


class Feed(nn.Sequential):
    def __init__(self, inner: int) -> None:
        super().__init__(nn.Linear(12, inner), nn.GELU(), nn.Linear(inner, 12))


class Tied(nn.Module):
    """Has no weights beside those of its part."""

    def __init__(self) -> None:
        super().__init__()
        self.body = Scaled()

    def forward(self, x):
        return self.body(x)["hidden"] @ self.body.enter.weight


def test_what_a_part_returns_in_a_dictionary_may_be_narrower():
    torch.manual_seed(0)
    module = Tied()
    structure = analyse(module, TOKENS)
    assert {name: group.units for name, group in structure.groups.items()} == {
        "body.enter": 12,
        "body.layers.0.0": 8,
        "body.layers.1.0": 20,
    }
    assert not structure.groups["body.enter"].stored
    cut_exactly(module, structure)


def test_maps_that_a_dropout_draws_in_training_fix_nothing():
    class Segments(nn.Module):
        """The auxiliary output is there in training only, so tracing goes on in training mode."""

        def __init__(self) -> None:
            super().__init__()
            self.body, self.drop = nn.Conv2d(3, 8, 3), nn.Dropout2d(0.5)
            self.head, self.auxiliary = nn.Conv2d(8, 2, 1), nn.Conv2d(8, 2, 1)

        def forward(self, x):
            x = self.drop(self.body(x))
            return (self.head(x), self.auxiliary(x)) if self.training else self.head(x)

    image = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    structure = analyse(Segments().eval(), image)
    assert {m.tensor for m in structure.groups["body"].of_role("consumer")} == {"head.weight", "auxiliary.weight"}
    cut_exactly(Segments().eval(), structure, image)
