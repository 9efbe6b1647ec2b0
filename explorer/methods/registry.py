"""The registry of pruning methods, filled by a decorator."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from explorer.methods.outcome import Outcome
from explorer.methods.settings import Setting

if TYPE_CHECKING:
    from explorer.methods.spec import Spec

Check = Callable[["Spec"], object]


def anything(spec: "Spec") -> None:
    """The check of a method that any spec suits."""


@dataclass(frozen=True)
class Method:
    """A published or classic way from a model to a smaller one; `function(spec, report, memo)` gives an `Outcome`.

    `defaults` are the fields of a spec that belong to the method where nothing else is asked. A `gradual` method
    chooses the units itself, step by step, up to a target or to the largest drop that is allowed. A `sparse` one sets
    single weights to zero, the share of them that the spec's `sparsity` says; `settings` are what it can be told more.
    A `targeted` one chooses the units itself, at once, and needs one target of params or macs. `check` raises for a
    spec that the method refuses whatever the model and the data are.
    """

    name: str
    title: str
    explanation: str
    function: Callable[..., Outcome]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    gradual: bool = False
    sparse: bool = False
    targeted: bool = False
    settings: Mapping[str, Setting] = field(default_factory=dict)
    check: Check = anything

    @property
    def chooses(self) -> bool:
        """Whether it chooses the units itself; else a criterion and a budget do."""
        return self.gradual or self.targeted


METHODS: dict[str, Method] = {}


def method(
    name: str,
    *,
    title: str,
    explanation: str,
    defaults: Mapping[str, Any] = MappingProxyType({}),
    gradual: bool = False,
    sparse: bool = False,
    targeted: bool = False,
    settings: Mapping[str, Setting] = MappingProxyType({}),
    check: Check = anything,
) -> Callable[[Callable[..., Outcome]], Callable[..., Outcome]]:
    """Enters a function into `METHODS`."""

    def register(function: Callable[..., Outcome]) -> Callable[..., Outcome]:
        kinds = {"gradual": gradual, "sparse": sparse, "targeted": targeted}
        METHODS[name] = Method(
            name, title, explanation, function, dict(defaults), **kinds, settings=dict(settings), check=check
        )
        for entry in sorted(METHODS.values(), key=lambda entry: (entry.gradual, entry.name)):
            METHODS[entry.name] = METHODS.pop(entry.name)  # the plain ones first, whichever was imported first
        return function

    return register
