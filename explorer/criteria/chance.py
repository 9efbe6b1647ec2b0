"""The criterion that every other one has to beat."""

import zlib

import numpy as np

from explorer.criteria.tools.context import Context
from explorer.criteria.tools.registry import criterion


@criterion(
    "random",
    title="Random",
    cost="none",
    reference="Mittal et al. 2018, Recovering from Random Pruning (arXiv:1801.10447)",
    explanation="Draws every unit's score from a uniform distribution. A criterion that isn't better than this one "
    "knows nothing about the network; repeat it with several seeds.",
    rank=20,
)
def random(context: Context) -> dict[str, np.ndarray]:
    """U(0, 1) from a stream of its own for every (seed, group name)."""
    return {
        name: np.random.default_rng([context.seed, zlib.crc32(name.encode())]).random(group.units)
        for name, group in context.structure.groups.items()
    }
