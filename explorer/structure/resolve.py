"""From a traced ledger to groups: which channels leave together, what they touch, and what they cost."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from explorer.structure.blocks import separable
from explorer.structure.heads import OUTSIDE, HeadDims
from explorer.structure.ledger import Atoms, Contraction, Ledger
from explorer.structure.types import (
    Block,
    Blocked,
    CostModel,
    Group,
    Lookup,
    Member,
    Norm,
    Product,
    Tap,
    Width,
    inside,
)


@dataclass
class _Units:
    """The united atoms: `of` maps an atom to its unit, `group` and `rank` a unit to its group and place there."""

    of: Atoms
    group: np.ndarray
    rank: np.ndarray
    sizes: list[int]


@dataclass
class Resolution:
    groups: dict[str, Group]
    blocked: tuple[Blocked, ...]
    cost_model: CostModel
    blocks: dict[str, Block]


def resolve(ledger: Ledger, module: nn.Module, refused: dict[str, str] | None = None) -> Resolution:
    """Groups in network order, what can't be cut, the cost polynomials, and residual blocks in network order.

    Args:
        refused: producers' tensor names that turned out not to be cuttable, with the reason.
    """
    unit_of = ledger.units()
    frozen = _frozen(ledger, unit_of, refused or {})
    units = _group(ledger, unit_of, frozen)
    names = _Names(ledger, units, module)
    groups = {group.name: group for group in names.groups()}
    dims = HeadDims(ledger, units.of, units.group, names.names, module, refused or {})
    order = sorted(groups.values(), key=lambda g: names.first[g.name])
    found = {group.name: group for whole in order for group in (whole, *dims.groups_inside(whole))}
    blocked = (*_blocked(ledger, unit_of, frozen, module), *dims.blocked)
    costs = _Costs(ledger, units, names, dims, module)
    return Resolution(found, blocked, costs.whole(), costs.blocks())


def _frozen(ledger: Ledger, unit_of: Atoms, refused: dict[str, str]) -> dict[int, str]:
    """Units that can't leave, with the reason met first."""
    made = np.zeros(unit_of.max(initial=-1) + 1, dtype=bool)
    for birth in ledger.births:
        if birth.tensor and "producer" in ledger.roles[birth.tensor, birth.axis]:
            made[unit_of[birth.start : birth.start + birth.size]] = True
    frozen: dict[int, str] = dict.fromkeys(np.flatnonzero(~made).tolist(), "no layer produces these channels")
    reasons = ledger.frozen[::-1]  # of several, the one met first stays
    for (tensor, _), atoms in ledger.rows.items():
        if tensor in refused:
            reasons.append((atoms, refused[tensor]))
    for atoms, reason in reasons:
        frozen.update(dict.fromkeys(np.unique(unit_of[atoms]).tolist(), reason))
    return frozen


def _group(ledger: Ledger, unit_of: Atoms, frozen: Collection[int]) -> _Units:
    """Units that touch the same axes of the same tensors equally often form a group."""
    total = unit_of.max(initial=-1) + 1
    signature = np.zeros(total, dtype=np.uint64)
    for position, owners in enumerate(ledger.axes.values()):
        met, counts = np.unique(unit_of[owners[owners >= 0]], return_counts=True)
        signature[met] += _mix(np.uint64(position + 1) * np.uint64(1 << 32) + counts.astype(np.uint64))
    first = np.full(total, np.iinfo(np.int64).max)
    np.minimum.at(first, unit_of, np.arange(len(unit_of)))
    free = np.setdiff1d(np.arange(total), np.fromiter(frozen, dtype=np.int64, count=len(frozen)))
    free = free[np.argsort(first[free])]
    group, rank = np.full(total, OUTSIDE), np.full(total, OUTSIDE)
    _, inverse = np.unique(signature[free], return_inverse=True)
    sizes = []
    for key in dict.fromkeys(inverse.tolist()):
        members = free[inverse == key]
        group[members], rank[members] = len(sizes), np.arange(len(members))
        sizes.append(len(members))
    return _Units(unit_of, group, rank, sizes)


def _mix(values: np.ndarray) -> np.ndarray:
    """splitmix64, so that sums of hashes tell sets of (axis, count) apart."""
    with np.errstate(over="ignore"):
        values = values + np.uint64(0x9E3779B97F4A7C15)
        values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return values ^ (values >> np.uint64(31))


