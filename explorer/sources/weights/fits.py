"""What a network asks of weights, and how some weights of a file answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile

from explorer.sources.weights.stored import Source

_TRAINING = re.compile(
    r"optim\w*|opt|opt_state\w*|\w*_optimi[sz]ers?\w*|exp_avg\w*|square_avg|momentum_buffer\w*|grads?|gradients?|\w*schedulers?"
    r"|scaler|\w*rng(_states?)?",
    re.IGNORECASE,
)
_AVERAGED = re.compile(r"(^|[._])(ema|swa|averag\w*|avg|shadow\w*|polyak|slow|teacher|target|momentum)", re.IGNORECASE)


@dataclass(frozen=True)
class Network:
    """What a network asks of weights.

    Args:
        shapes: of its tensors by name, in its order; None is a size that may be any.
        optional: tensors that may be missing.
        buffers: those that are no parameters.
        beside: beginnings of names that published weights have and it lacks on purpose.
    """

    shapes: Mapping[str, tuple[int | None, ...]]
    optional: frozenset[str] = frozenset()
    buffers: frozenset[str] = frozenset()
    beside: tuple[str, ...] = ()

    @cached_property
    def required(self) -> list[str]:
        return [name for name in self.shapes if name not in self.optional]

    @cached_property
    def own_prefix(self) -> str:
        """What all its names begin with, up to a dot: that of a wrapper of ours, or of theirs."""
        columns = zip(*(name.split(".")[:-1] for name in self.shapes), strict=False)
        return "".join(f"{parts[0]}." for parts in takewhile(lambda parts: len(set(parts)) == 1, columns))

    @cached_property
    def known(self) -> set[str]:
        """All parts of its names."""
        return {part for name in self.shapes for part in name.removeprefix(self.own_prefix).split(".")}


@dataclass(frozen=True)
class Fit:
    """Weights of a file held against a network.

    Args:
        prefix: what stands before their names in the file; empty: nothing.
        sources: where the values of the network's tensors come from, by its names.
        ordered: those that were matched by order and shape.
        missing: names of the network's tensors that are not there.
        unexpected: names of tensors beside them that a network with other layers would have.
        misshapen: names of the network's tensors that have another shape.
    """

    prefix: str
    sources: Mapping[str, Source]
    ordered: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshapen: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        return not (self.missing or self.unexpected or self.misshapen)

    @property
    def good(self) -> int:
        """How many tensors have the network's name and shape, or its order and shape."""
        return len(self.sources) - len(self.misshapen)

    @property
    def is_averaged(self) -> bool:
        """Whether its place in the file says that it holds averages over the training, or another network's part."""
        return is_average(self.prefix)

    def passed_over(self, network: Network) -> set[str]:
        """Parts within the file's names that the network's names don't have."""
        found: set[str] = set()
        for name, source in self.sources.items():
            if name not in self.ordered and not source.how:
                (part,) = source.parts
                found |= set(part.removeprefix(self.prefix).strip(".").split(".")) - network.known
        return found

    @property
    def parts(self) -> frozenset[str]:
        """All tensors of the file that it takes."""
        return frozenset(part for source in self.sources.values() for part in source.parts)


def is_of_training(name: str, known: set[str]) -> bool:
    """Whether a tensor lies among an optimiser's or a scheduler's, by a part of its name that no network's has."""
    return any(_TRAINING.fullmatch(part) and part not in known for part in name.split("."))


def is_average(name: str) -> bool:
    """Whether a name says that averages over the training lie under it, or another network's part."""
    return _AVERAGED.search(name) is not None
