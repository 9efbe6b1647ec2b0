"""Sensitivity curves against a cut done by hand."""

from dataclasses import replace

import pytest
import torch

from explorer.errors import Cancelled, ExplorerError
from explorer.evaluation import Live
from explorer.methods.spec import Spec
from explorer.methods.studies.sensitivity import sensitivity, sparklines
from explorer.pruning import Plan, cut
from explorer.sources import load_model, load_task
from explorer.structure import analyse
from explorer.tasks import accuracy

SPEC = Spec(model="demo:resnet20-digits", data="digits", criterion="l2", device="cpu")


def test_each_point_is_the_accuracy_of_that_cut():
    found = sensitivity(SPEC, [0.01, 0.5]).to_json()
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


@pytest.fixture
def evaluated(monkeypatch, tmp_path):
    """The plans that are evaluated, with an empty cache."""
    monkeypatch.setenv("EXPLORER_CACHE", str(tmp_path))
    plans, evaluate = [], Live.evaluate

    def counting(self, plan, report):
        plans.append(dict(plan.remove))
        return evaluate(self, plan, report)

    monkeypatch.setattr(Live, "evaluate", counting)
    return plans


@pytest.mark.slow
def test_an_interrupted_measurement_goes_on_and_shares_its_points(evaluated):
    def stop(fraction, message, **metrics):
        if message.startswith("layer2.0.conv1 at"):
            raise Cancelled

    with pytest.raises(Cancelled):
        sensitivity(SPEC, [0.5], stop)
    before = len(evaluated)
    assert before > 2
    found = sensitivity(SPEC, [0.5]).to_json()
    assert len(evaluated) == 1 + len(found["groups"])  # nothing twice
    assert sensitivity(SPEC, [0.5]).to_json() == found
    assert len(evaluated) == 1 + len(found["groups"])
    wider = sensitivity(
        replace(SPEC, samples=100), [0.5, 0.05]
    ).to_json()  # l2 looks at no samples, so the units are the same
    assert [points[0] for points in wider["groups"].values()] == [points[0] for points in found["groups"].values()]
    assert len(evaluated) <= 1 + 2 * len(found["groups"])


@pytest.mark.slow
def test_measuring_anew(evaluated):
    found = sensitivity(SPEC, [0.5]).to_json()
    first = len(evaluated)
    assert sensitivity(SPEC, [0.5], anew=True).to_json() == found
    assert len(evaluated) == 2 * first


def test_sparklines_begin_with_the_whole_group():
    document = {"metric": "top1", "base": 0.9, "groups": {"a": [{"ratio": 0.5, "removed": 4, "top1": 0.7}]}}
    assert sparklines(document) == {"a": [(0.0, 0.9), (0.5, 0.7)]}


@pytest.mark.parametrize("ratio", [0.0, 1.0, -0.5])
def test_ratios_out_of_range(ratio):
    with pytest.raises(ExplorerError, match="ratio"):
        sensitivity(SPEC, [ratio])


def test_noise_has_no_accuracy():
    with pytest.raises(ExplorerError, match="means nothing"):
        sensitivity(Spec(model="demo:resnet20-digits", data="random"), [0.5])
