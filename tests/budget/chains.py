"""Chains of convolutions whose costs are written down by hand."""

from itertools import pairwise

import numpy as np

from explorer.budget import Curves, LatencyModel, LatencyTable, Meter
from explorer.budget.latency_table import Timing
from explorer.criteria import Scores
from explorer.structure.types import CostModel, Group, Member, Product, Structure


def chain(widths, areas):
    """Convolutions of 3×3 in a row, from 3 input channels to 10 classes.

    params = 9·Σ nᵢ·nᵢ₊₁ over the hidden widths n with 3 before and 10 behind; MACs have each layer's area as well.
    """
    names = [f"conv{i}" for i in range(len(widths))]
    sides = [((3, ()),), *(((1, (name,)),) for name in names), ((10, ()),)]
    params = tuple(Product(9, pair) for pair in pairwise(sides))
    macs = tuple(Product(9 * area, pair) for area, pair in zip([*areas, areas[-1]], pairwise(sides), strict=True))
    groups = {
        name: Group(name, "conv", n, 1, True, "", "", (Member(f"{name}.weight", 0, "producer", np.arange(n)),))
        for name, n in zip(names, widths, strict=True)
    }
    return Structure(groups, (), CostModel(params, macs), (3, 32, 32), 0.0)


def scores(structure, seed=0, **given):
    """Random scores, each group's on a scale of its own, except those given."""
    draw = np.random.default_rng(seed)
    drawn = {
        name: np.asarray(given.get(name, draw.gamma(2, size=group.units) * draw.uniform(0.1, 10)), float)
        for name, group in structure.groups.items()
    }
    return Scores("l2", 0.0, drawn)


def shapes(structure):
    """Of the chain's weights."""
    widths = [3, *structure.full.values()]
    sides = zip(structure.full, pairwise(widths), strict=True)
    return {f"{name}.weight": (out, into, 3, 3) for name, (into, out) in sides}


def curves(structure, seed=0):
    """Convex curves, measured at a tenth to nine tenths of every group."""
    draw, points = np.random.default_rng(seed), {}
    for name, units in structure.full.items():
        counts = sorted({round(units * share) for share in (0.1, 0.3, 0.5, 0.7, 0.9)} - {0})
        depth = draw.uniform(0.1, 0.8)
        points[name] = tuple((count, 0.9 - depth * (count / units) ** 2) for count in counts)
    return Curves("top1", 0.9, points)


def latency(structure, base=20.0):
    """A table in which every unit of every group takes as long as the next."""
    units = sum(structure.full.values())
    each = 0.8 * base / units
    rows = {
        name: tuple(Timing(kept, each * (kept - n), 0.0, 0.0) for kept in sorted({1, max(1, n // 2), n}))
        for name, n in structure.full.items()
    }
    return LatencyModel(LatencyTable("torch", 1, "test", base, rows), structure)


def everything(structure, seed=0):
    """What any allocator may need."""
    meter = Meter(structure, size=lambda kept: 4 * structure.cost(kept).params + 80, latency=latency(structure))
    return {"meter": meter, "shapes": shapes(structure), "curves": curves(structure, seed)}
