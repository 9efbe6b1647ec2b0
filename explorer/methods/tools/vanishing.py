"""Layers and residual blocks that leave whole, when a plan leaves nothing of the channels inside."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn

from explorer.errors import ExplorerError
from explorer.methods.tools.leaving import NO_STREAM, Link, Network, layer_of, stage_of
from explorer.pruning import Plan
from explorer.structure import Block, Structure
from explorer.structure.types import inside, outermost


class Settled(NamedTuple):
    """What becomes of the widths asked for: units that stay, modules that leave, groups that had to keep one."""

    kept: dict[str, int]
    blocks: tuple[str, ...]
    held: tuple[str, ...]


class Vanishing:
    """What can leave a network whole. `structure` has as blocks, besides the residual ones, all that can.

    - A residual block leaves when each of its branches has a group with no unit.
    - A convolution that keeps the size of its maps, read by nothing but its batch norm and what follows, leaves with
      that: the next layer then reads as many channels as it did.
    - A stage leaves when its residual stream has no unit: the stage behind then reads the stream before it, and of
      its maps every second row and column where the stage halved them.
    """

    def __init__(self, module: nn.Module, structure: Structure, example: Tensor) -> None:
        self._branches = {name: _branches(structure, name) for name in structure.blocks}
        self._links: dict[str, Link] = {}
        self._stages: list[str] = []
        self._reasons: dict[str, str] = {}
        network = Network.of(module, structure, example)
        for name, group in structure.groups.items():
            self._enter(name, layer_of(network, group), stage_of(network, group), structure.blocks)
        paths = {path: None for link in self._links.values() for path in link.modules if path not in structure.blocks}
        further = {path: Block(path, 0, network.cost(path), network.stride(path)) for path in paths}
        self.structure = replace(structure, blocks=dict(structure.blocks) | further)

    def _enter(self, name: str, layer: Link | str, stage: Link | str, blocks: Collection[str]) -> None:
        """Keeps the way in which a group can leave whole, or the reason why it can't."""
        if isinstance(layer, Link) and any(inside(layer.modules[0], [block]) for block in blocks):
            layer = "it lies in a residual block, which leaves only when no branch of it has a unit"
        if isinstance(layer, Link):
            self._links[name] = layer
        elif isinstance(stage, Link):
            self._links[name] = stage
            self._stages.append(name)
        else:
            self._reasons[name] = layer if stage == NO_STREAM else stage

    def reason(self, name: str) -> str:
        """Why a group can't leave whole."""
        return self._reasons.get(name, "what comes before it keeps more channels than it has")

    def check(self, plan: Plan) -> None:
        """Refuses a plan in which something leaves whole, but what follows does not fit what comes before.

        Raises:
            ExplorerError: it takes a part of what can leave only together, or widths differ.
        """
        kept = plan.kept(self.structure)
        for name, link in self._links.items():
            removed = [path for path in link.modules if inside(path, plan.blocks)]
            if not set(removed) - self._branches.keys():  # residual blocks leave by themselves
                continue
            if len(removed) < len(link.modules):
                raise ExplorerError(
                    f"{', '.join(link.modules)} can only leave together, and the plan takes out {', '.join(removed)}"
                )
            if kept[name] != kept[link.before]:
                raise ExplorerError(
                    f"without {link.modules[0]}, what read {name} reads {link.before}: the plan must keep as many "
                    f"units of both, and keeps {kept[name]} and {kept[link.before]}"
                )

    def settle(self, asked: Mapping[str, int]) -> Settled:
        """What can be done where `asked` units of each group are to stay, of some none."""
        kept, held, removed = dict(asked), [], []
        for block, branches in self._branches.items():
            if branches and all(any(not asked[name] for name in branch) for branch in branches):
                removed.append(block)

        def width(name: str) -> int:
            if not kept[name]:
                link = self._links.get(name)
                before = width(link.before) if link else 0
                if link is None or before > self.structure.full[name]:
                    kept[name] = 1
                    held.append(name)
                else:
                    kept[name] = before
                    removed.extend(link.modules)
            return kept[name]

        for name in self._stages:
            width(name)
        out = {name for block in removed for name in self.structure.inside(block)}
        for name in asked:
            if name not in out:
                width(name)
        return Settled(kept, outermost(removed), tuple(held))


def _branches(structure: Structure, block: str) -> list[set[str]]:
    """The groups inside a block, those in one set that read what the others make or lie on the same tensors."""
    sets: list[tuple[set[str], set[str]]] = []  # groups, tensors
    for name in structure.inside(block):
        names, tensors = {name}, {member.tensor for member in structure.groups[name].members}
        for other in [entry for entry in sets if entry[1] & tensors]:
            sets.remove(other)
            names, tensors = names | other[0], tensors | other[1]
        sets.append((names, tensors))
    return [names for names, _ in sets]
