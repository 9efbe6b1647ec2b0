"""The registry of pruning methods: one file of this package each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from explorer.errors import ExplorerError, unknown
from explorer.methods.presets import Preset
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
        presets: ways to use it, by name; the first is what its defaults come to.
        check: raises for a spec that the method refuses whatever the model and the data are.
    """

    defaults: Mapping[str, Any] = field(default_factory=dict)
    gradual: bool = False
    sparse: bool = False
    targeted: bool = False
    removes: bool = True
    presets: Mapping[str, Preset] = field(default_factory=dict)
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

    def preset(self, name: str) -> Preset:
        """The preset called `name`.

        Raises:
            ExplorerError: there is none; the nearest names are offered.
        """
        if not self.presets:
            raise ExplorerError(f"method {self.name!r} has no presets: leave the preset out")
        if name not in self.presets:
            raise unknown(f"preset of {self.name}", name, self.presets)
        return self.presets[name]

    def following(self, name: str, spec: Spec) -> Spec:
        """A spec of the method with the preset's fields and settings in place of its own; the rest stays.

        Raises:
            ExplorerError: there is no such preset.
        """
        preset = self.preset(name)
        usual = {setting: value == self.settings[setting].default for setting, value in preset.settings.items()}
        settings = {setting: None if usual[setting] else value for setting, value in preset.settings.items()}
        return replace(spec, **preset.fields).with_settings(**settings)

    def changes(self, name: str, spec: Spec) -> list[str]:
        """The fields, options and settings of a spec that are others than the preset's, of those that it names.

        Raises:
            ExplorerError: there is no such preset, or a setting that can't be read.
        """
        preset, asked = self.preset(name), self.following(name, spec)
        fields = [key for key in preset.fields if key != "options" and getattr(spec, key) != getattr(asked, key)]
        options = sorted(spec.options.keys() | asked.options.keys()) if "options" in preset.fields else []
        others = [key for key in options if spec.options.get(key) != asked.options.get(key)]
        told, wanted = self.told(spec), self.told(asked)
        return [*fields, *others, *(key for key in preset.settings if told[key] != wanted[key])]

    def nearest(self, spec: Spec) -> str:
        """The preset that the fewest changes lead to a spec from; empty where there are none."""
        return min(self.presets, key=lambda name: len(self.changes(name, spec)), default="")


METHODS: Registry[Method] = Registry("method", Method, decorator="method", package="explorer.methods", parts=(Preset,))
method = METHODS.register


def removes(name: str) -> bool:
    """Whether runs of the method of this name make networks smaller, as those of methods that are not known here do."""
    return name not in METHODS.declared() or METHODS.declared()[name].removes


def criterion_of(spec: Mapping[str, Any]) -> str:
    """The criterion that chose what a run removed; empty where it removed nothing."""
    return str(spec["criterion"]) if removes(spec["method"]) else ""


def presets_table(methods: Iterable[Method]) -> str:
    """The presets of methods as a table in Markdown, for the documentation."""
    rows = [("method", "preset", "what is different, and why", "sets", "what was repaired"), ("---",) * 5]
    for entry in methods:
        for name, preset in entry.presets.items():
            sets = ", ".join(f"{setting}={text}" for setting, text in preset.said.items())
            rows.append((entry.title, f"`{name}`", preset.explanation, sets, " ".join(preset.repaired)))
    return "\n".join(f"| {' | '.join(cells)} |" for cells in rows) + "\n"
