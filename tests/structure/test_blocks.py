"""Residual blocks: which modules are some, and plans that take them out, over networks of every kind."""

import copy
import json
import random
from collections.abc import Callable
from functools import cache, partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torchvision.models import ConvNeXt, MobileNetV2, ResNet, SwinTransformer, VisionTransformer
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.resnet import Bottleneck

from explorer.bench.families import make, stir
from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut, mask
from explorer.pruning.remaining import in_original, remaining
from explorer.sources.networks.attention import replace_attention
from explorer.sources.networks.windows import replace_windows
from explorer.sources.networks.zoo import ZOO
from explorer.structure import Structure, adapt, analyse, count

IMAGE = (3, 32, 32)


def _torchvision(build: Callable[[], nn.Module]) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return stir(replace_windows(replace_attention(build()))).eval(), torch.randn(2, *IMAGE)


CASES: dict[str, tuple[Callable[[], tuple[nn.Module, Tensor]], list[str]]] = {
    "resnet20": (
        partial(_torchvision, lambda: ZOO["resnet20"](classes=5, channels=3)),
        ["layer1.0", "layer1.1", "layer1.2", "layer2.1", "layer2.2", "layer3.1", "layer3.2"],
    ),
    "vit": (partial(_torchvision, lambda: ZOO["vit"](classes=5, channels=3)), [f"blocks.{i}" for i in range(4)]),
    "torchvision resnet": (
        partial(_torchvision, lambda: ResNet(Bottleneck, [1, 2, 1, 2], num_classes=5, width_per_group=8)),
        ["layer2.1", "layer4.1"],
    ),
    "torchvision vit": (
        partial(_torchvision, lambda: VisionTransformer(32, 8, 2, 2, 16, 32, num_classes=5)),
        ["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"],
    ),
    "torchvision swin": (
        partial(_torchvision, lambda: SwinTransformer([4, 4], 8, [2, 1], [1, 2], [4, 4], num_classes=5)),
        ["features.1.0", "features.1.1", "features.3.0"],
    ),
    "torchvision convnext": (
        partial(_torchvision, lambda: ConvNeXt([CNBlockConfig(8, 12, 2), CNBlockConfig(12, None, 1)], num_classes=5)),
        ["features.1.0", "features.1.1", "features.3.0"],
    ),
    "torchvision mobilenet": (
        partial(
            _torchvision,
            lambda: MobileNetV2(
                5, inverted_residual_setting=[[1, 8, 1, 1], [3, 8, 2, 1], [3, 12, 2, 2]], round_nearest=4
            ),
        ),
        ["features.2", "features.3", "features.5"],
    ),
    "hf:resnet": (
        partial(make, "hf:resnet"),
        ["model.resnet.encoder.stages.0.layers.0", "model.resnet.encoder.stages.2.layers.1"],
    ),
    "hf:bert": (
        partial(make, "hf:bert"),
        [f"model.bert.encoder.layer.{place}" for place in ("0", "0.attention", "1", "1.attention")],
    ),
}


@cache
def known(name: str) -> tuple[nn.Module, Tensor, Structure]:
    module, example = CASES[name][0]()
    return module, example, analyse(module, example[:1])


def flat(out: object) -> Tensor:
    return torch.cat([leaf.flatten() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)])


