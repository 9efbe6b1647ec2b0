"""Masks, cuts, costs and gradients of toy networks with one awkward pattern each."""

import copy
import random
from functools import cache

import pytest
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import CutModel, Plan, cut, exact, mask
from explorer.structure import Structure, adapt, analyse, count
from explorer.structure.running import Inputs, as_tuple, tensors_in
from tests.nets import INPUT, conv
from tests.structure.awkward import TOYS, Buffer, Network, pooled, table

SEEDS = range(3)


@cache
def known(name: str) -> tuple[Network, Structure]:
    module = TOYS[name].make()
    return module, analyse(module, images(1))


def images(batch: int) -> Tensor:
    return torch.randn(batch, *INPUT, generator=torch.Generator().manual_seed(batch))


def flat(out: object) -> Tensor:
    """Everything that a network returns, in one row."""
    return torch.cat([tensor.flatten() for tensor in tensors_in(out)])


def some(units: int, generator: random.Random, least: int) -> tuple[int, ...]:
    """Any units of a group, at least one, and not so many that fewer than `least` are left."""
    return tuple(generator.sample(range(units), generator.randint(1, units - least)))


@cache
def trained(name: str) -> set[str]:
    """The parameters that get a gradient in the whole network."""
    return set(gradients(copy.deepcopy(known(name)[0])))


def gradients(module: nn.Module) -> dict[str, Tensor]:
    """One backward pass in training mode."""
    flat(module.train()(images(2))).square().mean().backward()
    return {name: parameter.grad for name, parameter in module.named_parameters() if parameter.grad is not None}


def agree(module: nn.Module, structure: Structure, plan: Plan, inputs: Inputs | None = None) -> CutModel:
    """The cut model, which is what the mask says and costs what the polynomials say."""
    x = as_tuple(images(2) if inputs is None else inputs)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    done = cut(module, structure, plan)
    smaller = done.module
    with torch.no_grad():
        masked, out = flat(mask(module, structure, plan)(*x)), flat(smaller(*x))
    if exact(structure, plan):
        assert (masked - out).abs().max() <= 1e-4 * masked.abs().max()
    assert out.isfinite().all()
    assert structure.cost(plan.kept(structure)) == count(smaller, x)
    assert structure.cost(plan.kept(structure)).params < structure.cost().params
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    return done


def check(name: str, plan: Plan) -> None:
    module, structure = known(name)
    done = agree(module, structure, plan)
    smaller, again = done.module, TOYS[name].make()
    adapt(again, smaller.state_dict(), done.attributes)
    assert torch.equal(flat(again(images(2))), flat(smaller(images(2))))
    found = gradients(smaller)
    assert set(found) == trained(name)
    assert all(gradient.isfinite().all() for gradient in found.values())


def cuttable(structure: Structure) -> dict[str, tuple[int, int]]:
    """Groups that can lose something: units, and channels of a unit."""
    return {name: (group.units, group.unit) for name, group in structure.groups.items() if group.units > 1}


def offering(name: str) -> dict[str, tuple[int, int]]:
    found = cuttable(known(name)[1])
    assert found
    return found


@pytest.mark.parametrize("name", TOYS)
def test_groups_are_found_and_the_rest_says_why(name: str):
    toy, (_, structure) = TOYS[name], known(name)
    assert cuttable(structure) == toy.groups
    reasons = {(blocked.name, blocked.reason) for blocked in structure.blocked}
    for layer, reason in toy.blocked.items():
        assert any(layer == other and reason in why for other, why in reasons)
    other = {layer for layer, why in reasons if "the model's outputs" not in why}
    assert other <= set(toy.blocked)
    inexact = {group.name: group.reason for group in structure.groups.values() if not group.exact}
    assert set(inexact) == set(toy.inexact)
    assert all(reason in inexact[group] for group, reason in toy.inexact.items())


@pytest.mark.parametrize("name", [toy.name for toy in TOYS.values() if toy.groups])
def test_every_group_alone(name: str):
    generator, least = random.Random(name), TOYS[name].least
    for group, (units, _) in offering(name).items():
        last, most = (units - 1,), generator.sample(range(units), units - least)
        for removed in (last, most, some(units, generator, least)):
            check(name, Plan(name, {group: removed}))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", [toy.name for toy in TOYS.values() if toy.groups])
def test_random_units_of_random_groups(name: str, seed: int):
    generator = random.Random(f"{name} {seed}")
    groups = offering(name)
    chosen = generator.sample(sorted(groups), generator.randint(1, len(groups)))
    check(name, Plan(name, {group: some(groups[group][0], generator, TOYS[name].least) for group in chosen}))


# Bounds that move ----------------------------------------------------------------------------------------


def rolled(net, x):
    return net.fc(pooled(net.b(torch.roll(net.a(x), 4, 1)).relu()))


def halves_swapped(net, x):
    a = net.a(x)
    half = a.shape[1] // 2
    return net.fc(pooled(net.b(torch.cat([a[:, half:], a[:, :half]], 1)).relu()))


def last_overwritten(net, x):
    a = net.a(x)
    a[:, -3:] = x
    return net.fc(pooled(net.b(a).relu()))


def even_and_odd(net, x):
    a = net.a(x)
    return net.fc(pooled(net.b(torch.cat([a[:, ::2], a[:, 1::2]], 1)).relu()))


