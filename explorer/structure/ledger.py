"""The books kept while a model is traced: born channels, what they are tied to, who reads them.

An *atom* is one channel as one tensor's row produces it. Tracing unites atoms that must leave together,
freezes those that can't leave, and writes down for every axis of every parameter and buffer which atom each
index belongs to.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

Atoms = np.ndarray  # of int64 atom numbers


@dataclass(frozen=True)
class Birth:
    """A stretch of atoms made by the rows of one tensor's axis, each of `copies` channels.

    `tensor` is empty for a model's input and constants.
    """

    tensor: str
    axis: int
    start: int
    size: int
    tokens: bool = False
    copies: int = 1


@dataclass(frozen=True)
class Tie:
    """An operation that made atoms inseparable; `atom` is one of those atoms."""

    what: str
    module: str
    atom: int


@dataclass
class Contraction:
    """``coefficient · Π len(live entries)``: multiply-accumulates of one product."""

    coefficient: int
    sides: tuple[Atoms, ...]


@dataclass
class Observation:
    """Where a producer's channels can be seen: see `explorer.structure.types.Tap`."""

    module: str
    axis: int
    activation: str = ""
    normalised: bool = False


@dataclass(frozen=True)
class Blur:
    """Atoms whose mask differs from their cut, since the module `path` computes statistics over them."""

    atoms: Atoms
    reason: str
    path: str


@dataclass(frozen=True)
class Shared:
    """Atoms that meet every row (head) of a grid of shape (rows, atoms)."""

    atoms: Atoms
    grid: Atoms
    what: str
    module: str


@dataclass(frozen=True)
class Span:
    """One call of a residual block: how many values it returned, and which of the ledger's contractions it made."""

    returns: int  # 0: a tensor, else the length of a tuple
    start: int
    stop: int


