"""The registry of pruning methods, filled by a decorator."""

from collections.abc import Callable
from dataclasses import dataclass

from explorer.methods.outcome import Outcome


@dataclass(frozen=True)
class Method:
    """A published or classic way from a model to a smaller one; `function(spec, report, memo)` gives an `Outcome`."""

    name: str
    title: str
    explanation: str
    function: Callable[..., Outcome]


METHODS: dict[str, Method] = {}


def method(name: str, *, title: str, explanation: str) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Enters a function into `METHODS`."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        METHODS[name] = Method(name, title, explanation, function)
        return function

    return register