class _Names:
    """Turns numbered groups into named, described ones."""

    def __init__(self, ledger: Ledger, units: _Units, module: nn.Module) -> None:
        self.ledger, self.units, self.module = ledger, units, module
        self.members = self._members()
        self.norms, self.lookups = self._norms(), self._lookups()
        self.births = self._births()
        self.contracted = self._groups_of(ledger.contracted)
        self.names, self.first = self._name_all()

    def _members(self) -> list[list[Member]]:
        members: list[list[Member]] = [[] for _ in self.units.sizes]
        parts_of: dict[bytes, list[tuple[int, np.ndarray]]] = {}
        for (tensor, axis), owners in self.ledger.axes.items():
            key = owners.tobytes()
            if key not in parts_of:
                parts_of[key] = self._parts(owners)
            for role in self.ledger.roles[tensor, axis]:
                for group, ranks in parts_of[key]:
                    members[group].append(Member(tensor, axis, role, ranks))
        return members

    def _parts(self, owners: Atoms) -> list[tuple[int, np.ndarray]]:
        unit = np.where(owners >= 0, self.units.of[owners], 0)
        group = np.where(owners >= 0, self.units.group[unit], OUTSIDE)
        rank = self.units.rank[unit].astype(np.int32)
        return [(int(g), np.where(group == g, rank, OUTSIDE)) for g in np.unique(group) if g != OUTSIDE]

    def _births(self) -> list[list]:
        """The producing births of every group, in network order."""
        births: list[list] = [[] for _ in self.units.sizes]
        for birth in self.ledger.births:
            if birth.tensor and "producer" in self.ledger.roles[birth.tensor, birth.axis]:
                group = self.units.group[self.units.of[birth.start : birth.start + birth.size]]
                for g in np.unique(group[group != OUTSIDE]):
                    births[g].append(birth)
        return births

    def _name_all(self) -> tuple[list[str], dict[str, int]]:
        heads = self._groups_of(self.ledger.heads)
        names: list[str] = []
        first: dict[str, int] = {}
        for g, births in enumerate(self.births):
            root = _owner(births[0].tensor)
            if g in heads:
                root = _common_parent([_owner(b.tensor) for b in births]) or root
            name, number = root, 2
            while name in first:
                name, number = f"{root}#{number}", number + 1
            names.append(name)
            first[name] = births[0].start
        return names, first

    def _groups_of(self, atoms: list[Atoms]) -> set[int]:
        if not atoms:
            return set()
        return set(np.unique(self.units.group[self.units.of[np.concatenate([a.ravel() for a in atoms])]]).tolist()) - {
            OUTSIDE
        }

    def groups(self) -> list[Group]:
        heads = self._groups_of(self.ledger.heads)
        ties = self._ties()
        blurred = self._blurred()
        return [self._describe(g, g in heads, ties[g], blurred.get(g, "")) for g in range(len(self.names))]

    def _ties(self) -> dict[int, dict[str, list[str]]]:
        """For every group: what ties it, and in which modules."""
        ties: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for tie in self.ledger.ties:
            group = int(self.units.group[self.units.of[tie.atom]])
            if group != OUTSIDE and tie.module not in ties[group][tie.what]:
                ties[group][tie.what].append(tie.module)
        return ties

    def _blurred(self) -> dict[int, str]:
        """Groups for which masking differs from cutting; a module of its own that normalises can be masked exactly."""
        blurred: dict[int, str] = {}
        for blur in self.ledger.blurred:
            if blur.path not in self.ledger.channels:
                for group in self._groups_of([blur.atoms]):
                    blurred.setdefault(group, blur.reason)
        for atoms, reason in self.ledger.blurred_places:  # those in heads: see HeadDims
            for group in self._groups_of([atoms]) & self.contracted:
                blurred.setdefault(group, reason)
        return blurred

    def _lookups(self) -> list[list[Lookup]]:
        """For every group: the buffers that number its channels."""
        lookups: list[list[Lookup]] = [[] for _ in self.units.sizes]
        for tensor, atoms in self.ledger.lookups.items():
            for group, units in self._parts(atoms):
                lookups[group].append(Lookup(tensor, units))
        return lookups

    def _norms(self) -> list[list[Norm]]:
        """For every group: the modules that take statistics over its channels."""
        norms: list[list[Norm]] = [[] for _ in self.units.sizes]
        for path in dict.fromkeys(blur.path for blur in self.ledger.blurred if blur.path in self.ledger.channels):
            axis, atoms = self.ledger.channels[path]
            for group, units in self._parts(atoms):
                norms[group].append(Norm(path, axis, units))
        return norms

    def _describe(self, g: int, heads: bool, ties: dict[str, list[str]], reason: str) -> Group:
        members, births, units = self.members[g], self.births[g], self.units.sizes[g]
        rows = next(m.units for m in members if (m.tensor, m.axis) == (births[0].tensor, births[0].axis))
        size = int((rows >= 0).sum()) * births[0].copies
        if heads:
            reading = [m for m in members if m.role == "consumer"] or members
            size = int((reading[0].units >= 0).sum())
        producers = list(dict.fromkeys(b.tensor for b in births))
        return Group(
            name=self.names[g],
            kind=self._kind(births, heads, "addition" in ties and len(producers) > 1),
            size=size,
            unit=size // units,
            exact=not reason,
            reason=reason,
            why=_why([_owner(p) for p in producers], ties),
            members=tuple(members),
            taps=self._taps(producers),
            norms=tuple(self.norms[g]),
            lookups=tuple(self.lookups[g]),
            contracted=g in self.contracted,
        )

    def _kind(self, births: list, heads: bool, added: bool) -> str:
        if heads:
            return "heads"
        if added:
            return "stream"
        root = births[0]
        path, _, tensor = root.tensor.rpartition(".")
        layer = self.module.get_submodule(path)
        if isinstance(layer, nn.Embedding):
            return "embedding"
        if getattr(layer, tensor).dim() > 2:
            return "conv"
        return "ffn" if root.tokens else "linear"

    def _taps(self, producers: list[str]) -> tuple[Tap, ...]:
        seen = [(p, self.ledger.observations[p]) for p in producers if p in self.ledger.observations]
        return tuple(Tap(p, o.module, o.activation, o.axis) for p, o in seen if self.ledger.sees(p, o))


