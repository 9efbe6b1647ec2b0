"""The registry of pruning methods: one file of this package each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.methods.spec import KEYED, Spec
from explorer.registry import Entry, Registry


def anything(spec: Spec) -> None:
    """The check of a method that any spec suits."""


@dataclass(frozen=True, kw_only=True)
class Method(Entry):
    """A published or classic way from a model to a smaller one; `function(spec, report, memo)` gives an `Outcome`.

    `needs` says for a person which data must be there, besides what the recovery needs.

    Args:
        defaults: the fields of a spec that belong to the method where nothing else is asked.
        gradual: it chooses the units itself, step by step, up to a target or to the largest drop that is allowed.
        sparse: it sets single weights to zero, the share of them that the spec's `sparsity` says.
        targeted: it chooses the units itself, at once, and needs one target of params or macs.
        removes: it makes a network smaller; one that doesn't prepares the network for those that do.
        check: raises for a spec that the method refuses whatever the model and the data are.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    gradual: bool = False
    sparse: bool = False
    targeted: bool = False
    removes: bool = True
    check: Callable[[Spec], object] = field(default=anything, repr=False)

    def __post_init__(self) -> None:
        """Refuses a setting that a spec's JSON would lose: one with a key of its own, and another default."""
        for name, setting in self.settings.items():
            if name in KEYED and setting.default != KEYED[name].default:
                raise ValueError(f"{self.name}: without {name}, a spec says {KEYED[name].default}; rename the setting")

    @property
    def chooses(self) -> bool:
        """Whether it chooses the units itself; else a criterion and a budget do."""
        return self.gradual or self.targeted

    def told(self, spec: Spec) -> dict[str, Any]:
        """The method's settings as the spec gives them, read; those that have a key in every spec may be others'.

        Raises:
            ExplorerError: one is unknown, or its value can't be.
        """
        others = KEYED.keys() - self.settings.keys()
        return self.read({name: text for name, text in spec.settings.items() if name not in others})


METHODS: Registry[Method] = Registry("method", Method, decorator="method", package="explorer.methods")
method = METHODS.register


def removes(name: str) -> bool:
    """Whether runs of the method of this name make networks smaller, as those of methods that are not known here do."""
    return name not in METHODS.declared() or METHODS.declared()[name].removes


def criterion_of(spec: Mapping[str, Any]) -> str:
    """The criterion that chose what a run removed; empty where it removed nothing."""
    return str(spec["criterion"]) if removes(spec["method"]) else ""
