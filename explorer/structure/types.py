"""The words of a network's structure: members, groups, widths, costs."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np


@dataclass(frozen=True)
class Member:
    """One axis of one parameter or buffer that shrinks with a group.

    `units` has one entry per index of the axis: the group's unit that owns it, or -1 where the index
    belongs to another group or can't leave at all. Roles: a *producer*'s rows make the channels, a
    *consumer*'s input slices read them, everything else that has an entry per channel (normalisation,
    bias, layer scale, positions) is *affine*, except an *index* whose entries number channels, and an *expert* whose
    entries are the weights of a unit.
    """

    tensor: str
    axis: int
    role: str
    units: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class Tap:
    """Where the activation of a producer can be observed: after its normalisation and non-linearity.

    The output of `module` (the batch norm that follows the producer, else the producer's own module)
    passed through `activation`, a name in `torch.nn.functional` (`""`: none), has the producer's
    channels on axis `axis`: 1 for (batch, channel, height, width), -1 for (batch, …, channel).
    """

    producer: str
    module: str
    activation: str
    axis: int


@dataclass(frozen=True)
class Norm:
    """A module that takes statistics over a group's channels or runs a kernel along them, or over the weights at them.

    Args:
        axis: where they lie in its input and output.
        units: for every channel along that axis the group's unit, or -1.
        side: the channels of its "input", of its "output", or, where these are the same, of "both"; or the units are
            experts "inside" it.
        mixture: whether experts are inside it; if some of these leave, a mask runs all of it on what stays, since a
            router's score of zero is no refusal, and else leaves it as it is.
    """

    module: str
    axis: int
    units: np.ndarray = field(repr=False)
    side: str = "both"
    mixture: bool = False

    @property
    def place(self) -> str:
        """Which channels they are."""
        return f"{self.side} of {self.module}"


@dataclass(frozen=True)
class Lookup:
    """A buffer whose entries number channels; `units` has one entry per channel they choose from, as in `Norm`."""

    tensor: str
    units: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class StoredWidth:
    """A plain attribute that repeats a width, so that it has to follow a cut.

    Args:
        module, attribute: where it is; the attribute of an object that the module holds is ``name.attribute``.
        place: of a list or tuple, which entry; None: the attribute itself is the number.
        step: by how much it falls with each unit that leaves.
        tensor, axis: instead of that, it is as long as this axis of this tensor, if a tensor is named.
    """

    module: str
    attribute: str
    place: int | None = None
    step: int = 0
    tensor: str = ""
    axis: int = 0


class FittedShape(NamedTuple):
    """A shape in the code of a module that does not fit after a cut, and is made to: see `adapt.Fitting`.

    Args:
        axes: how many it has.
        axis: the one that follows, or `adapt.PAIRS`.
    """

    module: str
    axes: int
    axis: int


class InputAxis(NamedTuple):
    """An axis of a tensor that a module is given: by which place or name of its arguments."""

    module: str
    argument: int | str
    axis: int


@dataclass(frozen=True)
class Given:
    """An axis of what a module is given, of which a cut model takes some entries: see `adapt.narrow`.

    `units` has one entry for each, as in `Member`; that of an axis in which a batch is folded, for those of one input.
    """

    axis: InputAxis
    units: np.ndarray = field(repr=False)


# What a group's units are, for a person.
GROUP_KINDS = {
    "conv": "output channels of convolutions",
    "stream": "the width of a residual stream: every layer that adds into it or reads from it is tied together",
    "linear": "output features of fully connected layers",
    "ffn": "hidden features of a transformer's feed-forward block",
    "experts": "whole experts of a mixture: an expert leaves with the row of the router that chooses it",
    "experts-ffn": "hidden features of a mixture of experts: the same one of every expert leaves at once",
    "positions": "hidden features of layers that mix positions, the same ones for every channel",
    "heads": "attention heads: a whole head leaves at once",
    "head-dims": "places inside attention heads: the same place of every head leaves at once",
    "recurrent": "hidden units of recurrent layers: a unit leaves with all its gates",
    "embedding": "the width of token or patch embeddings",
}


@dataclass(frozen=True)
class Group:
    """Channels that must leave together, named after the layer that first produces them.

    `size` counts channels, `unit` how many of them leave at once (1, or a head's width, or one channel
    of every convolution group); `kind` is one of `GROUP_KINDS`. `exact`
    says whether masking a unit gives the logits of cutting it, `reason` why not. `why` says in a
    sentence what ties the members together. `counters` are plain attributes, (module, attribute), that count
    the group's units, `stored` others that were found to follow its width, `fitted` shapes in the code of
    modules that do. `given` are constants that modules get with an entry per channel, such as slopes of ALiBi, which a
    network makes anew in every pass. `heads` says how many heads of queries a unit has, that share a key. At least
    `least` units stay: as many experts as a token is sent to. `unsaved` are members in buffers that the module's state
    dict leaves out, since building the module gives them; a cut model saves them. Channels that are `contracted` are
    summed over with one another (queries and keys): no weights read them, so a mask takes them away where they are
    made. The *heads* of an attention and its *head-dims* share channels: a channel stays if both its head and its place
    stay.
    """

    name: str
    kind: str
    size: int
    unit: int
    exact: bool
    reason: str
    why: str
    members: tuple[Member, ...] = field(repr=False)
    taps: tuple[Tap, ...] = field(repr=False, default=())
    norms: tuple[Norm, ...] = field(repr=False, default=())
    lookups: tuple[Lookup, ...] = field(repr=False, default=())
    unsaved: tuple[Member, ...] = field(repr=False, default=())
    counters: tuple[tuple[str, str], ...] = ()
    contracted: bool = False
    stored: tuple[StoredWidth, ...] = field(repr=False, default=())
    fitted: tuple[FittedShape, ...] = field(repr=False, default=())
    given: tuple[Given, ...] = field(repr=False, default=())
    heads: int = 1
    least: int = 1

    @property
    def units(self) -> int:
        return self.size // self.unit

    def leaving(self, fraction: float) -> int:
        """How many units a fraction of them is, rounded down; `least` stay."""
        return min(int(self.units * fraction + 1e-9), self.units - self.least)

    def of_role(self, role: str) -> list[Member]:
        return [member for member in self.members if member.role == role]


@dataclass(frozen=True)
class Blocked:
    """Channels that can't be cut: the layer that makes them, and why.

    `places`: they are single places inside heads, which can leave as a whole.
    """

    name: str
    size: int
    reason: str
    places: bool = False


@dataclass(frozen=True)
class Cost:
    """Parameters, and multiply-accumulates of one forward pass for one input."""

    params: int
    macs: int


# A width is a sum of monomials: (coefficient, names of the groups whose kept unit counts are multiplied in).
Width = tuple[tuple[int, tuple[str, ...]], ...]


@dataclass(frozen=True)
class Product:
    """``coefficient · Π widths``, a term of a polynomial: one tensor's size, or one contraction's work."""

    coefficient: int
    widths: tuple[Width, ...]

    def __call__(self, kept: Mapping[str, int]) -> int:
        return self.coefficient * prod(
            sum(c * prod(kept[name] for name in names) for c, names in width) for width in self.widths
        )


@dataclass(frozen=True)
class CostModel:
    """Parameters and multiply-accumulates as polynomials of the groups' kept unit counts.

    Exact for every plan: the value equals a count of the cut model, to the unit.
    """

    params: tuple[Product, ...]
    macs: tuple[Product, ...]

    def __call__(self, kept: Mapping[str, int]) -> Cost:
        return Cost(sum(p(kept) for p in self.params), sum(p(kept) for p in self.macs))

    def __sub__(self, part: "CostModel") -> "CostModel":
        """The polynomials of what is left when a part of the same model is taken out."""
        return CostModel(_difference(self.params, part.params), _difference(self.macs, part.macs))

    def to_json(self) -> dict:
        """The polynomials for a browser: ``{"params": [[coefficient, [width, …]], …], "macs": …}``."""
        return {
            name: [[t.coefficient, [[[c, list(names)] for c, names in w] for w in t.widths]] for t in terms]
            for name, terms in (("params", self.params), ("macs", self.macs))
        }


def _difference(terms: Sequence[Product], part: Sequence[Product]) -> tuple[Product, ...]:
    left = Counter({term.widths: term.coefficient for term in terms})
    left.subtract({term.widths: term.coefficient for term in part})
    return tuple(Product(coefficient, widths) for widths, coefficient in left.items() if coefficient)


@dataclass(frozen=True)
class Block:
    """A residual block: the module `name` adds branches to its first input, so it can be made to pass that on.

    Where a non-linearity or a norm follows the addition, it leaves with the block. `returns` counts the values of the
    tuple that the module gives (0: a tensor, no tuple). The first is what became of the input; of the others, `passed`
    tells which argument they are, by its place or name, and None stands for what nobody reads. `cost_model` is the
    block's part in the cost of the whole. One that makes maps smaller and leaves with a whole stage passes on every
    `stride`-th row and column. `written` are tensors in it that code outside writes into, which goes on without them.
    """

    name: str
    returns: int
    cost_model: CostModel = field(repr=False)
    stride: int = 1
    passed: tuple[int | str | None, ...] = ()
    written: tuple[str, ...] = ()


def inside(name: str, modules: Sequence[str]) -> bool:
    """Whether a tensor or module is, or belongs to, one of the modules."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def outermost(modules: Sequence[str]) -> tuple[str, ...]:
    """The modules that lie in none of the others, sorted."""
    names = sorted(set(modules))
    return tuple(name for name in names if not inside(name.rpartition(".")[0], names))


@dataclass(frozen=True)
class Structure:
    """What a model is made of, as far as cutting goes: groups in network order, blocked parts, costs, blocks.

    `seconds` and `forwards` are what the analysis took, the latter as so many forward passes of the whole model.
    """

    groups: dict[str, Group]
    blocked: tuple[Blocked, ...]
    cost_model: CostModel = field(repr=False)
    input_shape: tuple[int, ...] | tuple[tuple[int, ...], ...]  # without the batch; of several inputs all
    seconds: float
    blocks: dict[str, Block] = field(default_factory=dict)
    forwards: float = 0.0

    @cached_property
    def full(self) -> dict[str, int]:
        """Every group's unit count."""
        return {name: group.units for name, group in self.groups.items()}

    def cost(self, kept: Mapping[str, int] | None = None, without: Sequence[str] = ()) -> Cost:
        """Cost when `kept` units of each group remain, without the blocks `without`; other groups stay whole."""
        widths = {**self.full, **(kept or {})}
        whole = self.cost_model(widths)
        parts = [self.blocks[name].cost_model(widths) for name in outermost(without)]
        return Cost(whole.params - sum(p.params for p in parts), whole.macs - sum(p.macs for p in parts))

    def inside(self, block: str) -> set[str]:
        """The groups that live wholly inside a block."""
        return {
            name
            for name, group in self.groups.items()
            if all(inside(member.tensor, [block]) for member in group.members)
        }

    def saving(self, name: str) -> Cost:
        """What removing all of one group would save."""
        whole, without = self.cost(), self.cost({name: 0})
        return Cost(whole.params - without.params, whole.macs - without.macs)
