"""The registry of criteria, filled by a decorator."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from explorer.errors import unknown

NEEDS = frozenset({"inputs", "labels", "gradients", "batch norm"})


class Option(NamedTuple):
    """A choice that a criterion offers."""

    default: str
    allowed: tuple[str, ...]
    description: str


@dataclass(frozen=True)
class Criterion:
    """How a unit's worth is found, and what finding it takes.

    `function(context, **options)` returns for every group of `context.structure` either its scores, float64 of
    shape (units,), higher = keep, or a string: the reason why the group can't have any. `needs` is a subset of
    `NEEDS`; `cost` tells a person what `forwards` and `backwards` count for `estimate`: passes over the calibration
    set, of criteria without inputs passes of a single one. `forwards_per_unit` are added for every unit of the model.
    """

    name: str
    title: str
    needs: frozenset[str]
    cost: str
    paper: str
    explanation: str
    options: Mapping[str, Option]
    function: Callable[..., dict[str, Any]]
    forwards: float = 0.0
    backwards: float = 0.0
    forwards_per_unit: float = 0.0

    def settings(self, options: Mapping[str, str]) -> dict[str, str]:
        """All options, those not given at their defaults.

        Raises:
            ExplorerError: an option or its value is unknown.
        """
        for name, value in options.items():
            if name not in self.options:
                raise unknown(f"option of criterion {self.name}", name, self.options)
            if value not in self.options[name].allowed:
                raise unknown(f"value of {self.name}'s option {name}", value, self.options[name].allowed)
        return {name: options.get(name, option.default) for name, option in self.options.items()}


CRITERIA: dict[str, Criterion] = {}


def criterion(
    name: str,
    *,
    title: str,
    needs: Collection[str] = (),
    cost: str,
    paper: str,
    explanation: str,
    options: Mapping[str, Option] = MappingProxyType({}),
    forwards: float = 0.0,
    backwards: float = 0.0,
    forwards_per_unit: float = 0.0,
) -> Callable[[Callable], Callable]:
    """Enters the decorated function into `CRITERIA` as `name`."""
    if name in CRITERIA or not NEEDS.issuperset(needs):
        raise ValueError(f"criterion {name!r} is registered twice, or needs something that is not in {set(NEEDS)}")

    def register(function: Callable) -> Callable:
        CRITERIA[name] = Criterion(
            name=name,
            title=title,
            needs=frozenset(needs),
            cost=cost,
            paper=paper,
            explanation=explanation,
            options=dict(options),
            function=function,
            forwards=float(forwards),
            backwards=float(backwards),
            forwards_per_unit=float(forwards_per_unit),
        )
        return function

    return register
