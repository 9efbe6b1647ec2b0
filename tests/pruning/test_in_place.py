"""Cuts in place: what others hold of the module stays theirs, and it computes what the mask promised."""

import random

import pytest
import torch
from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.pruning import Plan, cut, mask, narrow
from explorer.pruning.remaining import in_original, remaining
from explorer.structure import Structure, adapt, analyse, count
from tests import nets
from tests.pruning.test_remaining import some_plan


class Recurrent(nn.Module):
    """An LSTM, which keeps its parameters in a list besides."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.lstm, self.head = nn.Linear(8, 6), nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.lstm(self.embed(x.flatten(1, 2)))[0].mean(1))


class TorchAttention(nn.Module):
    """`nn.MultiheadAttention`, which gets another class when it loses heads."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.attention = nn.Linear(8, 16), nn.MultiheadAttention(16, 4, batch_first=True)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.flatten(1, 2))
        return self.head(self.attention(x, x, x, need_weights=False)[0].mean(1))


class Tied(nn.Module):
    """Embedding and head share one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.body = nn.Linear(8, 12, bias=False), nn.Linear(12, 12)
        self.head = nn.Linear(8, 12, bias=False)
        self.head.weight = self.embed.weight
        self.last = nn.Linear(12, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1, 2)
        return self.last((self.body(self.embed(x)).relu() + self.head(x)).mean(1))


class Normalised(nn.Module):
    """Weights that are computed from others before every call, and kept beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.utils.weight_norm(nn.Linear(8, 12))
        self.second = nn.utils.parametrizations.weight_norm(nn.Linear(12, 10))
        self.last = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.first(x.flatten(1, 2)).relu()).relu().mean(1))


class Caching(nn.Module):
    """Keeps what it computed from a parameter in evaluation mode, until it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shift, self.last = nn.Linear(8, 12), nn.Parameter(torch.randn(12)), nn.Linear(12, 5)
        self.kept: dict[str, Tensor] = {}

    def train(self, mode: bool = True) -> "Caching":
        self.kept.clear()
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        shift = self.shift.exp() if self.training else self.kept.setdefault("shift", self.shift.detach().exp())
        return self.last((self.first(x.flatten(1, 2)) + shift).relu().mean(1))


NETS = {
    **nets.EXACT,
    "normed": nets.Normed,
    "recurrent": Recurrent,
    "torch_attention": TorchAttention,
    "tied": Tied,
    "normalised": Normalised,
    "caching": Caching,
}


def opened(name: str) -> tuple[nn.Module, Structure, Plan]:
    module = nets.alive(NETS[name])
    structure = analyse(module, torch.randn(1, *nets.INPUT))
    return module, structure, some_plan(structure, random.Random(0), leave=2)


@pytest.mark.parametrize("name", NETS)
def test_it_computes_what_mask_and_cut_compute_and_every_object_stays(name):
    module, structure, plan = opened(name)
    x = torch.randn(3, *nets.INPUT)
    with torch.no_grad():
        masked, done = mask(module, structure, plan)(x), cut(module, structure, plan).module(x)
    objects = [id(thing) for thing in (*module.modules(), *module.parameters(), *module.buffers())]
    narrow(module, structure, plan)
    assert [id(thing) for thing in (*module.modules(), *module.parameters(), *module.buffers())] == objects
    with torch.no_grad():
        torch.testing.assert_close(module(x), done)
        if name != "normed":
            torch.testing.assert_close(module(x), masked, atol=1e-5, rtol=1e-4)
    assert count(module, x[:1]) == plan.cost(structure)


@pytest.mark.parametrize("name", NETS)
def test_several_cuts_are_one_plan_whose_attributes_a_fresh_network_takes(name):
    module, whole, first = opened(name)
    attributes: dict[str, dict] = {}
    plan, structure = Plan("m"), whole
    generator = random.Random(1)
    for further in (first, None, None):
        further = some_plan(structure, generator, leave=1) if further is None else further
        for path, values in narrow(module, structure, further).attributes.items():
            attributes.setdefault(path, {}).update(values)
        plan, structure = in_original(whole, plan, further), remaining(structure, further)
    again = NETS[name]().eval()
    adapt(again, module.state_dict(), attributes)
    x = torch.randn(2, *nets.INPUT)
    with torch.no_grad():
        torch.testing.assert_close(again(x), module(x))
        torch.testing.assert_close(cut(nets.alive(NETS[name]), whole, plan).module(x), module(x), atol=1e-5, rtol=1e-4)
    assert structure.cost() == plan.cost(whole) == count(module, x)


@pytest.mark.parametrize("name", NETS)
def test_training_goes_on_while_the_last_graph_is_alive(name):
    module, structure, plan = opened(name)
    x = torch.randn(2, *nets.INPUT)
    loss = module.train()(x).square().mean()
    loss.backward()
    gradients = {key: parameter.grad.clone() for key, parameter in module.named_parameters()}
    values = {key: tensor.clone() for key, tensor in module.state_dict().items()}
    narrowed = narrow(module, structure, plan)
    assert narrowed.tensors
    for each in narrowed.tensors:
        for wide, now in ((values, each.tensor), (gradients, each.tensor.grad)):
            if each.names[0] in wide:
                value = wide[each.names[0]]
                for axis, places in each.kept.items():
                    value = value[(slice(None),) * axis + (places,)]
                torch.testing.assert_close(now, value, rtol=0, atol=0)
    again = module(x).square().mean()
    module.zero_grad()
    again.backward()
    assert all(p.grad.shape == p.shape for p in module.parameters() if p.grad is not None)
    assert loss.isfinite()


def test_hooks_marks_and_channels_last_stay():
    module, structure, plan = opened("plain")
    module = module.to(memory_format=torch.channels_last)
    weight = module.conv2.weight
    weight.mark = "mine"
    seen: list[torch.Size] = []
    weight.register_post_accumulate_grad_hook(lambda parameter: seen.append(parameter.grad.shape))
    narrow(module, structure, plan)
    assert weight.mark == "mine"
    assert weight.is_contiguous(memory_format=torch.channels_last)
    module(torch.randn(2, *nets.INPUT)).sum().backward()
    assert seen == [weight.shape] == [module.conv2.weight.shape]


def test_what_can_not_be_copied_is_named_and_nothing_is_cut():
    module, structure, plan = opened("plain")
    module.cached = module.conv1.weight * 2  # an activation with a graph
    before = {name: tensor.shape for name, tensor in module.state_dict().items()}
    with pytest.raises(ExplorerError, match="keep no activations"):
        narrow(module, structure, plan)
    assert {name: tensor.shape for name, tensor in module.state_dict().items()} == before
    with pytest.raises(ExplorerError, match="unknown group"):
        narrow(module, structure, Plan("m", {"conv9": (0,)}))
