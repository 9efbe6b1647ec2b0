"""What holds for every criterion, and how `score` answers bad input."""

from collections import Counter

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from explorer.criteria import CRITERIA, score
from explorer.criteria.tools.context import calibration_slice
from explorer.criteria.tools.registry import NEEDS
from explorer.errors import Cancelled, ExplorerError

LEARNED = sorted(
    name for name, entry in CRITERIA.items() if "inputs" in entry.needs and "batch norm" not in entry.needs
)
SILENT = {("apoz", "Heads"), ("hrank", "Heads")}  # no ReLU, no two-dimensional maps: no group has a score


def _skip_unsuited(name, case):
    if (name, type(case.module).__name__) in SILENT:
        pytest.skip("scores no group of this network")


@pytest.fixture(params=sorted(CRITERIA))
def name(request, case):
    _skip_unsuited(request.param, case)
    if "batch norm" in CRITERIA[request.param].needs and not any("bn" in key for key in case.module.state_dict()):
        pytest.skip("no batch norm")
    return request.param


def state(module):
    """Everything about a module that scoring could disturb."""
    return {
        "tensors": {key: value.clone() for key, value in module.state_dict().items()},
        "required": [parameter.requires_grad for parameter in module.parameters()],
        "gradients": [parameter.grad for parameter in module.parameters()],
        "modes": [part.training for part in module.modules()],
        "hooks": [len(part._forward_hooks) + len(part._forward_pre_hooks) for part in module.modules()],
        "fastpath": torch.backends.mha.get_fastpath_enabled(),
    }


def assert_same_state(before, after):
    torch.testing.assert_close(before.pop("tensors"), after.pop("tensors"), rtol=0, atol=0)
    assert before == after


def disturb(module):
    """An unusual state to come back to: train mode, one part in eval mode, one parameter frozen."""
    module.train()
    next(iter(module.children())).eval()
    next(module.parameters()).requires_grad_(False)


def test_registry_describes_every_criterion():
    for name, entry in CRITERIA.items():
        assert entry.name == name
        assert entry.needs <= NEEDS
        assert all([entry.title, entry.cost, entry.reference, entry.explanation])
        assert all(setting.default in setting.allowed and setting.meaning for setting in entry.settings.values())


def test_scores_are_finite_one_per_unit_and_repeatable(name, case):
    first = score(name, case.module, case.structure, case.data, device="cpu", batch_size=4)
    again = score(name, case.module, case.structure, case.data, device="cpu", batch_size=4)
    assert first.criterion == name
    assert set(first.groups) | set(first.skipped) == set(case.structure.groups)
    for group, values in first.groups.items():
        assert values.shape == (case.structure.groups[group].units,)
        assert values.dtype == np.float64
        assert np.isfinite(values).all()
        np.testing.assert_array_equal(values, again.groups[group])


def test_module_comes_back_as_it_was(name, case):
    disturb(case.module)
    before = state(case.module)
    score(name, case.module, case.structure, case.data, device="cpu")
    assert_same_state(before, state(case.module))


@pytest.mark.parametrize("name", LEARNED)
def test_cancelling_restores_the_module(name, case):
    _skip_unsuited(name, case)

    def cancel(fraction, message, **metrics):
        if fraction > 0:
            raise Cancelled

    disturb(case.module)
    before = state(case.module)
    with pytest.raises(Cancelled):
        score(name, case.module, case.structure, case.data, device="cpu", batch_size=3, report=cancel)
    assert_same_state(before, state(case.module))


@pytest.mark.parametrize("name", LEARNED)
def test_every_batch_is_reported(name, plain):
    told = []
    score(
        name, plain.module, plain.structure, plain.data, device="cpu", batch_size=3, report=lambda f, m: told.append(f)
    )
    passes = 1 if told[-2] == 0.8 else round(CRITERIA[name].forwards)
    assert told == sorted(told)
    assert told[0] == 0.0
    assert told[-1] == pytest.approx(1.0)
    expected = 5 * passes  # ten inputs in batches of 3, 3, 2, 2
    assert len(told) > expected if CRITERIA[name].forwards_per_unit else len(told) == expected


@pytest.mark.parametrize("name", LEARNED)
def test_running_out_of_memory_changes_no_score(name, case):
    """The device has room for two inputs; scores equal those of one large batch."""
    _skip_unsuited(name, case)

    def little_memory(module, inputs):
        if len(inputs[0]) > 2:
            raise torch.OutOfMemoryError("out of memory")

    # A mini-batch of all ten inputs: by itself one that sets its size takes few at a time in any case.
    options = {"batch": "64"} if "batch" in CRITERIA[name].settings else {}
    asked = {"options": options, "device": "cpu", "batch_size": 10}
    expected = score(name, case.module, case.structure, case.data, **asked)
    told = []
    handle = case.module.register_forward_pre_hook(little_memory)
    found = score(name, case.module, case.structure, case.data, **asked, report=lambda f, m: told.append(m))
    handle.remove()
    assert any("2 at a time for lack of memory" in message for message in told)
    for group, values in expected.groups.items():
        slack = 1e-4 * np.abs(values).max() if name == "shapley" else 0  # small differences of float32 losses
        np.testing.assert_allclose(found.groups[group], values, rtol=1e-4, atol=slack)


@pytest.mark.parametrize("name", ["l1", "l2", "flow", "taylor"])
def test_a_value_that_is_not_finite_names_the_group(name, plain):
    with torch.no_grad():
        plain.module.conv2.weight[3] = float("nan")
    with pytest.raises(ExplorerError, match="isn't finite for group conv"):
        score(name, plain.module, plain.structure, plain.data, device="cpu")


def test_random_depends_on_seed_and_group_name_only(plain, residual):
    first, second = (score("random", plain.module, plain.structure, seed=seed).groups for seed in (0, 1))
    assert not np.allclose(first["conv1"], second["conv1"])
    assert not np.allclose(first["conv1"], first["conv2"][:4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "floww"}, "unknown criterion 'floww': did you mean flow or synflow?"),
        ({"name": "flow", "options": {"scal": "chw"}}, "unknown option of criterion flow 'scal': did you mean scale?"),
        ({"name": "flow", "options": {"scale": "4"}}, "known are none, chw, sqrt-hw, layer-mean"),
        ({"name": "flow", "data": None}, "needs data"),
        ({"name": "flow", "samples": 0}, "at least one sample"),
    ],
)
def test_bad_input_is_one_line(arguments, message, plain):
    arguments = {"data": plain.data, **arguments}
    with pytest.raises(ExplorerError) as error:
        score(arguments.pop("name"), plain.module, plain.structure, **arguments, device="cpu")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_labels_that_the_model_has_no_class_for(plain):
    data = TensorDataset(plain.data.tensors[0], torch.full((10,), 7))
    with pytest.raises(ExplorerError, match="class 7 but the model only 3 outputs"):
        score("taylor", plain.module, plain.structure, data, device="cpu")


def test_a_slice_is_seeded_and_stratified():
    labels = torch.tensor([0] * 60 + [1] * 30 + [2] * 10)
    data = TensorDataset(torch.arange(100.0)[:, None], labels)
    chosen, again, other = ([float(x) for x, _ in calibration_slice(data, 21, seed)] for seed in (0, 0, 1))
    assert chosen == again == sorted(chosen)
    assert chosen != other
    assert Counter(int(label) for _, label in calibration_slice(data, 21, 0)) == {0: 7, 1: 7, 2: 7}
    assert calibration_slice(data, 1000, 0) is data
