"""The command that a page shows does what the page would do."""

import shlex

import pytest

from explorer.cli.options import spec_from
from explorer.cli.parser import build_parser
from explorer.methods import METHODS
from explorer.methods.spec import Spec
from explorer.ui.text.commandline import command

MODEL, DATA = "file:/a folder/x.safetensors#demo:vgg", "folder:/some 'pictures'"
ASKED = {
    "criterion": "taylor",
    "options": {"members": "sum"},
    "allocate": "uniform",
    "normalise": "max",
    "keep": {"macs": 1 / 3},
    "recover": "finetune",
    "epochs": 3,
    "samples": 100,
    "seed": 7,
    "device": "cpu",
    "input_shape": (3, 64, 48),
    "minimum": 0.25,
    "locked": ("layer1.0.conv1", "conv1"),
    "steps": 4,
    "alpha": 0.7,
    "rho": 0.05,
    "max_drop": 0.0123,
    "teacher": "previous",
    "blocks": 2,
    "block_order": "loss",
    "sparsity": 0.9,
    "settings": {"alpha": "0.5"},
}


def parsed(text: str) -> Spec:
    return spec_from(build_parser().parse_args(shlex.split(text)[3:]))


@pytest.mark.parametrize("method", [name for name, entry in METHODS.items() if entry.removes])
@pytest.mark.parametrize("asked", [{}, *({key: value} for key, value in ASKED.items()), ASKED], ids=str)
def test_every_setting_comes_back(method, asked):
    document = {"model": MODEL, "data": DATA, "method": method, **METHODS[method].defaults, **asked}
    spec = Spec.from_json(document)
    assert parsed(command(spec)) == spec


def test_ratios_keep_all_their_digits():
    spec = Spec(MODEL, DATA, ratios={"conv1": 5 / 16, "layer1.0.conv1": 1 / 3})
    assert parsed(command(spec)) == spec


def test_what_overrides_a_methods_own_default_is_said():
    spec = Spec(MODEL, DATA, method="ifap", criterion="l2", recover="none")
    assert parsed(command(spec)) == spec
