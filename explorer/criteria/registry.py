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
    `NEEDS`; `cost` is told in passes over the calibration set.
    """

    name: str
    title: str
    needs: frozenset[str]
    cost: str
    paper: str
    explanation: str
    options: Mapping[str, Option]
    function: Callable[..., dict[str, Any]]

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
) -> Callable[[Callable], Callable]:
    """Enters the decorated function into `CRITERIA` as `name`."""
    if name in CRITERIA or not NEEDS.issuperset(needs):
        raise ValueError(f"criterion {name!r} is registered twice, or needs something that is not in {set(NEEDS)}")

    def register(function: Callable) -> Callable:
        CRITERIA[name] = Criterion(name, title, frozenset(needs), cost, paper, explanation, dict(options), function)
        return function

    return register