def some_plan(structure: Structure, generator: random.Random) -> Plan:
    """Up to half of the units of every group, and at least one block."""
    remove = {
        name: generator.sample(range(group.units), generator.randint(0, (group.units - 1) // 2))
        for name, group in structure.groups.items()
    }
    count = generator.randint(min(1, len(structure.blocks)), len(structure.blocks))
    return Plan("m", remove, generator.sample(sorted(structure.blocks), count))


@pytest.mark.parametrize("name", CASES)
def test_identity_shortcuts_are_found(name):
    assert list(known(name)[2].blocks) == CASES[name][1]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("seed", range(2))
@torch.no_grad()
def test_the_mask_is_the_cut_and_costs_are_exact(name, seed):
    module, example, structure = known(name)
    plan = some_plan(structure, random.Random(seed))
    assert Plan.from_json(json.dumps(plan.to_json())) == plan
    smaller = cut(module, structure, plan)
    done, masked = flat(smaller.module(example)), flat(mask(module, structure, plan)(example))
    assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()
    assert plan.cost(structure) == remaining(structure, plan).cost() == count(smaller.module, example[:1])
    again = copy.deepcopy(module)
    adapt(again, smaller.module.state_dict(), smaller.attributes)
    assert torch.equal(flat(again(example)), done)


@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_blocks_leave_after_channels_and_channels_after_blocks(name):
    """Two cuts, one after the other, are one cut of the original."""
    module, example, structure = known(name)
    generator = random.Random(7)
    first = some_plan(structure, generator)
    left, smaller = remaining(structure, first), cut(module, structure, first).module
    second = some_plan(left, generator)
    twice, whole = cut(smaller, left, second).module, in_original(structure, first, second)
    once = cut(module, structure, whole).module
    assert list(twice.state_dict()) == list(once.state_dict())
    assert all(torch.equal(tensor, twice.state_dict()[key]) for key, tensor in once.state_dict().items())
    assert remaining(left, second).cost() == whole.cost(structure) == count(twice, example[:1])


def test_what_lives_inside_a_block_is_gone_with_it_and_a_stream_stays():
    module, _, structure = known("resnet20")
    plan = Plan("m", {"layer1.1.conv1": (0, 1), "conv1": (3,)}, ("layer1.1",))
    kept = plan.kept(structure)
    assert (kept["layer1.1.conv1"], kept["conv1"], kept["layer1.0.conv1"]) == (0, 15, 16)
    smaller = cut(module, structure, plan)
    assert not any(name.startswith("layer1.1.") for name in smaller.module.state_dict())
    assert smaller.attributes == {"layer1.1": {"skipped": 0}}
    assert "layer1.1.conv1" not in remaining(structure, plan).groups
    assert not any(m.tensor.startswith("layer1.1.") for m in remaining(structure, plan).groups["conv1"].members)
    assert isinstance(module.layer1[1].conv1, nn.Conv2d)


@torch.no_grad()
def test_a_skipped_block_passes_its_input_on():
    module, example, structure = known("vit")
    seen = {}
    handle = module.blocks[1].register_forward_hook(lambda _, args, out: seen.update(before=args[0]))
    module(example)
    handle.remove()
    rest = module.norm(module.blocks[3](module.blocks[2](seen["before"])))[:, 0]
    torch.testing.assert_close(cut(module, structure, Plan("m", {}, ("blocks.1",))).module(example), module.head(rest))


def test_a_block_inside_another_that_leaves_need_not_be_named():
    outer, inner = "model.bert.encoder.layer.0", "model.bert.encoder.layer.0.attention"
    module, example, structure = known("hf:bert")
    both = Plan("m", {}, (inner, outer))
    assert both.blocks == (outer,)
    assert both == Plan("m", {}, (inner,)).merge(Plan("m", {}, (outer,)))
    assert structure.cost(without=(inner, outer)) == count(cut(module, structure, both).module, example[:1])
    left = remaining(structure, Plan("m", {}, (inner,)))
    assert left.cost(without=(outer,)) == both.cost(structure)


@pytest.mark.parametrize("block", ["layer2.0", "layer1", "layer1.1.conv1"])
def test_a_plan_names_only_blocks(block):
    module, _, structure = known("resnet20")
    with pytest.raises(ExplorerError, match=rf"'{block}' is no residual block that can be taken out: did you mean"):
        cut(module, structure, Plan("m", {}, (block,)))


@pytest.mark.parametrize("blocks", [1, "layer1.1", [1], None])
def test_text_with_blocks_that_are_none_is_refused(blocks):
    with pytest.raises(ExplorerError, match="this is not a plan"):
        Plan.from_json({"base": "m", "remove": {}, "blocks": blocks})


class Branch(nn.Module):
    """A residual block, or something that only looks like one; `forward` is given."""

    def __init__(self, forward: Callable) -> None:
        super().__init__()
        self.conv, self.short, self.norm = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1), nn.GroupNorm(1, 4)
        self.bias, self.run = nn.Parameter(torch.ones(4, 1, 1)), forward

    def forward(self, *args: Tensor) -> object:
        return self.run(self, *args)


class Around(nn.Module):
    """A stem, the part in question, and a classifier."""

    def __init__(self, part: nn.Module, call: Callable = lambda part, x: part(x)) -> None:
        super().__init__()
        self.stem, self.part, self.fc, self.call = nn.Conv2d(3, 4, 1), part, nn.Linear(4, 2), call

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.call(self.part, self.stem(x)).mean((2, 3)))


