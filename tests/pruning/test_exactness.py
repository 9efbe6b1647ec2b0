"""Masks, cuts and costs over random plans: the promises that every number on screen rests on."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut, exact, mask, plan_from_budget
from explorer.structure import adapt, analyse, count
from tests import nets

CASES = {
    name: (module := nets.alive(net), analyse(module, torch.randn(1, *nets.INPUT)))
    for name, net in {**nets.EXACT, "normed": nets.Normed}.items()
}


@st.composite
def plans(draw: st.DrawFn, name: str) -> Plan:
    """Any plan that leaves every group at least one unit."""
    groups = CASES[name][1].groups.values()
    return Plan(
        name, {g.name: draw(st.sets(st.integers(0, g.units - 1), max_size=g.units - 1), label=g.name) for g in groups}
    )


@st.composite
def cases(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[str, Plan]:
    name = draw(st.sampled_from(names))
    return name, draw(plans(name))


@settings(max_examples=80, deadline=None)
@given(cases(tuple(nets.EXACT)), st.integers(0, 99))
def test_the_mask_gives_the_logits_of_the_cut(case: tuple[str, Plan], seed: int):
    name, plan = case
    module, structure = CASES[name]
    x = torch.randn(3, *nets.INPUT, generator=torch.Generator().manual_seed(seed))
    assert exact(structure, plan)
    with torch.no_grad():
        masked, done = mask(module, structure, plan)(x), cut(module, structure, plan).module(x)
    assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()


@settings(max_examples=80, deadline=None)
@given(cases(tuple(CASES)))
def test_the_cost_polynomials_equal_a_count_of_the_cut_model(case: tuple[str, Plan]):
    name, plan = case
    module, structure = CASES[name]
    smaller = cut(module, structure, plan).module
    assert structure.cost(plan.kept(structure)) == count(smaller, torch.randn(1, *nets.INPUT))


@settings(max_examples=40, deadline=None)
@given(cases(tuple(CASES)))
def test_a_plan_survives_json_and_a_cut_model_its_state_dict(case: tuple[str, Plan]):
    name, plan = case
    module, structure = CASES[name]
    assert Plan.from_json(json.dumps(plan.to_json())) == plan
    smaller = cut(module, structure, plan)
    again = type(module)().eval()
    adapt(again, smaller.module.state_dict(), smaller.attributes)
    x = torch.randn(2, *nets.INPUT)
    assert torch.equal(smaller.module(x), again(x))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_plans_compose_in_original_coordinates(data: st.DataObject):
    """Masking one plan after the other's mask, and cutting their union, agree."""
    name = data.draw(st.sampled_from(tuple(nets.EXACT)))
    module, structure = CASES[name]
    one, two = data.draw(plans(name)), data.draw(plans(name))
    both = one.merge(two)
    if any(count == 0 for count in both.kept(structure).values()):
        with pytest.raises(ExplorerError, match="leave one"):
            both.check(structure)
        return
    assert both == two.merge(one)
    x = torch.randn(2, *nets.INPUT)
    with torch.no_grad():
        done = cut(module, structure, both).module(x)
        masked = mask(module, structure, both)(x)
    assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()


def test_masking_never_writes_into_the_model_and_shares_what_it_does_not_touch():
    module, structure = CASES["attention"]
    before = {name: value.clone() for name, value in module.state_dict().items()}
    twin = mask(module, structure, Plan("attention", {"fc1": (0, 3)}))
    assert twin.qkv.weight is module.qkv.weight
    assert twin.fc2.weight is not module.fc2.weight
    assert not twin.fc2.weight[:, [0, 3]].any()
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_cut_model_owns_its_weights():
    module, structure = CASES["plain"]
    smaller = cut(module, structure, Plan("plain", {"conv1": (1,)})).module
    before = module.fc2.weight.clone()
    with torch.no_grad():
        for parameter in smaller.parameters():
            parameter.zero_()
    assert torch.equal(module.fc2.weight, before)


def test_layers_know_their_new_widths():
    module, structure = CASES["mobile"]
    smaller = cut(module, structure, Plan("mobile", {"expand": (0, 1, 2), "project": (0,), "grouped": (1,)})).module
    assert (smaller.depth.in_channels, smaller.depth.out_channels, smaller.depth.groups) == (5, 5, 5)
    assert (smaller.twofold.in_channels, smaller.twofold.out_channels, smaller.twofold.groups) == (5, 10, 5)
    assert (smaller.grouped.in_channels, smaller.grouped.out_channels, smaller.grouped.groups) == (8, 4, 4)
    assert smaller.bn.num_features == 10
    assert smaller.up.in_channels == 4


def test_the_lowest_scores_leave():
    _, structure = CASES["plain"]
    scores = {"conv1": np.array([5, 1, 4, 2, 8, 3, 7, 6.0])}
    assert plan_from_budget(structure, scores, {"conv1": 0.4}, "plain").remove == {"conv1": (1, 3, 5)}
    assert plan_from_budget(structure, scores, {"conv1": 0.375}, "plain").remove == {"conv1": (1, 3, 5)}
    assert plan_from_budget(structure, scores, {"conv1": 0.1}, "plain").empty


@pytest.mark.parametrize(
    ("remove", "message"),
    [
        ({"conv9": (0,)}, r"unknown group 'conv9': did you mean conv\d, conv\d\?"),
        ({"fc2": (0,)}, "fc2 can't be cut: these are the model's outputs"),
        ({"conv1": range(8)}, "all 8 units of conv1"),
        ({"conv1": (8,)}, "unit 8 of conv1, which has units 0 to 7"),
        ({"conv1": (-1,)}, "units 0 to 7"),
    ],
)
def test_plans_that_do_not_fit_are_refused(remove: dict, message: str):
    module, structure = CASES["plain"]
    for act in (mask, cut):
        with pytest.raises(ExplorerError, match=message):
            act(module, structure, Plan("plain", remove))


@pytest.mark.parametrize("text", ["", "[]", '{"base": 1}', '{"base": "a", "remove": {"g": [0.5]}}', "{", '{"a":'])
def test_text_that_is_no_plan_is_refused_in_one_line(text: str):
    with pytest.raises(ExplorerError) as caught:
        Plan.from_json(text)
    assert "\n" not in str(caught.value)


def test_plans_for_different_models_do_not_merge():
    with pytest.raises(ExplorerError, match="can't be merged"):
        Plan("a", {}).merge(Plan("b", {}))
