"""Modules that are borrowed and given back, and hooks that are removed whatever happens."""

import pytest
import torch
from torch import nn

from explorer.modules import borrowed, watching


def network() -> nn.Module:
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(), nn.Sequential(nn.Linear(4, 2)))
    net[1].eval()
    net[2][0].bias.requires_grad_(False)
    return net


def state(net: nn.Module) -> tuple[list[bool], list[bool], set[torch.device]]:
    modes = [part.training for part in net.modules()]
    return modes, [p.requires_grad for p in net.parameters()], {p.device for p in net.parameters()}


def hooks(net: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in net.modules())


@pytest.mark.parametrize("training", [True, False])
def test_a_borrowed_module_is_given_back_as_it_was_also_after_an_error(training: bool):
    net = network()
    before = state(net)

    def fail() -> None:
        with borrowed(net, device=torch.device("cpu"), training=training, gradients=False) as lent:
            assert lent is net
            assert {part.training for part in net.modules()} == {training}
            assert not any(p.requires_grad for p in net.parameters())
            net(torch.ones(1, 2))

    with pytest.raises(RuntimeError):
        fail()
    assert state(net) == before


def test_what_is_not_asked_for_stays_and_what_changes_inside_is_put_back():
    net = network()
    before = state(net)
    with borrowed(net):
        assert state(net) == before
        net.eval().requires_grad_(True)
    assert state(net) == before


def test_hooks_hear_calls_replace_values_and_are_gone_after_an_error():
    net, seen = network().eval(), []
    x = torch.ones(1, 3)
    plain = net(x)
    pairs = [("2.0", lambda layer, given, out: seen.append(tuple(out.shape))), ("2.0", lambda *_: seen.append("again"))]
    with watching(net, pairs, before={"0": lambda layer, given: (2 * given[0],)}):
        doubled = net(x)
    assert seen == [(1, 2), "again"]
    assert not torch.equal(doubled, plain)
    with pytest.raises(RuntimeError), watching(net, {"": print}, before={"0": print}):
        net(torch.ones(1, 2))
    assert hooks(net) == 0
    with pytest.raises(AttributeError), watching(net, {"0": print, "missing": print}):
        pass
    assert hooks(net) == 0


def test_hooks_get_arguments_given_by_name_where_asked():
    class Named(nn.Module):
        def forward(self, x: torch.Tensor, *, scale: float) -> torch.Tensor:
            return x * scale

    net, seen = Named(), []
    with watching(net, {"": lambda layer, given, named, out: seen.append(named)}, named=True):
        net(torch.ones(1), scale=3.0)
    assert seen == [{"scale": 3.0}]
