"""The repair without training: least squares, else batch-norm statistics, else nothing, and why."""

import pytest
import torch

from explorer.batches import fetch
from explorer.errors import Cancelled, ExplorerError
from explorer.methods.studies.repair import repair
from explorer.methods.tools.portions import in_memory, portion
from explorer.pruning import Plan, cut
from explorer.recovery import Origin, reconstruct
from explorer.recovery.portion import repair_samples
from explorer.sources import load_pair
from explorer.structure import analyse
from explorer.tasks import evaluate

CPU = torch.device("cpu")


def opened(ref, data="digits"):
    model, task = load_pair(ref, data)
    return model.module, analyse(model.module, model.example()), task


def repaired(module, structure, task, plan, **given):
    data, calibration = task.validation, repair_samples(task.calibration, structure.cost().macs)
    return repair(module, structure, task, plan, data=data, calibration=calibration, device=CPU, **given)


def half(structure, *names):
    return Plan("", {name: tuple(range(structure.groups[name].units // 2)) for name in names or structure.groups})


def test_least_squares_bring_back_what_a_cut_lost_and_write_to_nothing():
    module, structure, task = opened("demo:resnet20-digits")
    before = {key: value.clone() for key, value in module.state_dict().items()}
    plan = half(structure)
    smaller = cut(module, structure, plan).module
    as_cut = evaluate(smaller, task.validation, kind=task.kind, device=CPU).value
    found = repaired(module, structure, task, plan)
    reconstruct(smaller, task.calibration, Origin(module, structure, plan), device=CPU)
    assert found.recovery == "reconstruct"
    assert found.quality.value == evaluate(smaller, task.validation, kind=task.kind, device=CPU).value > as_cut
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in before.items())


def test_where_no_layer_can_be_solved_statistics_are_estimated_and_it_is_said_why():
    module, structure, task = opened("demo:resnet20-digits")
    found = repaired(module, structure, task, Plan("", {}, (next(iter(structure.blocks)),)))
    assert found.recovery == "bn"
    assert "least squares" in found.warnings[0]


def test_where_nothing_helps_the_plan_stays_as_cut_and_it_is_said_why():
    module, structure, task = opened("demo:vit-digits")
    places = next(name for name, group in structure.groups.items() if group.contracted)
    found = repaired(module, structure, task, half(structure, places))
    assert found.recovery == "none"
    assert found.warnings[0].startswith(f"as cut: {places} (")
    assert "batch-norm" in found.warnings[1]
    whole = repaired(module, structure, task, Plan(""))
    assert (whole.recovery, whole.quality.value) == (
        "none",
        evaluate(module, task.validation, kind=task.kind, device=CPU).value,
    )


def test_data_that_means_nothing_is_refused_and_a_cancel_is_heard():
    module, structure, task = opened("demo:vgg-digits")
    with pytest.raises(ExplorerError, match="means nothing"):
        repaired(module, structure, load_pair("demo:vgg-digits", "random")[1], half(structure))

    def stop(fraction, message, **metrics):
        raise Cancelled

    with pytest.raises(Cancelled):
        repaired(module, structure, task, half(structure), report=stop)


def test_portions_are_spread_over_the_data_and_shrink_with_the_network():
    data = [(torch.tensor([float(place)]), place) for place in range(1000)]
    for take, most, least in ((portion, 512, 64), (repair_samples, 256, 64)):
        small, large = take(data, 10**6), take(data, 10**12)
        assert (len(small), len(large)) == (most, least)
        places = [label for _, label in in_memory(small)]
        assert places == sorted(places)
        assert max(places) - min(places) > 900
    inputs, labels = fetch(in_memory(data), torch.tensor([3, 7]))
    assert inputs.flatten().tolist() == labels.tolist() == [3, 7]
