"""The books kept while a model is traced: who produces channels, what ties them, who reads them.

A *channel id* is the number of one channel as one row of a tensor produces it. Tracing unites ids that must leave
together, freezes those that can't leave, and writes down for every axis of every parameter and buffer which id each
index belongs to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from explorer.structure.labels import Ids
from explorer.structure.types import InputAxis

Argument = tuple[str, int | str]  # a module's path, and the place or name of what it is given


@dataclass(frozen=True)
class Producer:
    """A run of channel ids made by the rows of one tensor's axis, each of `copies` channels.

    `tensor` is empty for a model's input and constants. `tokens` says whether what it reads has several rows an input,
    `mixes` whether it reads positions, so that channels pass beside it.
    """

    tensor: str
    axis: int
    start: int
    size: int
    tokens: bool = False
    copies: int = 1
    mixes: bool = False

    @property
    def run(self) -> slice:
        """Where its ids lie among all."""
        return slice(self.start, self.start + self.size)


@dataclass(frozen=True)
class Tie:
    """An operation that made channels inseparable; `channel` is one of them."""

    what: str
    module: str
    channel: int


@dataclass
class Contraction:
    """``coefficient · Π len(live entries)``: multiply-accumulates of one product, made while `module` ran."""

    coefficient: int
    sides: tuple[Ids, ...]
    module: str = ""


@dataclass
class Observation:
    """Where a producer's channels can be seen: see `explorer.structure.types.Tap`."""

    module: str
    axis: int
    activation: str = ""
    normalised: bool = False


@dataclass(frozen=True)
class Blur:
    """Channels whose mask differs from their cut, since the module `path` computes statistics over them."""

    ids: Ids
    reason: str
    path: str


@dataclass(frozen=True)
class Passage:
    """The channels of a module's input and output, along the same axis of both."""

    axis: int
    read: Ids
    made: Ids


@dataclass(frozen=True)
class Follower:
    """A vector with an entry for every index along an axis of a product: for each axis of `of`, which index it is."""

    tensor: str
    places: Ids
    of: str
    axes: Mapping[int, Ids]


@dataclass(frozen=True)
class Shared:
    """Channels that meet every row (head) of a grid of shape (rows, channels)."""

    ids: Ids
    grid: Ids
    what: str
    module: str


@dataclass(frozen=True)
class Fixed:
    """A grid of channels, (rows, places), that meets numbers of its own for every place, so that places stay."""

    grid: Ids
    reason: str


@dataclass(frozen=True)
class Section:
    """Channels that the code of a module takes from an axis by numbers, with a slice or a split."""

    module: str
    ids: Ids


@dataclass(frozen=True)
class Span:
    """One call of a residual block: how many values it returned, and which of the ledger's contractions it made."""

    returns: int  # 0: a tensor, else the length of a tuple
    start: int
    stop: int
    passed: tuple[int | str | None, ...] = ()  # see `Block`
    written: tuple[str, ...] = ()


@dataclass
class Choice:
    """Channels of which some are chosen by their numbers, as a router chooses experts.

    Args:
        least: how many are chosen at once.
        single: how often one was chosen, the best of those that are left.
        reason: why they can't leave, unless they are experts.
        around: the modules that were running, the innermost first, and their channels; None: a mask can't run it alone.
    """

    ids: Ids
    least: int
    reason: str
    single: int = 0
    around: dict[str, Passage | None] = field(default_factory=dict)


