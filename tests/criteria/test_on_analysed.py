"""Every criterion on networks whose groups the program finds itself."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from explorer.budget import ALLOCATORS, Target, allocate
from explorer.criteria import CRITERIA, score
from explorer.structure import analyse
from tests.nets import EXACT, INPUT, alive

COMPLETE = (
    "random l1 l2 fpgm merging group-norm lamp flow taylor taylor-weights taylor-activation group-fisher obd snip grasp"
).split()  # they score every group of these networks


@pytest.fixture(scope="module", params=sorted(EXACT))
def case(request):
    module = alive(EXACT[request.param])
    data = TensorDataset(torch.randn(12, *INPUT), torch.arange(12) % 5)
    return module, analyse(module, data[0][0][None]), data


@pytest.mark.parametrize("name", sorted(CRITERIA))
def test_every_group_is_scored_or_skipped_with_a_reason(name, case):
    module, structure, data = case
    if "batch norm" in CRITERIA[name].needs and not any("running_mean" in key for key in module.state_dict()):
        pytest.skip("no batch norm")
    if name == "apoz" and not any(tap.activation == "relu" for g in structure.groups.values() for tap in g.taps):
        pytest.skip("no ReLU")
    found = score(name, module, structure, data, device="cpu", batch_size=5)
    for group in structure.groups.values():
        if group.name in found.groups:
            assert found.groups[group.name].shape == (group.units,)
            assert np.isfinite(found.groups[group.name]).all()
        else:
            assert name not in COMPLETE
            assert found.skipped[group.name]


@pytest.mark.parametrize("allocator", sorted(name for name, each in ALLOCATORS.items() if each.needs <= {"target"}))
def test_targets_are_met_on_the_true_cost(allocator, case):
    module, structure, _ = case
    for kind in ("params", "macs"):
        found = allocate(allocator, structure, score("l2", module, structure), Target(kind, 0.6))
        kept = {name: units - len(found.remove.get(name, ())) for name, units in structure.full.items()}
        share = getattr(structure.cost(kept), kind) / getattr(structure.cost(), kind)
        assert found.achieved == pytest.approx(share)
        assert share == pytest.approx(0.6, rel=0.01) or any("not met" in text for text in found.warnings)
