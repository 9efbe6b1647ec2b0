"""The table of operators against PyTorch's own."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from explorer.structure.operators import ACTIVATIONS, OPERATORS, Kind, operator_of
from explorer.structure.rules import RULES


class Seen(TorchDispatchMode):
    """Collects the operators that are called, and what they multiply."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds: list[Kind] = []
        self.macs = 0

    def __torch_dispatch__(self, func: object, types: object, args: tuple = (), kwargs: dict | None = None) -> object:
        out = func(*args, **(kwargs or {}))
        operator = operator_of(func)
        self.kinds.append(operator.kind)
        if operator.multiplied:
            self.macs += operator.multiplied(out, *args).macs
        return out


def test_every_kind_has_a_rule():
    assert RULES.keys() == set(Kind)


def test_every_operator_is_one_of_pytorch():
    elsewhere = {"deform_conv2d", "grouped_mm_fallback", "roi_align"}
    unknown = [n for n in OPERATORS if not hasattr(torch.ops.aten, n) and n not in elsewhere]
    assert not unknown


def test_every_activation_is_a_function_of_one_tensor():
    x = torch.linspace(-2, 2, 8)
    for name in ACTIVATIONS:
        assert getattr(F, name)(x).shape == x.shape


def test_one_that_writes_into_its_input_is_the_same_and_an_unknown_one_has_a_kind():
    assert operator_of(torch.ops.aten.relu_.default) is OPERATORS["relu"]
    assert operator_of(torch.ops.aten.kthvalue.default).kind is Kind.UNKNOWN
    assert operator_of(torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default).kind is Kind.ATTENTION


@pytest.mark.parametrize(
    "run",
    [
        lambda x: F.conv2d(x, torch.ones(6, 2, 3, 3), stride=2, groups=2),
        lambda x: F.conv_transpose2d(x, torch.ones(4, 3, 3, 3), stride=2),
        lambda x: F.linear(x, torch.ones(5, 8), torch.ones(5)),
        lambda x: x @ x.mT,
        lambda x: torch.baddbmm(torch.ones(1), x[0], x[0].mT),
        lambda x: x.sum(),
    ],
)
@torch.no_grad()
def test_products_are_counted_as_pytorch_counts_them(run: object):
    x: Tensor = torch.ones(2, 4, 8, 8)
    with FlopCounterMode(display=False) as counter:
        run(x)
    with Seen() as seen:
        run(x)
    assert seen.macs == counter.get_total_flops() // 2


@torch.no_grad()
def test_attention_multiplies_queries_by_keys_and_weights_by_values():
    q, k, v = torch.ones(2, 4, 5, 8), torch.ones(2, 4, 7, 8), torch.ones(2, 4, 7, 6)
    with Seen() as seen:
        F.scaled_dot_product_attention(q, k, v)
    assert seen.macs == 2 * 4 * 5 * 7 * (8 + 6)