def found(part: nn.Module, call: Callable = lambda part, x: part(x)) -> set[str]:
    return set(analyse(Around(part, call).eval(), torch.randn(1, 3, 4, 4)).blocks)


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: x + m.conv(x),
        lambda m, x: m.conv(x) + x,
        lambda m, x: F.relu(m.conv(F.relu(x)) + x),
        lambda m, x: m.norm(x + F.silu(m.conv(m.norm(x)))),
        lambda m, x: (x + m.bias) + m.conv(x),
        lambda m, x: m.conv(x).add_(x).relu_(),
        lambda m, x: x + m.conv(x) + m.short(x),
        lambda m, x: (x.flatten(2) + m.conv(x).flatten(2)).view(x.shape),
        lambda m, x: (x.flatten(2).mT + m.conv(x).flatten(2).mT).mT.reshape(x.shape),
        lambda m, x: torch.cat([x[:, :1], x[:, 1:] + m.conv(x)[:, 1:]], 1),
        lambda m, x: (x + m.conv(x)) / 1.0,
        lambda m, x: [x + m.conv(x)],
    ],
)
def test_post_norm_post_activation_in_place_and_rearranged_are_shortcuts_too(forward):
    part = Branch(forward)
    call = (
        (lambda part, x: part(x)[0]) if isinstance(forward(part, torch.zeros(1, 4, 4, 4)), list) else nn.Module.__call__
    )
    assert found(part, call) == {"part"}


@pytest.mark.parametrize(
    "forward",
    [
        lambda m, x: m.short(x) + m.conv(x),  # a projection on the shortcut
        lambda m, x: F.relu(x) + m.conv(x),  # not the input that is added to
        lambda m, x: x * torch.sigmoid(m.conv(x)),  # a gate
        lambda m, x: m.norm(m.conv(x)) + m.bias,
        lambda m, x: x + m.bias,  # no branch
        lambda m, x: torch.add(m.conv(x), x, alpha=2),
        lambda m, x: x + (x + m.conv(x)),  # twice the input
        lambda m, x: (x.mT + m.conv(x)).contiguous(),  # rows and columns change places
        lambda m, x: (x + m.conv(x)).flip(-1),
        lambda m, x: (x + m.conv(x)) / 2,
    ],
)
def test_what_is_no_identity_shortcut(forward):
    assert found(Branch(forward)) == set()


def test_what_can_not_be_taken_out():
    def plain(m: nn.Module, x: Tensor) -> Tensor:
        return x + m.conv(x)

    chain = nn.Sequential(Branch(plain), Branch(plain))
    assert found(chain) == {"part.0", "part.1"}  # each of them, not their chain
    chain[1].conv.weight = chain[0].conv.weight
    assert found(chain) == set()  # a weight that another part needs
    assert found(Branch(plain), lambda part, x: part(part(x))) == set()  # called twice
    both = Branch(lambda m, x: (x + m.conv(x), m.short(x)))
    assert found(both, lambda part, x: sum(part(x))) == set()  # gives something else besides, which is read
    assert found(both, lambda part, x: part(x)[0]) == {"part"}  # or not
    assert found(Branch(plain), lambda part, x: part(x) + part.bias) == set()  # its parts are needed outside
    assert found(Branch(plain), lambda part, x: part(part.norm(x))) == set()
    alone = Branch(lambda m, x: (x + m.conv(x), None))
    assert found(alone, lambda part, x: part(x)[0]) == {"part"}


class Told(nn.Module):
    """A block that is given all by name, returns what it was given, and whose settings are read from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.scale = nn.Conv2d(4, 4, 1), 0.5

    def forward(
        self, *, x: Tensor, gain: Tensor, size: tuple[int, ...]
    ) -> tuple[Tensor, None, Tensor, tuple[int, ...]]:
        return x + gain * self.conv(x), None, gain, tuple(size)


class Telling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stem, self.blocks, self.fc = nn.Conv2d(3, 4, 1), nn.ModuleList([Told(), Told(), Told()]), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x, gain, size = self.stem(x), torch.tensor(2.0), (4, 4)
        for block in self.blocks:
            scale = block.scale * block.conv.stride[0]
            x, _, gain, size = block(x=x * 1, gain=gain, size=size)
        return self.fc((x.unflatten(2, (size[0], 1)) * gain * scale).mean((2, 3, 4)))


@torch.no_grad()
def test_arguments_pass_a_block_that_left_and_its_settings_can_be_read():
    module, example = Telling().eval(), torch.randn(2, 3, 4, 4)
    structure = analyse(module, example)
    assert list(structure.blocks) == ["blocks.0", "blocks.1", "blocks.2"]
    plan = Plan("m", {}, ("blocks.0", "blocks.2"))
    smaller = cut(module, structure, plan)
    assert smaller.attributes["blocks.0"] == {"skipped": 4, "passed": [None, "gain", "size"]}
    x = module.stem(example)
    expected = module.fc((x + 2 * module.blocks[1].conv(x)).mean((2, 3)))
    assert torch.equal(smaller.module(example), expected)
    again = Telling()
    adapt(again, smaller.module.state_dict(), json.loads(json.dumps(smaller.attributes)))
    assert torch.equal(again(example), expected)
    assert plan.cost(structure) == count(smaller.module, example[:1])
