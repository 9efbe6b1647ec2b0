"""Chains of convolutions whose costs are written down by hand."""

from itertools import pairwise

import numpy as np

from explorer.criteria import Scores
from explorer.structure.types import CostModel, Group, Product, Structure


def chain(widths, areas):
    """Convolutions of 3×3 in a row, from 3 input channels to 10 classes.

    params = 9·Σ nᵢ·nᵢ₊₁ over the hidden widths n with 3 before and 10 behind; MACs have each layer's area as well.
    """
    names = [f"conv{i}" for i in range(len(widths))]
    sides = [((3, ()),), *(((1, (name,)),) for name in names), ((10, ()),)]
    params = tuple(Product(9, pair) for pair in pairwise(sides))
    macs = tuple(Product(9 * area, pair) for area, pair in zip([*areas, areas[-1]], pairwise(sides), strict=True))
    groups = {n: Group(n, "conv", width, 1, True, "", "", ()) for n, width in zip(names, widths, strict=True)}
    return Structure(groups, (), CostModel(params, macs), (3, 32, 32), 0.0)


def scores(structure, seed=0, **given):
    """Random scores, each group's on a scale of its own, except those given."""
    draw = np.random.default_rng(seed)
    drawn = {
        name: np.asarray(given.get(name, draw.gamma(2, size=group.units) * draw.uniform(0.1, 10)), float)
        for name, group in structure.groups.items()
    }
    return Scores("l2", 0.0, drawn)