@dataclass
class Ledger:
    keep_outputs: bool = True
    outputs: list[Tensor | None] = field(default_factory=list)  # labels of what the model returned
    producers: list[Producer] = field(default_factory=list)
    rows: dict[tuple[str, int], Ids] = field(default_factory=dict)
    axes: dict[tuple[str, int], Ids] = field(default_factory=dict)
    roles: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)
    edges: list[tuple[Ids, Ids]] = field(default_factory=list)
    frozen: list[tuple[Ids, str]] = field(default_factory=list)
    blurred: list[Blur] = field(default_factory=list)
    blurred_places: list[tuple[Ids, str]] = field(default_factory=list)
    fixed_places: list[tuple[Ids, str]] = field(default_factory=list)
    lookups: dict[str, Ids] = field(default_factory=dict)
    given: dict[InputAxis, Ids] = field(default_factory=dict)  # of what modules get: the channel of every entry
    passed_on: dict[InputAxis, set[Argument]] = field(default_factory=dict)  # of modules around, that are the same
    normalised: dict[str, Passage] = field(default_factory=dict)  # of modules that blur, by path
    computing: set[str] = field(default_factory=set)  # modules that compute the weights by which they multiply
    heads: list[Ids] = field(default_factory=list)
    lone_heads: set[int] = field(default_factory=set)
    contracted: list[Ids] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    followers: list[Follower] = field(default_factory=list)
    fixed: list[Fixed] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    choices: dict[bytes, Choice] = field(default_factory=dict)  # by their channels
    chosen: list[bytes] = field(default_factory=list)  # which of them were made, one after the other
    mixtures: dict[str, Choice] = field(default_factory=dict)  # of experts, by the module in which they are
    ties: list[Tie] = field(default_factory=list)
    contractions: list[Contraction] = field(default_factory=list)
    pending: list[tuple[Contraction, str, tuple[int, ...]]] = field(default_factory=list)  # see `multiply`
    blocks: dict[str, Span] = field(default_factory=dict)  # residual ones, by module path
    observations: dict[str, Observation] = field(default_factory=dict)
    shown: dict[str, Tensor] = field(default_factory=dict)  # labels of modules' outputs that vary along one axis
    sums: dict[str, set[str]] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    lost: dict[str, str] = field(default_factory=dict)  # tensors whose channels could not be followed: why
    statistics: set[tuple[str, int]] = field(default_factory=set)  # by module: see `Tracing.blur_if_read`
    unsaved: set[str] = field(default_factory=set)  # buffers that are not in the state dict
    count: int = 0  # of channel ids
    _blurring: set[str] = field(default_factory=set)  # paths of modules that blur

    def produce(self, tensor: str, axis: int, size: int, *, role: str, **facts: Any) -> Ids:
        """The channel ids of a tensor's axis: new ones at the first call, the same ones afterwards.

        Args:
            facts: of the `Producer`.
        """
        key = (tensor, axis)
        if key not in self.rows:
            self.producers.append(Producer(tensor, axis, self.count, size, **facts))
            self.rows[key] = np.arange(self.count, self.count + size)
            self.count += size
            self.record(tensor, axis, np.arange(size), self.rows[key], size=size, role=role)
        return self.rows[key]

    def constant(self, size: int, reason: str) -> Ids:
        """Ids of channels that can't leave: entries of an input, or of a constant."""
        ids = self.blank(size)
        self.freeze(ids, reason)
        return ids

    def blank(self, size: int) -> Ids:
        """Ids of channels that are zero: they leave with whatever they meet, and stay where they meet nothing."""
        self.producers.append(Producer("", 0, self.count, size))
        self.count += size
        return np.arange(self.count - size, self.count)

    def record(self, tensor: str, axis: int, positions: Ids, ids: Ids, *, size: int, role: str) -> None:
        """Write down which channel each position of a tensor's axis belongs to; a second owner joins the first.

        An axis may both produce and be read (a tied weight); of other roles the last counts.
        """
        key = (tensor, axis)
        owners = self.axes.setdefault(key, np.full(size, -1, dtype=np.int64))
        roles = (*self.roles.get(key, ()), role)
        self.roles[key] = tuple(r for r in ("producer", "consumer") if r in roles) or (role,)
        self._own(owners, positions, ids)

    def receive(self, axis: InputAxis, ids: Ids, passed_on: Iterable[Argument]) -> None:
        """Write down which channel each entry along an axis of a module's argument belongs to, −1 where to none.

        Args:
            passed_on: of modules around, that got the same tensor and gave it on.
        """
        owners = self.given.setdefault(axis, np.full(len(ids), -1, dtype=np.int64))
        met = np.flatnonzero(ids >= 0)
        self._own(owners, met, ids[met])
        self.passed_on.setdefault(axis, set()).update(passed_on)

    def _own(self, owners: Ids, positions: Ids, ids: Ids) -> None:
        owned = owners[positions]
        known = owned >= 0
        self.unite(owned[known], ids[known])
        owners[positions[~known]] = ids[~known]

    def look_up(self, tensor: str, places: Ids, ids: Ids) -> None:
        """The entries of a buffer, `places`, choose from these channels."""
        known = self.lookups.setdefault(tensor, ids)
        if len(known) == len(ids):
            self.unite(known, ids)
        self.record(tensor, 0, np.arange(len(places)), ids[places], size=len(places), role="index")

    def unite(self, a: Ids, b: Ids, what: str = "", module: str = "") -> None:
        differ = a != b
        if differ.any():
            self.edges.append((a[differ], b[differ]))
            if what:
                self.ties.append(Tie(what, module, int(a[differ][0])))

    def share(self, ids: Ids, grid: Ids, what: str, module: str) -> None:
        """These channels meet every row of a grid: `settle` decides what leaves together."""
        self.shared.append(Shared(ids, grid, what, module))

    def follow(self, tensor: str, places: Ids, of: str, axes: Mapping[int, Ids]) -> None:
        """The entries of a vector follow those along axes of another tensor, once these have channels."""
        self.followers.append(Follower(tensor, places, of, axes))

    def choose(self, ids: Ids, least: int, reason: str) -> None:
        """Some of these channels are taken by their numbers: `settle_experts` decides whether they can leave."""
        key = ids.tobytes()
        choice = self.choices.setdefault(key, Choice(ids, least, reason))
        choice.single += least == 1
        choice.least = max(choice.least, least, choice.single)
        self.chosen.append(key)

    def multiply(self, tensor: str, axes: Sequence[int], macs: int) -> None:
        """A product with a tensor whose channels are not known yet, if it has some along these axes."""
        self.contractions.append(Contraction(macs, ()))
        self.pending.append((self.contractions[-1], tensor, tuple(axes)))

    def attach_followers(self) -> None:
        """Give vectors the channels of what they follow, and products those of the tensors in them."""
        for follower in self.followers:
            for axis, index in follower.axes.items():
                owners = self.axes.get((follower.of, axis))
                if owners is not None and {"producer", "consumer"} & {*self.roles[follower.of, axis]}:
                    owners, size = owners[index], len(index)
                    owned = owners >= 0
                    self.record(follower.tensor, 0, follower.places[owned], owners[owned], size=size, role="affine")
        self.followers.clear()
        for contraction, tensor, axes in self.pending:
            for owners in (self.axes[tensor, axis] for axis in axes if (tensor, axis) in self.axes):
                contraction.coefficient //= len(owners)
                contraction.sides = (*contraction.sides, owners)
        self.pending.clear()

    def fix(self, grid: Ids, reason: str) -> None:
        """The places of a grid, (rows, places), can't leave: `settle` decides whether its rows (heads) can."""
        if len(grid) == 1:
            self.freeze(grid, reason)
        else:
            self.fixed.append(Fixed(grid, reason))

    def settle(self) -> None:
        """Decide on the places of grids, once it is known whether their rows (heads) leave as a whole.

        What such heads share stays; elsewhere it leaves with the places that it meets. Places that are fixed keep
        heads from leaving only if these could lose single places.
        """
        units = self.units() if self.shared else np.zeros(0)
        for shared in self.shared:
            if _whole(units[shared.grid]):
                self.freeze(shared.ids, f"all heads share them in {shared.module}")
                self.fixed_places.append((shared.grid, f"all heads share channels in {shared.module}"))
            else:
                ids = np.broadcast_to(shared.ids, shared.grid.shape)
                self.unite(ids, shared.grid, shared.what, shared.module)
        self.shared.clear()
        units = self.units() if self.fixed else units
        for fixed in self.fixed:
            if _whole(units[fixed.grid]):
                self.fixed_places.append((fixed.grid, fixed.reason))
            else:
                self.freeze(fixed.grid, fixed.reason)
        self.fixed.clear()

    def keep(self, channel: int, reason: str) -> None:
        """A channel that must stay; the only one of its producer stays anyway, since a group keeps a unit."""
        if next(producer.size for producer in self.producers[::-1] if producer.start <= channel) > 1:
            self.freeze(np.array([channel]), reason)

    def units(self) -> Ids:
        """The unit of every channel id: channels that were united leave together."""
        a, b = (np.concatenate([np.zeros(0, dtype=np.int64), *(e[i].ravel() for e in self.edges)]) for i in (0, 1))
        graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(self.count, self.count))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def freeze(self, ids: Ids, reason: str) -> None:
        self.frozen.append((np.unique(ids), reason))

    def blur(self, ids: Ids, reason: str, path: str) -> None:
        """Masking these channels is not the same as cutting them, unless the module `path` sees only what stays."""
        self.blurred.append(Blur(np.unique(ids), reason, path))
        self._blurring.add(path)

    def blur_places(self, ids: Ids, reason: str) -> None:
        """Masking the same place of all heads is not the same as cutting it; heads may leave as a whole."""
        self.blurred_places.append((np.unique(ids), reason))

    def blurs(self, path: str) -> bool:
        """Whether the module blurs channels."""
        return path in self._blurring

    def pass_through(self, path: str, passage: Passage) -> None:
        """These are the channels of a module that may blur some of them."""
        if self.blurs(path):
            known = self.normalised.setdefault(path, passage)
            if (known.axis, len(known.read), len(known.made)) == (passage.axis, len(passage.read), len(passage.made)):
                self.unite(known.read, passage.read)
                self.unite(known.made, passage.made)

    def add_up(self, a: Ids, b: Ids) -> None:
        """Remember which producers are summed, since the non-linearity after the sum is that of all of them."""
        tensors = {producer.tensor for ids in (a, b) for producer in self.producers_of(ids)}
        merged = tensors.union(*(self.sums.get(tensor, set()) for tensor in tensors))
        self.sums.update(dict.fromkeys(merged, merged))

    def activate(self, ids: Ids, activation: str) -> None:
        """Write down the first non-linearity after the producers of these channels, or after their sum."""
        for producer in self.producers_of(ids):
            for tensor in {producer.tensor, *self.sums.get(producer.tensor, ())}:
                seen = self.observations.get(tensor)
                if seen and not seen.activation:
                    seen.activation = activation

    def observe_behind(self, module: str, ids: Ids) -> None:
        """Channels that a batch norm follows are seen behind it: behind `module`."""
        for producer in self.producers_of(ids):
            seen = self.observations.get(producer.tensor)
            if seen and not (seen.normalised or seen.activation or producer.tensor in self.sums):
                seen.module, seen.normalised, seen.axis = module, True, 1

    def sees(self, producer: str, seen: Observation) -> bool:
        """Whether the output of the module, where a producer was to be observed, really has its channels."""
        if (label := self.shown.get(seen.module)) is None:
            return False
        channels = label.movedim(seen.axis, -1)[(0,) * (label.dim() - 1)].numpy()
        rows = [self.rows[producer, axis] for axis in (0, 1) if (producer, axis) in self.rows]
        return any(np.array_equal(channels, ids) for ids in rows)

    def makers(self) -> list[Producer]:
        """The producers whose rows make channels: no inputs, no constants, no vectors beside what others made."""
        return [p for p in self.producers if p.tensor and "producer" in self.roles[p.tensor, p.axis]]

    def tensors_of(self, ids: Ids) -> set[str]:
        """The tensors whose rows these channels are."""
        starts = np.array([producer.start for producer in self.producers])
        return {self.producers[p].tensor for p in np.unique(np.searchsorted(starts, ids, side="right") - 1)}

    def producers_of(self, ids: Ids) -> list[Producer]:
        """The producers of exactly this run of channels (none, or one)."""
        if len(ids) and ids[-1] - ids[0] == len(ids) - 1 and (np.diff(ids) == 1).all():
            return [p for p in self.producers if p.start == ids[0] and p.size == len(ids) and p.tensor]
        return []


def _whole(units: Ids) -> bool:
    """Whether every row of a grid is one unit."""
    return bool((units == units[:, :1]).all())
