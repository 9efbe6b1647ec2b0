"""Sensitivity curves against a cut done by hand."""

import pytest
import torch

from explorer.errors import ExplorerError
from explorer.evaluation import accuracy
from explorer.methods import sensitivity
from explorer.pruning import Plan, cut
from explorer.runs.spec import Spec
from explorer.sources import load_model, load_task
from explorer.structure import analyse

SPEC = Spec(model="demo:resnet20-digits", data="digits", criterion="l2", device="cpu")


def test_each_point_is_the_accuracy_of_that_cut():
    found = sensitivity(SPEC, [0.01, 0.5])
    loaded = load_model(SPEC.model)
    structure = analyse(loaded.module, loaded.example())
    assert set(found["groups"]) == set(structure.groups)
    task = load_task(SPEC.data, input_shape=loaded.input_shape, classes=loaded.classes)

    nothing, half = found["groups"]["layer2.0.conv1"]
    assert (nothing["removed"], nothing["top1"]) == (0, found["base"])
    norms = loaded.module.get_submodule("layer2.0.conv1").weight.flatten(1).norm(dim=1)
    assert half["removed"] == len(norms) // 2
    assert found["samples"] == len(task.validation)

    point = found["groups"]["layer3.2.conv1"][1]
    from explorer.criteria import score

    scores = score("l2", loaded.module, structure).groups["layer3.2.conv1"]
    lowest = tuple(int(i) for i in scores.argsort(kind="stable")[: point["removed"]])
    smaller = cut(loaded.module, structure, Plan(SPEC.model, {"layer3.2.conv1": lowest})).module
    assert point["top1"] == accuracy(smaller, task.validation, device=torch.device("cpu")).top1


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.5])
def test_ratios_out_of_range(ratio):
    with pytest.raises(ExplorerError, match="ratio"):
        sensitivity(SPEC, [ratio])


def test_noise_has_no_accuracy():
    with pytest.raises(ExplorerError, match="means nothing"):
        sensitivity(Spec(model="demo:resnet20-digits", data="random"), [0.5])