@dataclass
class Ledger:
    births: list[Birth] = field(default_factory=list)
    rows: dict[tuple[str, int], Atoms] = field(default_factory=dict)
    axes: dict[tuple[str, int], Atoms] = field(default_factory=dict)
    roles: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    edges: list[tuple[Atoms, Atoms]] = field(default_factory=list)
    frozen: list[tuple[Atoms, str]] = field(default_factory=list)
    blurred: list[Blur] = field(default_factory=list)
    blurred_places: list[tuple[Atoms, str]] = field(default_factory=list)
    fixed_places: list[tuple[Atoms, str]] = field(default_factory=list)
    lookups: dict[str, Atoms] = field(default_factory=dict)
    channels: dict[str, tuple[int, Atoms]] = field(default_factory=dict)
    heads: list[Atoms] = field(default_factory=list)
    lone_heads: set[int] = field(default_factory=set)
    contracted: list[Atoms] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    ties: list[Tie] = field(default_factory=list)
    contractions: list[Contraction] = field(default_factory=list)
    blocks: dict[str, Span] = field(default_factory=dict)  # residual ones, by module path
    observations: dict[str, Observation] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)  # labels of modules' outputs that vary along one axis
    sums: dict[str, set[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    atoms: int = 0

    def bear(self, tensor: str, axis: int, size: int, *, role: str, tokens: bool = False, copies: int = 1) -> Atoms:
        """The atoms of a tensor's axis: new ones at the first call, the same ones afterwards."""
        key = (tensor, axis)
        if key not in self.rows:
            self.births.append(Birth(tensor, axis, self.atoms, size, tokens, copies))
            self.rows[key] = np.arange(self.atoms, self.atoms + size)
            self.atoms += size
            self.record(tensor, axis, np.arange(size), self.rows[key], size=size, role=role)
        return self.rows[key]

    def constant(self, size: int, reason: str) -> Atoms:
        """Atoms that can't leave: entries of an input, or of a constant."""
        self.births.append(Birth("", 0, self.atoms, size))
        atoms = np.arange(self.atoms, self.atoms + size)
        self.atoms += size
        self.freeze(atoms, reason)
        return atoms

    def record(self, tensor: str, axis: int, positions: Atoms, atoms: Atoms, *, size: int, role: str) -> None:
        """Write down which atom each position of a tensor's axis belongs to; a second owner joins the first.

        An axis may both produce and be read (a tied weight); of other roles the last counts.
        """
        key = (tensor, axis)
        owners = self.axes.setdefault(key, np.full(size, -1, dtype=np.int64))
        roles = (*self.roles.get(key, ()), role)
        self.roles[key] = tuple(r for r in ("producer", "consumer") if r in roles) or (role,)
        owned = owners[positions]
        known = owned >= 0
        self.unite(owned[known], atoms[known])
        owners[positions[~known]] = atoms[~known]

    def look_up(self, tensor: str, places: Atoms, atoms: Atoms) -> None:
        """The entries of a buffer, `places`, choose from these atoms."""
        known = self.lookups.setdefault(tensor, atoms)
        if len(known) == len(atoms):
            self.unite(known, atoms)
        self.record(tensor, 0, np.arange(len(places)), atoms[places], size=len(places), role="index")

    def unite(self, a: Atoms, b: Atoms, what: str = "", module: str = "") -> None:
        differ = a != b
        if differ.any():
            self.edges.append((a[differ], b[differ]))
            if what:
                self.ties.append(Tie(what, module, int(a[differ][0])))

    def share(self, atoms: Atoms, grid: Atoms, what: str, module: str) -> None:
        """These atoms meet every row of a grid: `settle` decides what leaves together."""
        self.shared.append(Shared(atoms, grid, what, module))

    def settle(self) -> None:
        """Where rows (heads) leave as a whole, what they share stays; elsewhere its atoms leave with their places."""
        units = self.units() if self.shared else None
        for shared in self.shared:
            rows = units[shared.grid]
            if (rows == rows[:, :1]).all():
                self.freeze(shared.atoms, f"all heads share them in {shared.module}")
                self.fixed_places.append((shared.grid, f"all heads share channels in {shared.module}"))
            else:
                atoms = np.broadcast_to(shared.atoms, shared.grid.shape)
                self.unite(atoms, shared.grid, shared.what, shared.module)
        self.shared.clear()

    def keep(self, atom: int, reason: str) -> None:
        """An atom that must stay; the only one of its birth stays anyway, since a group keeps a unit."""
        if next(birth.size for birth in self.births[::-1] if birth.start <= atom) > 1:
            self.freeze(np.array([atom]), reason)

    def units(self) -> Atoms:
        """The unit of every atom: atoms that were united leave together."""
        a, b = (np.concatenate([np.zeros(0, dtype=np.int64), *(e[i].ravel() for e in self.edges)]) for i in (0, 1))
        graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(self.atoms, self.atoms))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def freeze(self, atoms: Atoms, reason: str) -> None:
        self.frozen.append((np.unique(atoms), reason))

    def blur(self, atoms: Atoms, reason: str, path: str) -> None:
        """Masking these atoms is not the same as cutting them, unless the module `path` sees only what stays."""
        self.blurred.append(Blur(np.unique(atoms), reason, path))

    def blur_places(self, atoms: Atoms, reason: str) -> None:
        """Masking the same place of all heads is not the same as cutting it; heads may leave as a whole."""
        self.blurred_places.append((np.unique(atoms), reason))

    def pass_through(self, path: str, axis: int, atoms: Atoms) -> None:
        """A module that blurs maps a tensor with these atoms along one axis to a tensor of the same shape."""
        if any(blur.path == path for blur in self.blurred):
            known = self.channels.setdefault(path, (axis, atoms))
            if known[0] == axis and len(known[1]) == len(atoms):
                self.unite(known[1], atoms)

    def add_up(self, a: Atoms, b: Atoms) -> None:
        """Remember which producers are summed, since the non-linearity after the sum is that of all of them."""
        tensors = {birth.tensor for atoms in (a, b) for birth in self.producers_of(atoms)}
        merged = tensors.union(*(self.sums.get(tensor, set()) for tensor in tensors))
        self.sums.update(dict.fromkeys(merged, merged))

    def activate(self, atoms: Atoms, activation: str) -> None:
        """Write down the first non-linearity after the producers of these atoms, or after their sum."""
        for birth in self.producers_of(atoms):
            for tensor in {birth.tensor, *self.sums.get(birth.tensor, ())}:
                seen = self.observations.get(tensor)
                if seen and not seen.activation:
                    seen.activation = activation

    def sees(self, producer: str, seen: Observation) -> bool:
        """Whether the output of the module, where a producer was to be observed, really has its channels."""
        if (label := self.shown.get(seen.module)) is None:
            return False
        channels = label.movedim(seen.axis, -1)[(0,) * (label.dim() - 1)].numpy()
        return any(np.array_equal(channels, self.rows.get((producer, axis))) for axis in (0, 1))

    def tensors_of(self, atoms: Atoms) -> set[str]:
        """The tensors whose rows these atoms are."""
        starts = np.array([birth.start for birth in self.births])
        return {self.births[b].tensor for b in np.unique(np.searchsorted(starts, atoms, side="right") - 1)}

    def producers_of(self, atoms: Atoms) -> list[Birth]:
        """The births that cover exactly the run of these atoms (none, or one)."""
        if len(atoms) and atoms[-1] - atoms[0] == len(atoms) - 1 and (np.diff(atoms) == 1).all():
            return [b for b in self.births if b.start == atoms[0] and b.size == len(atoms) and b.tensor]
        return []
