"""What optimisers remember, after a cut: the rows of what stays, to the bit."""

import copy
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from timm.optim import Adafactor, Lion
from torch import Tensor, nn

import explorer as ex
from explorer.loops.optimisers import follow
from explorer.pruning import narrow
from explorer.pruning.in_place import Kept
from explorer.recovery.training import accelerated
from tests.loops.nets import batches, network, one_step, problem

Parameters = Iterable[nn.Parameter]
ENTRYWISE: dict[str, Callable[[Parameters], torch.optim.Optimizer]] = {
    "sgd": lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
    "sgd without": lambda p: torch.optim.SGD(p, 0.1),
    "adam": lambda p: torch.optim.Adam(p, 0.01, amsgrad=True),
    "adam fused": lambda p: torch.optim.Adam(p, 0.01, fused=True),
    "adamw": lambda p: torch.optim.AdamW(p, 0.01, foreach=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 0.01, momentum=0.9, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, 0.01),
    "adadelta": lambda p: torch.optim.Adadelta(p),
    "nadam": lambda p: torch.optim.NAdam(p, 0.01),
    "rprop": lambda p: torch.optim.Rprop(p, 0.01),
    "asgd": lambda p: torch.optim.ASGD(p, 0.01),
    "lion": lambda p: Lion(p, 0.001),
}


def rows(tensor: Tensor, kept: Kept) -> Tensor:
    """By plain indexing, not as the code does it."""
    for axis, places in kept.items():
        tensor = tensor[(slice(None),) * axis + (torch.from_numpy(places),)]
    return tensor


def after_a_cut(make: Callable[[Parameters], torch.optim.Optimizer]) -> tuple[nn.Module, Any, dict, Any, list[str]]:
    """Module, optimiser, what it remembered, what was narrowed, and what it forgot."""
    module = network()
    optimizer = make(module.parameters())
    for batch in batches(3):
        one_step(module, optimizer, batch)
    remembered = copy.deepcopy({id(p): optimizer.state.get(p) for p in module.parameters()})
    ours = problem(module)
    plan = ours.plan(ours.score("l2"), keep={"macs": 0.4})
    narrowed = narrow(module, ours.structure, plan).tensors
    parameters = [each for each in narrowed if isinstance(each.tensor, nn.Parameter)]
    return module, optimizer, remembered, parameters, follow(optimizer, narrowed)


@pytest.mark.parametrize("name", ENTRYWISE)
def test_of_every_moment_the_rows_that_stay_are_kept(name):
    module, optimizer, before, narrowed, forgotten = after_a_cut(ENTRYWISE[name])
    assert forgotten == []
    assert len(narrowed) > 6
    kept = {id(each.tensor): each.kept for each in narrowed}
    for parameter in module.parameters():
        for key, value in (before[id(parameter)] or {}).items():
            now = optimizer.state[parameter][key]
            if isinstance(value, Tensor) and value.dim():
                assert now.shape == parameter.shape
                assert torch.equal(now, rows(value, kept.get(id(parameter), {})))
            else:
                assert now == value
    one_step(module, optimizer, batches(1)[0])


def test_of_factors_the_rows_and_columns_that_stay_are_kept():
    module, optimizer, before, narrowed, forgotten = after_a_cut(lambda p: torch.optim.Adafactor(p, 0.01))
    assert forgotten == []
    for each in narrowed:
        old, now = before[id(each.tensor)], optimizer.state[each.tensor]
        if each.tensor.dim() > 1:
            for key, mean in (("row_var", -1), ("col_var", -2)):
                own = {axis: places for axis, places in each.kept.items() if old[key].shape[axis] > 1}
                assert torch.equal(now[key], rows(old[key], own))
                assert now[key].shape[mean] == 1
    one_step(module, optimizer, batches(1)[0])


def test_factors_whose_choice_depends_on_widths_begin_anew():
    module, optimizer, before, _, forgotten = after_a_cut(lambda p: Adafactor(p, 0.01, min_dim_size_to_factor=11))
    factored = [p for p in module.parameters() if "exp_avg_sq_row" in before[id(p)]]
    names = {id(p): name for name, p in module.named_parameters()}
    assert set(forgotten) == {names[id(p)] for p in factored} != set()
    one_step(module, optimizer, batches(1)[0])
    assert all("exp_avg_sq" in optimizer.state[p] for p in factored)  # too narrow for factors


class Blockwise(torch.optim.SGD):
    """Remembers momentum in 8-bit numbers with a scale for every block, as quantised optimisers do."""

    def step(self, closure: Any = None) -> None:
        super().step()
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                if not state:
                    state["momentum8"] = torch.zeros_like(parameter, dtype=torch.int8)
                    state["scales"] = torch.ones(2)


def test_what_is_remembered_in_another_form_begins_anew_and_is_said():
    module = network()
    optimizer = Blockwise(module.parameters(), 0.01)
    schedule = ex.Schedule(problem(module), keep={"macs": 0.4}, method="l2", end=1, optimizer=optimizer)
    one_step(module, optimizer, batches(1)[0])
    with pytest.warns(UserWarning, match="Blockwise remembers .* begins anew"):
        schedule.step()
    assert not optimizer.state.get(module.stem.weight)
    one_step(module, optimizer, batches(1)[0])
    assert optimizer.state[module.stem.weight]["momentum8"].shape == module.stem.weight.shape


def test_a_wrapper_is_looked_into_and_others_parameters_are_refused():
    module = network()
    inner = torch.optim.Adam(module.parameters(), 0.01)
    with accelerated(torch.device("cpu")) as accelerator:
        wrapped = accelerator.prepare_optimizer(inner)
        schedule = ex.Schedule(problem(module), keep={"macs": 0.4}, method="taylor", end=2, optimizer=wrapped)
        for batch in batches(2):
            one_step(module, wrapped, batch)
            schedule.step()
    assert inner.state[module.stem.weight]["exp_avg"].shape == module.stem.weight.shape
    for refused, said in (
        (torch.optim.LBFGS(module.parameters()), "in one vector"),
        (torch.optim.SGD(network().parameters(), 0.1), "none of the network's parameters"),
    ):
        with pytest.raises(ex.ExplorerError, match=said):
            schedule.watch(refused)
