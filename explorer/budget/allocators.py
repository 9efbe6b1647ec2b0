"""Ways to share a target out among the groups: each says in which order units leave."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from explorer.structure.types import Structure

Ranked = Mapping[str, np.ndarray]
Function = Callable[[Structure, Ranked], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Allocator:
    """`function` says when each unit leaves.

    It takes every free group's normalised scores, ascending, (units,), and gives every group a non-decreasing array
    of the same shape: units leave in the order of these numbers over all groups, until the target is met.
    """

    name: str
    title: str
    explanation: str
    function: Function


ALLOCATORS: dict[str, Allocator] = {}


def allocator(name: str, title: str, explanation: str) -> Callable[[Function], Function]:
    """Enters the decorated function into `ALLOCATORS` as `name`."""

    def register(function: Function) -> Function:
        ALLOCATORS[name] = Allocator(name, title, explanation, function)
        return function

    return register


@allocator(
    "uniform",
    "Same ratio everywhere",
    "Every group loses the same fraction of its units, the lowest scored first. Only the order within a group "
    "matters, so the normaliser hardly does.",
)
def uniform(structure: Structure, ranked: Ranked) -> dict[str, np.ndarray]:
    """A group of n units loses its k-th one when the common ratio, rounded to whole units, reaches it: (k − ½)/n."""
    return {name: (np.arange(len(scores)) + 0.5) / len(scores) for name, scores in ranked.items()}


@allocator(
    "global",
    "Global ranking",
    "All units of all groups stand in one list and the lowest scored leave, wherever they are. The scores must be "
    "comparable between groups: that is the normaliser's work.",
)
def ranking(structure: Structure, ranked: Ranked) -> dict[str, np.ndarray]:
    return dict(ranked)
