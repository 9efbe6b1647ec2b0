"""Units are ranked against those of groups that are built alike."""

from collections import defaultdict

import numpy as np

from explorer.budget.allocating import Case, Times, allocator, middles
from explorer.structure.types import Group


@allocator(
    "isomorphic",
    title="Isomorphic groups",
    explanation="Units are ranked only against those of groups that are built alike, and every such class loses the "
    "same fraction: heads are not weighed against channels, nor blocks against the stream between them.",
    reference="Fang et al., ECCV 2024",
    rank=30,
)
def isomorphic(case: Case) -> Times:
    """The rank of each unit within its class, from 0 to 1."""
    classes: dict[object, list[str]] = defaultdict(list)
    for name in case.ranked:
        classes[_topology(case.structure.groups[name])].append(name)
    times: Times = {}
    for names in classes.values():
        scores = np.concatenate([case.ranked[name] for name in names])
        places = np.empty(len(scores))
        places[np.argsort(scores, kind="stable")] = middles(len(scores))
        bounds = np.cumsum([len(case.ranked[name]) for name in names])[:-1]
        times.update(zip(names, np.split(places, bounds), strict=True))
    return times


def _topology(group: Group) -> object:
    """What two groups have in common that are built alike: the kind, and how often each sort of tensor takes part."""
    sorts: dict[tuple[str, str, int], int] = defaultdict(int)
    for member in group.members:
        sorts[member.role, member.tensor.rpartition(".")[2], member.axis] += 1
    return group.kind, tuple(sorted(sorts.items()))
