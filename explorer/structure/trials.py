"""What a proof cuts from the groups of one resolution, and what the polynomials then say."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from explorer.structure.labels import along, varying
from explorer.structure.resolve import Resolution
from explorer.structure.types import Group, Structure, inside

Removal = dict[str, tuple[int, ...]]
Signature = tuple  # what tells a group from one of the same name that another resolution made


class Trials:
    """One resolution, with the units that leave in each way of trying."""

    def __init__(self, resolution: Resolution, structure: Structure, removals: Sequence[Removal]) -> None:
        self.resolution, self.structure, self.removals = resolution, structure, removals

    def staying(self, names: Sequence[str]) -> set[str]:
        """Those that stay in one way, so that an attribute which follows another group shows.

        Streams stay, and heads of whose places some leave; if there are no others, all leave.
        """
        heads, found = "", set()
        for name, group in self.structure.groups.items():
            heads = name if group.kind == "heads" else heads
            if name in names and group.kind in ("head-dims", "stream"):
                found.add(heads if group.kind == "head-dims" else name)
        return found if set(names) - found else set()

    def macs(self, path: str, kept: Mapping[str, int]) -> int:
        """What a module multiplies when so many units of groups are left, by the polynomials."""
        widths = {**self.structure.full, **kept}
        return sum(
            product(widths)
            for module, products in self.resolution.macs.items()
            if not path or inside(module, [path])
            for product in products
        )

    @staticmethod
    def kept_of(label: Tensor, output: Tensor, gone: np.ndarray) -> Tensor:
        """A module's output without the channels that leave: `gone` says for every channel id whether it does."""
        axes = varying(label)
        if label.shape != output.shape or len(axes) != 1:
            return output
        (axis,) = axes
        kept = ~gone[along(label, axis)]
        return output.index_select(axis, torch.from_numpy(np.flatnonzero(kept)))


def removals(structure: Structure) -> tuple[Removal, ...]:
    """The units that leave in each way of trying.

    Neighbouring groups lose different numbers of units, so that widths which must agree, or stay, show. They lose
    their first ones, and in a second cut their last one and others from anywhere, so that slices show whose bounds
    would have to move; of queries and keys half, since fewer would hardly change what is looked at. Streams, which
    stay in the second cut (see `Trials.staying`), lose these in the first.
    """
    generator = random.Random(0)
    first: Removal = {}
    second: Removal = {}
    for i, (name, group) in enumerate(structure.groups.items()):
        if (count := min(1 + i % 3, group.units - 1)) > 0:
            first[name] = tuple(range(count))
            second[name] = _scattered(group.units, group.units // 2 if group.contracted else count, generator)
            if group.kind == "stream":
                first[name], second[name] = second[name], first[name]
    return first, second


def _scattered(units: int, count: int, generator: random.Random) -> tuple[int, ...]:
    """The last unit, and `count` - 1 of the others."""
    return (*sorted(generator.sample(range(units - 1), count - 1)), units - 1)


def signature(group: Group) -> Signature:
    members = tuple((member.tensor, member.axis, int((member.units >= 0).sum())) for member in group.members)
    return group.name, group.units, members


def concerns(group: Group, path: str) -> bool:
    """Whether a module has tensors of the group."""
    return not path or any(inside(member.tensor, [path]) for member in group.members)


def seen_from(group: Group, path: str) -> Group:
    """A group with its tensors and modules named from a module that encloses them."""
    if not path:
        return group
    own = len(path) + 1
    return replace(
        group,
        members=tuple(replace(member, tensor=member.tensor[own:]) for member in group.members),
        unsaved=tuple(replace(member, tensor=member.tensor[own:]) for member in group.unsaved),
        norms=tuple(replace(norm, module=norm.module[own:]) for norm in group.norms),
        lookups=tuple(replace(lookup, tensor=lookup.tensor[own:]) for lookup in group.lookups),
        counters=tuple((module[own:], attribute) for module, attribute in group.counters),
        stored=tuple(
            replace(stored, module=stored.module[own:], tensor=stored.tensor[own:])
            for stored in group.stored
            if inside(stored.module, [path])
        ),
        fitted=tuple(
            shape._replace(module=shape.module[own:]) for shape in group.fitted if inside(shape.module, [path])
        ),
        given=tuple(replace(each, axis=each.axis._replace(module=each.axis.module[own:])) for each in group.given),
        taps=(),
    )