def _owner(tensor: str) -> str:
    """The module that a tensor belongs to; a tensor of the model itself stands for itself."""
    return tensor.rpartition(".")[0] or tensor


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


def _blocked(ledger: Ledger, unit_of: Atoms, frozen: dict[int, str], module: nn.Module) -> tuple[Blocked, ...]:
    """Producers with channels that can't leave, one entry per producer and reason, and layers never reached."""
    blocked = []
    for birth in ledger.births:
        if not birth.tensor or "producer" not in ledger.roles[birth.tensor, birth.axis]:
            continue
        reasons: dict[str, int] = defaultdict(int)
        for unit in unit_of[birth.start : birth.start + birth.size].tolist():
            if unit in frozen:
                reasons[frozen[unit]] += 1
        blocked += [Blocked(_owner(birth.tensor), size * birth.copies, reason) for reason, size in reasons.items()]
    unreached = {_owner(n): p.shape[0] for n, p in module.named_parameters() if n not in ledger.used and p.dim() > 1}
    return (*blocked, *(Blocked(name, size, "no input of this size reaches it") for name, size in unreached.items()))


# Cost ----------------------------------------------------------------------------------------------------


class _Costs:
    """Polynomials of the whole model, and of every residual block in it."""

    def __init__(self, ledger: Ledger, units: _Units, names: _Names, dims: HeadDims, module: nn.Module) -> None:
        self.ledger, self.units, self.names, self.dims, self.module = ledger, units, names, dims, module
        self._widths: dict[bytes, Width] = {}

    def whole(self) -> CostModel:
        return self._model(dict(self.module.named_parameters()), self.ledger.contractions)

    def blocks(self) -> dict[str, Block]:
        """Those that share no tensor with the rest of the model."""
        blocks = {}
        for name in (name for name, _ in self.module.named_modules() if name in self.ledger.blocks):
            span = self.ledger.blocks[name]
            if separable(self.module, name):
                own = {n: parameter for n, parameter in self.module.named_parameters() if inside(n, [name])}
                model = self._model(own, self.ledger.contractions[span.start : span.stop])
                blocks[name] = Block(name, span.returns, model)
        return blocks

    def _model(self, parameters: dict[str, nn.Parameter], contractions: Sequence[Contraction]) -> CostModel:
        params: dict[tuple[Width, ...], int] = defaultdict(int)
        for name, parameter in parameters.items():
            owned = [self.ledger.axes.get((name, axis)) for axis in range(parameter.dim())]
            _add(params, 1, [
                ((size, ()),) if owners is None else self._width(owners)
                for owners, size in zip(owned, parameter.shape, strict=True)
            ])  # fmt: skip
        macs: dict[tuple[Width, ...], int] = defaultdict(int)
        for contraction in contractions:
            _add(macs, contraction.coefficient, [self._width(side) for side in contraction.sides])
        return CostModel(*(tuple(Product(c, w) for w, c in products.items()) for products in (params, macs)))

    def _width(self, owners: Atoms) -> Width:
        key = owners.tobytes()
        if key not in self._widths:
            self._widths[key] = _width(owners, self.units, self.names.names, self.dims)
        return self._widths[key]


def _add(products: dict[tuple[Width, ...], int], coefficient: int, widths: list[Width]) -> None:
    """Add a product, constant widths drawn into the coefficient."""
    varying = []
    for w in widths:
        if len(w) == 1 and not w[0][1]:
            coefficient *= w[0][0]
        else:
            varying.append(w)
    products[tuple(varying)] += coefficient


def _width(owners: Atoms, units: _Units, names: list[str], dims: HeadDims) -> Width:
    """How many of these entries remain, as a sum over groups."""
    group = np.where(owners >= 0, units.group[units.of[owners]], OUTSIDE)
    inner = dims.of(owners)
    met, counts = np.unique(np.stack([group, inner]), axis=1, return_counts=True)
    width = []
    for (g, d), count in zip(met.T.tolist(), counts.tolist(), strict=True):
        if g == OUTSIDE:
            width.append((int(count), ()))
        elif d == OUTSIDE:
            width.append((int(count) // units.sizes[g], (names[g],)))
        else:
            width.append((int(count) // (units.sizes[g] * dims.widths[d]), (names[g], dims.names[d])))
    return tuple(width)
