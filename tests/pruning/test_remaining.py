"""The structure of a cut model, derived: the one that tracing the cut model gives, and exact costs."""

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.pruning import Plan, cut
from explorer.pruning.remaining import in_original, remaining
from explorer.sources import load_model
from explorer.structure import Structure, analyse, count
from explorer.structure.types import Group
from tests import nets

NETS = {**nets.EXACT, "normed": nets.Normed}


def some_plan(structure: Structure, generator: random.Random, leave: int) -> Plan:
    """Any units of every group, so that at least `leave` stay."""
    counts = {name: generator.randint(0, max(0, group.units - leave)) for name, group in structure.groups.items()}
    return Plan("m", {n: tuple(generator.sample(range(structure.full[n]), count)) for n, count in counts.items()})


def told(group: Group) -> tuple:
    """All of a group that can be compared, in an order of its own."""
    return (
        (group.name, group.kind, group.size, group.unit, group.exact, group.contracted, group.counters, group.taps),
        sorted((member.tensor, member.axis, member.role, member.units.tolist()) for member in group.members),
        [(norm.module, norm.axis, norm.units.tolist()) for norm in group.norms],
        [(lookup.tensor, lookup.units.tolist()) for lookup in group.lookups],
    )


def check_as_traced(module: nn.Module, example: Tensor, seed: int) -> None:
    structure = analyse(module, example)
    plan = some_plan(structure, random.Random(seed), leave=2)
    smaller = cut(module, structure, plan).module
    derived, traced = remaining(structure, plan), analyse(smaller, example)
    assert list(derived.groups) == list(traced.groups)
    for name, group in traced.groups.items():
        assert told(derived.groups[name]) == told(group)
    assert derived.cost() == count(smaller, example)


def check_two_cuts(module: nn.Module, example: Tensor, seed: int) -> None:
    """A cut of the cut model is one cut of the original: the same tensors, the same logits."""
    structure, generator = analyse(module, example), random.Random(seed)
    first = some_plan(structure, generator, leave=1)
    left, smaller = remaining(structure, first), cut(module, structure, first).module
    second = some_plan(left, generator, leave=1)
    twice, whole = cut(smaller, left, second).module, in_original(structure, first, second)
    once = cut(module, structure, whole).module
    for name, tensor in once.state_dict().items():
        assert torch.equal(tensor, twice.state_dict()[name]), name
    with torch.no_grad():
        torch.testing.assert_close(once(example), twice(example), atol=1e-5, rtol=1e-5)
    assert remaining(left, second).cost() == structure.cost(whole.kept(structure)) == count(once, example)


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("seed", range(3))
def test_small_networks(name, seed):
    module, example = nets.alive(NETS[name]), torch.randn(1, *nets.INPUT)
    check_as_traced(module, example, seed)
    check_two_cuts(module, example, seed)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["demo:resnet20-digits", "demo:vit-digits", "torchvision:swin_t", "torchvision:densenet121"]
)
def test_known_networks(name):
    loaded = load_model(name, input_shape=None if name.startswith("demo") else (3, 64, 64))
    check_as_traced(loaded.module, loaded.example(), 0)
    check_two_cuts(loaded.module, loaded.example(), 0)


def test_units_are_numbered_by_what_stays():
    structure = analyse(nets.alive(nets.Plain), torch.randn(1, *nets.INPUT))
    first, second = Plan("m", {"conv1": (0, 2, 3)}), Plan("m", {"conv1": (0, 4), "fc1": (9,)})
    assert dict(in_original(structure, first, second).remove) == {"conv1": (0, 1, 2, 3, 7), "fc1": (9,)}
    assert remaining(structure, first).groups["conv1"].size == 5
    np.testing.assert_array_equal(remaining(structure, first).groups["conv1"].members[0].units, np.arange(5))
