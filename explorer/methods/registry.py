"""The registry of pruning methods, filled by a decorator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from explorer.methods.outcome import Outcome


@dataclass(frozen=True)
class Method:
    """A published or classic way from a model to a smaller one; `function(spec, report, memo)` gives an `Outcome`.

    `defaults` are the fields of a spec that belong to the method where nothing else is asked. A `gradual` method
    chooses the units itself, step by step, up to a target or to the largest drop that is allowed.
    """

    name: str
    title: str
    explanation: str
    function: Callable[..., Outcome]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    gradual: bool = False


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    title: str,
    explanation: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    gradual: bool = False,
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Enters a function into `METHODS`."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        METHODS[name] = Method(name, title, explanation, function, dict(defaults), gradual)
        return function

    return register
