"""Hugging Face's families, small and random: which groups are found, and that all of them can be cut."""

import random
from collections import Counter
from functools import cache

import pytest
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from explorer.bench.families import make
from explorer.pruning import Plan, cut, exact, mask
from explorer.structure import Structure, analyse, count

pytest.importorskip("transformers")

RATIO = 0.3
ENCODER = {"stream": 1, "heads": 2, "head-dims": 2, "ffn": 2}  # of two layers
CLASSIFIER = {**ENCODER, "linear": 1}
KINDS = {
    "hf:vit": ENCODER,
    "hf:deit": ENCODER,
    "hf:beit": ENCODER,
    "hf:swin": {"stream": 2, "heads": 4, "head-dims": 4, "ffn": 4},
    "hf:convnext": {"stream": 4, "ffn": 5},
    "hf:resnet": {"stream": 4, "conv": 10},
    "hf:segformer": {"stream": 4, "heads": 4, "head-dims": 4, "ffn": 8, "conv": 1},
    "hf:bert": CLASSIFIER,
    "hf:roberta": CLASSIFIER,
    "hf:distilbert": CLASSIFIER,
    "hf:gpt2": ENCODER,
    # One position bias ties the heads of an encoder, or decoder, and one of zeros those that look across.
    "hf:t5": {"stream": 1, "heads": 3, "head-dims": 6, "ffn": 4, "linear": 1},
    "hf:detr": {"stream": 6, "conv": 10, "heads": 6, "head-dims": 6, "ffn": 6},
}
FAMILIES = list(KINDS)


@cache
def known(name: str) -> tuple[nn.Module, Tensor, Structure]:
    module, example = make(name)
    return module, example, analyse(module, example[:1])


def flat(out: object) -> Tensor:
    return torch.cat([leaf.flatten() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)])


def check(name: str, groups: list[str]) -> None:
    """Cut 30 % of the units of these groups: the mask agrees, the cost is as computed, and the rest trains."""
    module, example, structure = known(name)
    generator = random.Random(name)
    units = {group: structure.groups[group].units for group in groups}
    plan = Plan(name, {g: generator.sample(range(n), max(1, round(RATIO * n))) for g, n in units.items()})
    assert groups
    smaller = cut(module, structure, plan).module
    assert exact(structure, plan)
    with torch.no_grad():
        masked, done = flat(mask(module, structure, plan)(example)), flat(smaller(example))
    assert (masked - done).abs().max() <= 1e-4 * masked.abs().max()
    expected = structure.cost(plan.kept(structure))
    assert expected == count(smaller, example[:1])  # position biases are computed once a batch
    assert expected.params < structure.cost().params
    flat(smaller.train()(example)).square().mean().backward()
    smaller.eval()
    gradients = [p.grad for p in smaller.parameters() if p.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)


def several(name: str, kind: str = "") -> list[str]:
    """Groups of a kind (of any, if not told) that have more than one unit."""
    groups = known(name)[2].groups.values()
    return [group.name for group in groups if group.units > 1 and kind in ("", group.kind)]


@pytest.mark.parametrize("name", FAMILIES)
def test_all_groups_are_found_and_only_outputs_stay(name: str):
    structure = known(name)[2]
    assert Counter(group.kind for group in structure.groups.values()) == KINDS[name]
    assert {blocked.reason for blocked in structure.blocked} == {"these are the model's outputs"}
    single = {group.name for group in structure.groups.values() if group.units == 1}
    # SegFormer's first stage has one head, which can't leave.
    assert single == ({"model.segformer.stages.0.blocks.0.attention"} if name == "hf:segformer" else set())


@pytest.mark.parametrize("name", FAMILIES)
def test_thirty_percent_of_all_groups_at_once(name: str):
    check(name, several(name))


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name in FAMILIES for kind in KINDS.get(name, ())])
def test_thirty_percent_of_one_kind(name: str, kind: str):
    check(name, several(name, kind))


def test_experts_are_named_so_however_few_tokens_reach_them():
    module, example = make("hf:mixtral")
    structure = analyse(module, example[:1, :1])
    kinds = Counter(group.kind for group in structure.groups.values())
    assert kinds == {"stream": 1, "heads": 2, "experts": 2, "experts-ffn": 2}
