"""Which answer of a prediction was right, by what was measured."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.measuring import Measured

Name = Annotated[str, Field(min_length=1)]


class Value(Written):
    """The measured value itself, which the answer on a slider is compared with.

    Args:
        of: a measured value.
        within: how far an answer may be off, in its unit, to be called near.
    """

    rule: Literal["value"]
    of: Name
    within: Annotated[float, Field(ge=0)] = 5.0

    @property
    def names(self) -> list[str]:
        return [self.of]


class Fixed(Written):
    """An option that does not depend on what is measured: the first is 0."""

    rule: Literal["option"]
    option: Annotated[int, Field(ge=0, le=20)]

    @property
    def names(self) -> list[str]:
        return []

    def right(self, measured: Mapping[str, Measured]) -> int | None:
        return self.option


class Ranked(Written):
    """The option whose value is the largest, or the smallest: the first value is that of the first option.

    Args:
        of: measured values.
        tie: the option that is right where the first two can't be told apart: their intervals overlap, or without
            intervals they are equal. None: then the larger one counts all the same.
    """

    rule: Literal["largest", "smallest"]
    of: Annotated[list[str], Field(min_length=2)]
    tie: Annotated[int, Field(ge=0, le=20)] | None = None

    @property
    def names(self) -> list[str]:
        return self.of

    def right(self, measured: Mapping[str, Measured]) -> int | None:
        found = [measured[name] for name in self.of]
        order = sorted(range(len(found)), key=lambda place: found[place].value, reverse=self.rule == "largest")
        first, second = found[order[0]], found[order[1]]
        return self.tie if self.tie is not None and _alike(first, second) else order[0]


class Binned(Written):
    """The option in whose stretch of numbers a value lies.

    Args:
        of: a measured value.
        minus: one that is taken from it first.
        edges: where one option ends and the next begins, in the value's unit, rising: n edges part n + 1 options.
    """

    rule: Literal["bins"]
    of: Name
    minus: str = ""
    edges: Annotated[list[float], Field(min_length=1)]

    @property
    def names(self) -> list[str]:
        return [self.of, self.minus] if self.minus else [self.of]

    def right(self, measured: Mapping[str, Measured]) -> int | None:
        value = measured[self.of].value - (measured[self.minus].value if self.minus else 0.0)
        return sum(value >= edge for edge in self.edges)


Truth = Annotated[Value | Fixed | Ranked | Binned, Field(discriminator="rule")]


def _alike(first: Measured, second: Measured) -> bool:
    """Whether two values can't be told apart."""
    if None in (first.low, first.high, second.low, second.high):
        return first.value == second.value
    return first.low <= second.high and second.low <= first.high
