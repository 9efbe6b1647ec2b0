"""Whole experts of mixtures: what a router without some of them does, and how many must stay."""

from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from explorer.bench.families import make
from explorer.budget.allocation import most_removable
from explorer.criteria import score
from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut, mask
from explorer.structure import Structure, adapt, analyse, count
from explorer.structure.generic import awake
from tests.nets import INPUT
from tests.structure.awkward import TOYS

GONE = (0, 2)  # of four experts


@cache
def known(name: str) -> tuple[nn.Module, Tensor, Structure]:
    module, example = make(name)
    module = awake(module)
    return module, example, analyse(module, example[:1])


def plan_of(structure: Structure) -> Plan:
    return Plan("net", {name: GONE for name, group in structure.groups.items() if group.kind == "experts"})


def refusing(layer: nn.Module, args: tuple, out: tuple) -> tuple:
    """What Mixtral's router returns if the scores of experts that are gone are −∞."""
    logits = out[0].clone()
    logits[:, list(GONE)] = -torch.inf
    values, numbers = logits.softmax(-1).topk(layer.top_k, -1)
    return logits, values / values.sum(-1, keepdim=True), numbers


@torch.no_grad()
def test_an_expert_that_is_gone_is_one_that_is_never_chosen():
    module, example, structure = known("hf:mixtral")
    plan = plan_of(structure)
    whole, smaller, masked = module(example), cut(module, structure, plan), mask(module, structure, plan)
    routers = [layer.register_forward_hook(refusing) for name, layer in module.named_modules() if name.endswith("gate")]
    refused = module(example)
    for handle in routers:
        handle.remove()
    assert len(routers) == 2
    assert not torch.allclose(refused, whole, atol=1e-3)
    assert torch.allclose(smaller.module(example), refused, atol=1e-5)
    assert torch.allclose(masked(example), refused, atol=1e-5)
    assert torch.equal(module(example), whole)


@pytest.mark.parametrize("name", ["hf:mixtral", "hf:qwen2-moe", "hf:gpt-oss", "hf:glm4-moe", "hf:phimoe", "hf:jamba"])
def test_experts_leave_with_everything_else_and_come_back_from_tensors(name: str):
    module, example, structure = known(name)
    remove = {n: range(group.units - max(group.least, group.units // 2)) for n, group in structure.groups.items()}
    plan = Plan("net", remove)
    smaller = cut(module, structure, plan)
    again = awake(make(name)[0])
    adapt(again, smaller.module.state_dict(), smaller.attributes)
    with torch.no_grad():
        expected = smaller.module(example)
        assert torch.allclose(mask(module, structure, plan)(example), expected, atol=1e-4 * float(expected.abs().max()))
        assert torch.equal(again(example), expected)
    assert any(group.kind == "experts" for group in structure.groups.values())
    assert count(smaller.module, example[:1]) == structure.cost(plan.kept(structure))


def test_gradients_reach_the_whole_tensors_through_a_mask():
    module, example, structure = known("hf:mixtral")
    masked = mask(module, structure, plan_of(structure))
    masked(example).square().mean().backward()
    gradients = {name: parameter.grad for name, parameter in masked.named_parameters()}
    up = next(gradient for name, gradient in gradients.items() if name.endswith("gate_up_proj"))
    assert not up[list(GONE)].any()
    assert up[[1, 3]].flatten(1).any(1).any()
    masked.zero_grad()


def test_as_many_experts_stay_as_a_token_is_sent_to():
    _, _, structure = known("hf:mixtral")
    router = next(group for group in structure.groups.values() if group.kind == "experts")
    assert (router.units, router.least, most_removable(structure, router.name, 0.1)) == (4, 2, 2)
    with pytest.raises(ExplorerError, match="every token is sent to 2 of them"):
        Plan("net", {router.name: range(3)}).check(structure)


def test_an_expert_is_worth_what_its_own_weights_are():
    module, _, structure = known("hf:mixtral")
    scores = score("l2", module, structure)
    for name, group in structure.groups.items():
        if group.kind == "experts":
            weights = dict(module.named_parameters())
            tensors = [weights[member.tensor] for member in group.of_role("expert")]
            assert [tensor.dim() for tensor in tensors] == [3, 3]
            expected = torch.stack([tensor.detach().flatten(1).norm(dim=1) for tensor in tensors]).mean(0)
            assert scores.groups[name] == pytest.approx(expected.numpy(), rel=1e-4)


def test_taylor_takes_the_whole_of_an_expert():
    module = TOYS["whole_experts"].make()
    images, labels = torch.randn(6, *INPUT), torch.arange(6) % 5
    structure = analyse(module, images[:1])
    found = score(
        "taylor", module, structure, TensorDataset(images, labels), device="cpu", options={"batch": "64"}
    ).groups["mix.router"]
    nn.functional.cross_entropy(module(images), labels).backward()
    own = [tensor for name, tensor in module.mix.named_parameters() if "router" not in name]
    expected = sum((tensor * tensor.grad).detach().flatten(1).sum(1) for tensor in own) ** 2
    assert found == pytest.approx(expected.numpy(), rel=1e-3)


@pytest.mark.parametrize("way", ["grouped_mm", "batched_mm"])
def test_experts_leave_however_they_are_multiplied(way: str):
    module, example = make("hf:mixtral")
    module.model.set_experts_implementation(way)
    structure = analyse(module, example[:1])
    plan = plan_of(structure)
    assert len(plan.remove) == 2
    with torch.no_grad():
        smaller, masked = cut(module, structure, plan).module(example), mask(module, structure, plan)(example)
    assert torch.allclose(smaller, masked, atol=1e-5)
