"""Every criterion on networks whose groups the program finds itself."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from explorer.budget import ALLOCATORS, Target, allocate
from explorer.criteria import CRITERIA, score
from explorer.errors import ExplorerError
from explorer.structure import analyse
from tests.nets import EXACT, INPUT, alive
from tests.structure.awkward import TOYS

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


@pytest.mark.parametrize("name", ["standardised_and_masked_weights", "recurrent_layers_over_a_sequence"])
def test_layers_without_plain_weights_are_scored_or_refused_by_an_error_of_ours(name):
    module = TOYS[name].make()
    data = TensorDataset(torch.randn(10, *INPUT), torch.arange(10) % 5)
    structure = analyse(module, data[0][0][None])
    scored = set()
    for criterion in CRITERIA:
        with suppress(ExplorerError):
            found = score(criterion, module, structure, data, device="cpu").groups
            assert all(values.shape == (structure.groups[group].units,) for group, values in found.items())
            scored.add(criterion)
    assert {"l2", "group-norm", "taylor", "flow", "synflow", "thinet"} <= scored


@pytest.mark.parametrize("allocator", sorted(name for name, each in ALLOCATORS.items() if each.needs <= {"target"}))
def test_targets_are_met_on_the_true_cost(allocator, case):
    module, structure, _ = case
    for kind in ("params", "macs"):
        found = allocate(allocator, structure, score("l2", module, structure), Target(kind, 0.6))
        kept = {name: units - len(found.remove.get(name, ())) for name, units in structure.full.items()}
        share = getattr(structure.cost(kept), kind) / getattr(structure.cost(), kind)
        assert found.achieved == pytest.approx(share)
        assert share == pytest.approx(0.6, rel=0.01) or any("not met" in text for text in found.warnings)
