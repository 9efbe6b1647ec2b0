"""Widths that are multiples of a number: in which steps groups lose units, and whether the result holds it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from math import lcm

import numpy as np

from explorer.budget.search import unit_step
from explorer.structure.surgery import leaving
from explorer.structure.types import Structure


def unit_steps(
    structure: Structure, free: Collection[str], multiple: int, held: Mapping[str, int] | None = None
) -> dict[str, int]:
    """What the number of units that stay of each free group must be a multiple of, where it loses any.

    A projection of an attention is as wide as its heads times the places in each. Heads leave in such steps that all
    places of those that stay come to a multiple; places in such that they do with all heads, and with any number of
    heads that may stay. Of heads whose keys and values serve several queries, the narrower width counts.

    Args:
        free: the groups that may lose units.
        multiple: that widths are to be of.
        held: how many units other groups have lost.
    """
    lost = held or {}
    steps = {name: unit_step(multiple, structure.groups[name].unit) for name in free}
    if multiple == 1:
        return steps
    for heads, places in _crossing(structure):
        rows, columns = structure.groups[heads], structure.groups[places]
        in_each = columns.units - lost.get(places, 0)
        by_head = lcm(unit_step(multiple, in_each), unit_step(multiple, rows.unit // rows.heads))
        of_places = unit_step(multiple, rows.units - lost.get(heads, 0))
        if heads in steps:
            steps[heads] = lcm(steps[heads], by_head)
            of_places = lcm(of_places, unit_step(multiple, by_head))
        if places in steps:
            steps[places] = of_places
    return steps


def uneven(structure: Structure, removal: Mapping[str, Sequence[int]], multiple: int) -> list[str]:
    """What is no multiple in the cut network, as sentences: for which layers, and why; none where all widths are.

    Looked at is every axis of every weight that loses channels. Inputs of grouped convolutions, of which one stands for
    a channel of every group, are no widths.
    """
    if multiple == 1:
        return []
    owners: dict[tuple[str, int], list[str]] = defaultdict(list)
    single: set[tuple[str, int]] = set()
    for name, group in structure.groups.items():
        for member in group.members:
            owners[member.tensor, member.axis].append(name)
            if group.unit > 1 and int((member.units >= 0).sum()) == group.units:
                single.add((member.tensor, member.axis))
    sentences = {}
    for tensor, axes in leaving(structure, removal).items():
        for axis, out in axes.items():
            width = int((~out).sum())
            layer = tensor.rpartition(".")[0] or tensor
            if out.any() and width % multiple and (tensor, axis) not in single and layer not in sentences:
                sentences[layer] = (
                    f"{layer} keeps {width} channels, no multiple of {multiple}: "
                    f"{_why(structure, removal, owners[tensor, axis], out, (tensor, axis))}"
                )
    return list(sentences.values())


def _why(
    structure: Structure,
    removal: Mapping[str, Sequence[int]],
    names: Sequence[str],
    out: np.ndarray,
    place: tuple[str, int],
) -> str:
    cut = [name for name in names if removal.get(name)]
    mine = np.zeros(len(out), dtype=bool)
    for name in cut:
        for member in structure.groups[name].members:
            if (member.tensor, member.axis) == place:
                mine |= member.units >= 0
    whole = int((~mine).sum())
    if whole:
        return f"{whole} of them belong to layers that are left whole"
    counts = ", ".join(f"{structure.full[name] - len(removal[name])} units of {name}" for name in cut)
    return f"it was asked to keep {counts}"


def _crossing(structure: Structure) -> list[tuple[str, str]]:
    """Groups that share channels, as heads and the places in them do: the whole heads' group first."""
    axes: dict[tuple[str, int], list[tuple[str, np.ndarray]]] = defaultdict(list)
    pairs: dict[tuple[str, str], None] = {}
    for name, group in structure.groups.items():
        for member in group.members:
            owned = member.units >= 0
            for other, theirs in axes[member.tensor, member.axis]:
                if other != name and (owned & theirs).any():
                    pairs[(other, name) if group.contracted else (name, other)] = None
            axes[member.tensor, member.axis].append((name, owned))
    return list(pairs)