@pytest.mark.parametrize("before", range(3))  # groups: by their place the trial chooses how many units leave
@pytest.mark.parametrize("run", [rolled, halves_swapped, last_overwritten, even_and_odd])
def test_a_group_whose_bounds_move_is_refused_or_right(run, before: int):
    torch.manual_seed(0)
    stems = {f"stem{i}": conv(3, 4) for i in range(before)}

    def forward(net, x):
        shift = sum(pooled(getattr(net, name)(x)).mean(1, keepdim=True) for name in stems)
        return run(net, x) + shift

    parts = {**stems, "a": conv(3, 8), "b": conv(8, 4), "fc": nn.Linear(4, 5)}
    module = Network(forward, parts).eval()
    structure = analyse(module, images(1))
    assert list(structure.groups)[:before] == list(stems)
    if "a" not in structure.groups:
        assert "a" in {blocked.name for blocked in structure.blocked}
    else:
        for unit in range(structure.groups["a"].units):
            agree(module, structure, Plan("", {"a": (unit,)}))


# Other promises ------------------------------------------------------------------------------------------


def test_cutting_channels_that_a_buffer_does_not_choose_leaves_the_model_as_it_was():
    def run(net, x):
        return net.fc(pooled(net.a(x).index_select(1, net.chosen.values)))

    torch.manual_seed(0)
    module = Network(run, {"a": conv(3, 8), "chosen": Buffer([0, 2, 4, 6]), "fc": nn.Linear(4, 5)}).eval()
    structure = analyse(module, images(1))
    unread = next(name for name, group in structure.groups.items() if not group.of_role("consumer"))
    assert module.chosen.values.tolist() == [0, 2, 4, 6]
    agree(module, structure, Plan("", {unread: (1,)}))


def test_parameters_of_the_model_itself_give_groups_a_name():
    def run(net, x):
        x = torch.conv2d(torch.conv2d(x, net.first).relu(), net.second)
        return net.fc(pooled(x))

    torch.manual_seed(0)
    parts = {"first": table(8, 3, 3, 3), "second": table(6, 8, 1, 1), "fc": nn.Linear(6, 5)}
    structure = analyse(Network(run, parts).eval(), images(1))
    assert [group.units for group in structure.groups.values()] == [8, 6]
    assert all(name.strip("#0123456789") for name in structure.groups)


class TwoInputs(nn.Module):
    """An image and a vector, joined; the vector also scales the image's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.vector, self.scale = conv(3, 6), nn.Linear(7, 4), nn.Linear(7, 6)
        self.join, self.fc = nn.Linear(10, 8), nn.Linear(8, 5)

    def forward(self, x: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        image = pooled(self.image(x).relu()) * self.scale(v).sigmoid()
        t = self.join(torch.cat([image, self.vector(v)], 1)).relu()
        return self.fc(t), t.mean()


def test_a_model_of_two_inputs_is_analysed_masked_cut_and_counted():
    torch.manual_seed(0)
    module = TwoInputs().eval()
    structure = analyse(module, (images(1), torch.randn(1, 7)))
    assert cuttable(structure) == {"image": (6, 1), "vector": (4, 1), "join": (8, 1)}
    assert structure.input_shape == ((3, 8, 8), (7,))
    generator = random.Random(0)
    for _ in range(10):
        plan = Plan("", {name: some(units, generator, 1) for name, (units, _) in cuttable(structure).items()})
        agree(module, structure, plan, (images(2), torch.randn(2, 7)))


def test_inputs_that_do_not_fit_are_named():
    with pytest.raises(ExplorerError, match="does not run on an input of 3×8×8 and 6: "):
        analyse(TwoInputs(), (images(1), torch.randn(1, 6)))


def test_a_model_that_returns_no_tensor_is_refused():
    class Box:
        def __init__(self, tensor: Tensor) -> None:
            self.tensor = tensor

    module = Network(lambda net, x: Box(net.fc(pooled(net.a(x)))), {"a": conv(3, 4), "fc": nn.Linear(4, 5)})
    with pytest.raises(ExplorerError, match="no tensor is found in what the model returns"):
        analyse(module, images(1))


FAR = [[[float(y - x + 1 == far) for far in range(3)] for y in range(2)] for x in range(2)]


def biased_by_a_table(net: Network, x: Tensor) -> Tensor:
    """Heads (batch, 3, positions, 4) with a bias that products with a constant look up for pairs of positions."""
    q, k, v = (part.unflatten(-1, (-1, 4)).transpose(1, 2) for part in (net.q(x), net.k(x), net.v(x)))
    rows = torch.einsum("nhw,ixh->nixw", net.table, net.far.values)
    bias = torch.einsum("nixw,jyw->nijxy", rows, net.far.values).reshape(-1, 4, 4)
    return net.fc(((q @ k.mT + bias).softmax(-1) @ v).transpose(1, 2).flatten(2).mean(1))


def test_a_table_that_is_looked_up_by_products_leaves_with_its_heads():
    linear = {name: nn.Linear(8, 12) for name in "qkv"}
    parts = {**linear, "table": table(3, 3, 3), "far": Buffer(FAR, saved=False), "fc": nn.Linear(12, 5)}
    module, x = Network(biased_by_a_table, parts).eval(), torch.randn(1, 4, 8)  # a batch of any size has one bias
    structure = analyse(module, x)
    assert cuttable(structure) == {"q": (3, 4)}
    agree(module, structure, Plan("net", {"q": (1,)}), x)
