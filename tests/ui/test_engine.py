"""What the pages get from the engine agrees with the engine."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from explorer.board.choice import Choice
from explorer.budget import Target, allocate
from explorer.criteria.tools.features import feature_maps
from explorer.device import choose_device
from explorer.methods.tools.portions import portion
from explorer.pruning import cut
from explorer.sources import load_model
from explorer.structure import analyse
from explorer.tasks import accuracy
from explorer.ui import engine
from explorer.ui.text import tables
from tests import nets

MODEL = "demo:resnet20-digits"


@pytest.fixture(scope="module")
def plan():
    structure = engine.opened(MODEL).structure
    scores = engine.quick_scores(MODEL, "digits", "l1", {})
    choice = Choice(allocate("uniform", structure, scores, Target("macs", 0.8)).budget)
    return engine.plan_of(MODEL, scores, choice)


def test_the_simulated_accuracy_is_the_cuts(plan):
    found = engine.opened(MODEL)
    simulated = engine.simulate(MODEL, "digits", plan)
    assert simulated.by == "mask"
    images = portion(engine.task("digits", found.model).validation, found.structure.cost().macs)
    smaller = cut(found.model.module, found.structure, plan).module
    real = accuracy(smaller, images, device=choose_device("cpu"))
    assert simulated.quality.top1 == real.top1
    assert simulated.quality.samples == len(images)


def test_results_are_kept_and_the_model_is_left_alone(plan):
    before = {name: tensor.clone() for name, tensor in engine.opened(MODEL).model.module.state_dict().items()}
    first = engine.simulate(MODEL, "digits", plan).quality
    assert engine.simulate(MODEL, "digits", plan).quality is first
    after = engine.opened(MODEL).model.module.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_feature_maps_are_what_flows_after_norm_and_activation():
    model = load_model(MODEL)
    structure = analyse(model.module, model.example())
    image = model.example()[0]
    maps = feature_maps(model.module, structure.groups["layer1.0.conv1"], image)
    network, block = model.module, model.module.layer1[0]
    with torch.no_grad():
        stem = F.relu(network.bn1(network.conv1(image[None])))
        expected = F.relu(block.bn1(block.conv1(stem)))[0]
    assert maps.shape == (16, 32, 32)
    np.testing.assert_allclose(maps, expected.numpy(), rtol=1e-5, atol=1e-6)
    assert not any(part._forward_hooks for part in network.modules())


def test_the_table_of_groups_says_what_removal_saves():
    structure = engine.opened(MODEL).structure
    table = tables.groups(structure)
    assert list(table.name) == list(structure.groups)
    row = table.set_index("name").loc["layer3.0.conv1"]
    assert row.params == pytest.approx(structure.saving("layer3.0.conv1").params / structure.cost().params)
    halved = tables.after(table, {name: units // 2 for name, units in structure.full.items()})
    assert (halved.kept == table.channels // 2).all()


def test_feature_maps_of_a_grouped_convolution_are_one_per_unit():
    """Units that interleave: the second unit of 12 channels in 4 groups of 3 starts at channel 1, not at 4."""
    module = nets.alive(nets.Mobile)
    group = analyse(module, torch.randn(1, *nets.INPUT)).groups["project"]
    image = torch.randn(nets.INPUT)
    seen = []
    module.project.register_forward_hook(lambda layer, inputs, output: seen.append(output.relu()[0].detach()))
    maps = feature_maps(module, group, image)
    assert group.unit == 4
    np.testing.assert_array_equal(maps, seen[0][:3].numpy())
