"""Margins by magnitude, by hand and against the masks that pruning makes."""

import json

import pytest
import torch

from explorer.cli import main
from explorer.errors import ExplorerError
from explorer.pruning.margins import Margins
from explorer.pruning.unstructured import dense, drop_lowest

WEIGHTS = {"a.weight": torch.tensor([[1.0, -2.0], [3.0, 0.5]]), "b.weight": torch.tensor([[-4.0, 5.0]])}


def test_margins_by_hand():
    found = Margins(WEIGHTS)
    assert found.margin(0.5) == 2.0  # 0.5, 1 and 2 of six
    assert found.removed(0.5) == {"a.weight": 3, "b.weight": 0}
    assert found.margin(0.5, "layer", "b.weight") == 4.0
    assert found.removed(0.5, "layer") == {"a.weight": 2, "b.weight": 1}
    layer = found.layer("a.weight", 0.5)
    assert (layer["margins"], layer["removed"], layer["kept"]) == ([-2.0, 2.0], 3, 1)
    assert sum(layer["histogram"]["removed"]) == 3
    assert (found.margin(0.0), found.layer("b.weight", 0.0)["removed"]) == (None, 0)


@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.parametrize("share", [0.0, 0.013, 0.5, 0.9, 0.997])
def test_margins_are_where_pruning_cuts(share, scope):
    generator = torch.Generator().manual_seed(0)
    shapes = {"a": (8, 3, 3, 3), "b": (40, 72), "c": (5, 11)}
    weights = {name: torch.randn(shape, generator=generator) * len(shape) for name, shape in shapes.items()}
    masks = drop_lowest({name: weight.abs() for name, weight in weights.items()}, dense(weights), share, scope)
    found = Margins(weights)
    assert found.removed(share, scope) == {name: int((~mask).sum()) for name, mask in masks.items()}
    for name, weight in weights.items():
        margin = found.margin(share, scope, name)
        assert torch.equal(weight.abs() > (-1 if margin is None else margin), masks[name])
    assert found.to_json(share, scope)["zeros"] == sum(int((~mask).sum()) for mask in masks.values())


def test_what_has_no_margin():
    found = Margins(WEIGHTS)
    with pytest.raises(ExplorerError, match="share of weights"):
        found.margin(1.0)
    with pytest.raises(ExplorerError, match="unknown scope"):
        found.margin(0.5, "stage")
    with pytest.raises(ExplorerError, match="unknown layer"):
        found.layer("c.weight", 0.5)


def test_the_command_needs_no_run(capsys):
    asked = ["weights", "--model", "demo:vgg-digits", "--sparsity", "0.9", "--layer", "classifier.2.weight"]
    assert main([*asked, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["zeros"] == round(0.9 * found["weights"])
    assert found["layer"]["removed"] == next(
        layer["zeros"] for layer in found["layers"] if layer["name"] == "classifier.2.weight"
    )
    assert main(asked) == 0
    assert "classifier.2.weight" in capsys.readouterr().out
    assert main(asked[:3]) == 2
    assert "give --sparsity" in capsys.readouterr().err
