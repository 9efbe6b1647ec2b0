"""A small attention network and random scores, which the tests of the board share."""

import numpy as np
import pytest
import torch

from explorer.criteria import Scores
from explorer.structure import analyse
from tests import nets


@pytest.fixture(scope="session")
def structure():
    return analyse(nets.alive(nets.Attention), torch.randn(1, *nets.INPUT), trial=False)


@pytest.fixture(scope="session")
def scores(structure):
    random = np.random.default_rng(0)
    return Scores("random", 0.0, {name: random.random(units) for name, units in structure.full.items()}, {})
