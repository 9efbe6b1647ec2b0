"""Scores from the gradients of training, and a penalty that is added to them."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import explorer as ex
from explorer.structure import analyse
from tests.loops.nets import Small, batches, network, one_step, problem

pytestmark = pytest.mark.filterwarnings("ignore:.*are too large to come nearer")  # units of narrow networks


def still(module: nn.Module, size: int = 100) -> tuple[ex.Problem, list[tuple[Tensor, Tensor]]]:
    """A problem, and its data in the mini-batches in which the criterion goes through it."""
    seen = batches(2, size)
    data = [(x, y) for x, y in seen]
    return problem(module.eval(), train=data, validation=data), seen


def plain(module, schedule, seen):
    optimizer = torch.optim.SGD(module.parameters(), 0.0)
    schedule.watch(optimizer)
    for batch in seen:
        one_step(module, optimizer, batch)


def two_optimisers(module, schedule, seen):
    parameters = list(module.parameters())
    optimizers = [torch.optim.SGD(parameters[::2], 0.0), torch.optim.Adam(parameters[1::2], 0.0)]
    schedule.watch(*optimizers)
    for x, y in seen:
        module.zero_grad()
        F.cross_entropy(module(x), y).backward()
        for optimizer in optimizers:
            optimizer.step()


def in_a_closure(module, schedule, seen):
    optimizer = torch.optim.SGD(module.parameters(), 0.0)
    schedule.watch(optimizer)
    for x, y in seen:

        def closure(x=x, y=y):
            optimizer.zero_grad()
            loss = F.cross_entropy(module(x), y)
            loss.backward()
            return loss

        optimizer.step(closure)


def scaled(module, schedule, seen):
    optimizer = torch.optim.Adam(module.parameters(), 0.0, fused=True)  # which unscales by itself
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    schedule.watch(optimizer)
    for number, (x, y) in enumerate([*seen[:1], (seen[0][0] * float("inf"), seen[0][1]), *seen[1:]]):
        optimizer.zero_grad()
        scaler.scale(F.cross_entropy(module(x), y)).backward()
        scaler.step(optimizer)
        scaler.update(None if number == 1 else 512.0)  # another scale for every step


@pytest.mark.parametrize("train", [plain, two_optimisers, in_a_closure, scaled])
def test_training_gives_the_scores_that_passes_would(train):
    module = network()
    ours, seen = still(module)
    wanted = ours.score("taylor", samples=None, batch="100").groups
    schedule = ex.Schedule(ours, keep={"macs": 0.9}, method="taylor", end=9)
    train(module, schedule, seen)
    found = schedule.state_dict()["gradients"]
    assert found["batches"] == 2
    for name, scores in wanted.items():
        np.testing.assert_allclose(np.array(found["totals"][name]) / 2, scores, rtol=1e-4)


def formula(module: nn.Module) -> Tensor:
    """``Σ_u √n_u·‖w_u‖₂`` of `Small`, written out layer by layer."""
    stem, a, b, hidden, head = module.stem, module.a, module.b, module.hidden, module.head
    width = stem.weight.shape[0]
    total = torch.zeros(())

    def unit(*parts: Tensor) -> Tensor:
        entries = torch.cat([part.reshape(-1) for part in parts])
        return len(entries) ** 0.5 * entries.norm()

    for u in range(width):  # the stream
        own = (stem.weight[u], stem.bias[u], module.norm.weight[u], module.norm.bias[u], b.weight[u], b.bias[u])
        total = total + unit(*own, a.weight[:, u], hidden.weight[:, u])
    for u in range(len(a.weight)):
        total = total + unit(a.weight[u], a.bias[u], b.weight[:, u])
    for u in range(len(hidden.weight)):
        total = total + unit(hidden.weight[u], hidden.bias[u], head.weight[:, u])
    return total


def test_the_penalty_is_the_formulas_gradient_and_grows_until_the_last_cut():
    module = network()
    optimizer = torch.optim.SGD(module.parameters(), 1.0)
    options = {"keep": {"macs": 0.9}, "method": "l2", "start": 2, "end": 6, "every": 4}
    schedule = ex.Schedule(problem(module), penalty=0.1, optimizer=optimizer, **options)
    for strength in (0.0, 0.0, 0.0, 0.025, 0.05, 0.075, 0.0):  # λ·x, x of the calls so far; none after the last cut
        before = copy.deepcopy(module)
        optimizer.zero_grad()
        (0 * sum(p.sum() for p in module.parameters())).backward()
        optimizer.step()
        pulled = [old - new for old, new in zip(before.parameters(), module.parameters(), strict=True)]
        wanted = torch.autograd.grad(strength * formula(before), list(before.parameters()), allow_unused=True)
        for found, gradient in zip(pulled, wanted, strict=True):
            expected = torch.zeros_like(found) if gradient is None else gradient
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
        schedule.step()
    assert schedule.finished
    assert len(schedule.cuts) == 1


def test_a_unit_at_zero_is_not_pulled_and_frozen_and_locked_ones_are_left_alone():
    module = Small()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    optimizer = torch.optim.SGD(module.parameters(), 1.0)
    names = list(analyse(module, torch.zeros(1, 1, 6, 6)).groups)
    ours = problem(module)
    schedule = ex.Schedule(ours, keep={"macs": 0.9}, method="l2", end=9, penalty=1.0, optimizer=optimizer)
    schedule.step()
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all(bool((parameter == 0).all()) for parameter in module.parameters())

    module = network()
    module.stem.requires_grad_(False)
    optimizer = torch.optim.SGD([p for p in module.parameters() if p.requires_grad], 1.0)
    ours = problem(module)
    locked = [name for name in names if name != "hidden"]
    schedule = ex.Schedule(
        ours, keep={"macs": 0.999}, method="l2", end=9, penalty=1.0, optimizer=optimizer, locked=locked
    )
    schedule.step()
    before = copy.deepcopy(module)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    changed = {name for name, p in module.named_parameters() if not torch.equal(p, before.get_parameter(name))}
    assert changed == {"hidden.weight", "hidden.bias", "head.weight"}
