"""The closed form of a weights file against the file."""

import numpy as np
import pytest

from explorer.evaluation import size_bytes
from explorer.evaluation.size import size_model
from explorer.pruning import Plan, cut
from explorer.sources import load_model
from explorer.structure import analyse


@pytest.mark.parametrize(
    "ref",
    ["demo:resnet20-digits", "demo:vit-digits", pytest.param("torchvision:shufflenet_v2_x0_5", marks=pytest.mark.slow)],
)
def test_every_cut_has_the_predicted_bytes(ref):
    """Weights, batch-norm statistics and counters, heads that share channels with places inside them, the header."""
    loaded = load_model(ref)
    structure = analyse(loaded.module, loaded.example())
    predict, draw = size_model(loaded.module, structure), np.random.default_rng(0)
    assert predict({}) == size_bytes(loaded.module)
    for _ in range(2):
        kept = {name: int(draw.integers(1, units + 1)) for name, units in structure.full.items()}
        remove = {
            name: tuple(draw.choice(units, units - kept[name], replace=False).tolist())
            for name, units in structure.full.items()
        }
        assert predict(kept) == size_bytes(cut(loaded.module, structure, Plan("", remove)).module)


def test_blocks_that_are_taken_out_take_their_bytes_along():
    loaded = load_model("demo:resnet20-digits")
    structure = analyse(loaded.module, loaded.example())
    predict, out = size_model(loaded.module, structure), ("layer1.0", "layer2.1")
    plan = Plan("", {"conv1": (0, 1)}, out)
    assert predict.without(out)(plan.kept(structure)) == size_bytes(cut(loaded.module, structure, plan).module)
