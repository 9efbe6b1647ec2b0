"""Numbered groups as named, described ones."""

from collections import defaultdict
from collections.abc import Collection, Sequence

import numpy as np
from torch import nn

from explorer.structure.heads import OUTSIDE
from explorer.structure.ledger import Ledger, Producer
from explorer.structure.types import Given, Group, Lookup, Member, Norm, Tap
from explorer.structure.units import Units


class Names:
    """Turns numbered groups into named, described ones."""

    def __init__(self, ledger: Ledger, units: Units, module: nn.Module) -> None:
        self.ledger, self.units, self.module = ledger, units, module
        self.members = self._members()
        self.experts = self._experts()
        self.norms, self.lookups, self.given = self._norms(), self._lookups(), self._given()
        self.makers = self._makers()
        self.contracted = self.units.groups_of(ledger.contracted)
        self.names, self.first = self._name_all()

    def _members(self) -> list[list[Member]]:
        members: list[list[Member]] = [[] for _ in self.units.sizes]
        parts_of: dict[bytes, list[tuple[int, np.ndarray]]] = {}
        for (tensor, axis), owners in self.ledger.axes.items():
            key = owners.tobytes()
            if key not in parts_of:
                parts_of[key] = self.units.parts(owners)
            for role in self.ledger.roles[tensor, axis]:
                for group, ranks in parts_of[key]:
                    members[group].append(Member(tensor, axis, role, ranks))
        return members

    def _split(self, members: list[Member]) -> tuple[tuple[Member, ...], tuple[Member, ...]]:
        """Members in tensors that are saved, and in buffers that are not."""
        unsaved = self.ledger.unsaved
        return (
            tuple(member for member in members if member.tensor not in unsaved),
            tuple(member for member in members if member.tensor in unsaved),
        )

    def _makers(self) -> list[list[Producer]]:
        """The producers of every group, in network order."""
        makers: list[list[Producer]] = [[] for _ in self.units.sizes]
        for producer in self.ledger.makers():
            group = self.units.group[self.units.of[producer.run]]
            for g in np.unique(group[group != OUTSIDE]):
                makers[g].append(producer)
        return makers

    def _name_all(self) -> tuple[list[str], dict[str, int]]:
        heads = self.units.groups_of(self.ledger.heads)
        names: list[str] = []
        first: dict[str, int] = {}
        for g, makers in enumerate(self.makers):
            root = owner(makers[0].tensor)
            if g in heads:
                root = _common_parent([owner(maker.tensor) for maker in makers]) or root
            name, number = root, 2
            while name in first:
                name, number = f"{root}#{number}", number + 1
            names.append(name)
            first[name] = makers[0].start
        return names, first

    def groups(self) -> list[Group]:
        heads = self.units.groups_of(self.ledger.heads)
        ties = self._ties()
        blurred = self._blurred()
        return [self._describe(g, g in heads, ties[g], blurred.get(g, "")) for g in range(len(self.names))]

    def _ties(self) -> dict[int, dict[str, list[str]]]:
        """For every group: what ties it, and in which modules."""
        ties: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for tie in self.ledger.ties:
            group = int(self.units.group[self.units.of[tie.channel]])
            if group != OUTSIDE and tie.module not in ties[group][tie.what]:
                ties[group][tie.what].append(tie.module)
        return ties

    def _blurred(self) -> dict[int, str]:
        """Groups for which masking differs from cutting; a module of its own that normalises can be masked exactly."""
        blurred: dict[int, str] = {}
        for blur in self.ledger.blurred:
            if blur.path not in self.ledger.normalised or blur.path in self.ledger.mixtures:
                for group in self.units.groups_of([blur.ids]) - self.experts.keys():  # a mask runs their router, too
                    blurred.setdefault(group, blur.reason)
        for ids, reason in self.ledger.blurred_places:  # those in heads: see HeadDims
            for group in self.units.groups_of([ids]) & self.contracted:
                blurred.setdefault(group, reason)
        return blurred

    def _lookups(self) -> list[list[Lookup]]:
        """For every group: the buffers that number its channels."""
        lookups: list[list[Lookup]] = [[] for _ in self.units.sizes]
        for tensor, ids in self.ledger.lookups.items():
            for group, units in self.units.parts(ids):
                lookups[group].append(Lookup(tensor, units))
        return lookups

    def _given(self) -> list[list[Given]]:
        """For every group: axes of what modules get; where one that passes it on takes some of it, that is enough."""
        given: list[list[Given]] = [[] for _ in self.units.sizes]
        taken = {(axis.module, axis.argument) for axis in self.ledger.given}
        for axis, ids in self.ledger.given.items():
            if not taken & self.ledger.passed_on[axis]:
                for group, units in self.units.parts(ids):
                    given[group].append(Given(axis, units))
        return given

    def _norms(self) -> list[list[Norm]]:
        """For every group: the modules that take statistics over, or run along, its channels or the weights at them."""
        norms: list[list[Norm]] = [[] for _ in self.units.sizes]
        for path in dict.fromkeys(blur.path for blur in self.ledger.blurred if blur.path in self.ledger.normalised):
            passage = self.ledger.normalised[path]
            sides = {"both": passage.read}
            if path in self.ledger.computing:
                sides = {"input": passage.read, "output": passage.made}
            for side, ids in sides.items():
                for group, units in self.units.parts(ids):
                    norms[group].append(Norm(path, passage.axis, units, side, path in self.ledger.mixtures))
        for group, (path, _) in self.experts.items():
            norms[group].append(Norm(path, 0, np.arange(self.units.sizes[group]), "inside", mixture=True))
        return norms

    def _experts(self) -> dict[int, tuple[str, int]]:
        """The groups of experts: the module in which they are chosen, and how many are."""
        mixtures = self.ledger.mixtures.items()
        return {g: (path, each.least) for path, each in mixtures for g in self.units.groups_of([each.ids])}

    def _describe(self, g: int, heads: bool, ties: dict[str, list[str]], reason: str) -> Group:
        members, makers, units = self.members[g], self.makers[g], self.units.sizes[g]
        producers = list(dict.fromkeys(maker.tensor for maker in makers))
        kind = "experts" if g in self.experts else self._kind(makers[0], producers, heads, ties)
        rows = next(m.units for m in members if (m.tensor, m.axis) == (makers[0].tensor, makers[0].axis))
        size = int((rows >= 0).sum()) * makers[0].copies
        if heads or kind == "recurrent":  # not all that queries, keys and values have, nor all gates
            reading = [m for m in members if m.role == "consumer"] or members
            size = int((reading[0].units >= 0).sum())
        saved, unsaved = self._split(members)
        return Group(
            name=self.names[g],
            kind=kind,
            size=size,
            unit=size // units,
            exact=not reason,
            reason=reason,
            why=_why([owner(producer) for producer in producers], ties),
            members=saved,
            unsaved=unsaved,
            heads=self._heads_of_a_unit(g) if heads else 1,
            least=self.experts[g][1] if g in self.experts else 1,
            taps=self._taps(producers),
            norms=tuple(self.norms[g]),
            lookups=tuple(self.lookups[g]),
            given=tuple(self.given[g]),
            contracted=g in self.contracted,
        )

    def _heads_of_a_unit(self, g: int) -> int:
        """How many heads of queries share a key."""
        heads = (int((self.units.group[self.units.of[grid[:, 0]]] == g).sum()) for grid in self.ledger.heads)
        return max(1, max(heads) // self.units.sizes[g])

    def _kind(self, root: Producer, producers: Sequence[str], heads: bool, ties: Collection[str]) -> str:
        if heads and "equal widths" not in ties:  # else heads of all layers, with what flows between these
            return "heads"
        if all(isinstance(self._layer(producer), nn.RNNBase | nn.RNNCellBase) for producer in producers):
            return "recurrent"
        if "addition" in ties and len(producers) > 1:
            return "stream"
        layer, tensor = self._layer(root.tensor), root.tensor.rpartition(".")[2]
        if isinstance(layer, nn.Embedding):
            return "embedding"
        stacked = getattr(layer, tensor).dim() > 2  # a matrix for every place of a kernel, or for every expert
        if root.tokens:
            return "experts-ffn" if stacked else "positions" if root.mixes else "ffn"
        return "conv" if stacked else "linear"

    def _layer(self, tensor: str) -> nn.Module:
        return self.module.get_submodule(tensor.rpartition(".")[0])

    def _taps(self, producers: list[str]) -> tuple[Tap, ...]:
        seen = [(p, self.ledger.observations[p]) for p in producers if p in self.ledger.observations]
        return tuple(Tap(p, o.module, o.activation, o.axis) for p, o in seen if self.ledger.sees(p, o))


def owner(tensor: str) -> str:
    """The module that a tensor belongs to; a tensor of the model itself stands for itself."""
    module = tensor.rpartition(".")[0] or tensor
    return module.partition(".parametrizations.")[0]  # PyTorch keeps there what it computes a weight from


def _common_parent(paths: list[str]) -> str:
    split = [p.split(".") for p in paths]
    common = [parts[0] for parts in zip(*split, strict=False) if len(set(parts)) == 1]
    return ".".join(common[: min(map(len, split))])


def _why(producers: list[str], ties: dict[str, list[str]]) -> str:
    """One sentence: what makes these channels, and what makes them inseparable."""
    makers = _listed(list(dict.fromkeys(producers)))
    if not ties:
        return f"Only {makers} makes these channels."
    causes = [f"the {what} in {_listed(modules)}" for what, modules in ties.items()]
    return f"Made by {makers}; tied by {' and '.join(causes)}."


def _listed(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
