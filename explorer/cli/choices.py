"""What a registry offers, in words for help: its names, and the settings of each."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from explorer.registry import Entry, Registry, explain

if TYPE_CHECKING:
    from explorer.methods.registry import Method


def records(registry: Registry[Any]) -> Mapping[str, Entry]:
    """The records of a registry, read without importing anything heavy."""
    return registry.declared()


def names_of(entries: Iterable[str]) -> str:
    """Names, or those of records, for a sentence: ``a, b or c``."""
    *others, last = entries
    return f"{', '.join(others)} or {last}" if others else last


def settings_of(entry: Entry) -> list[str]:
    """A line for each setting of a record."""
    return [f"{name} {explain(setting)}" for name, setting in entry.settings.items()]


def presets_of(method: "Method") -> list[str]:
    """A line for each preset of a method."""
    return [f"{name}: {preset.explanation}" for name, preset in method.presets.items()]


def all_settings(entries: Mapping[str, Entry]) -> list[str]:
    """A line for each setting of any record, with the names of all that have it."""
    owners: dict[str, list[str]] = {}
    for name, entry in entries.items():
        for line in settings_of(entry):
            owners.setdefault(line, []).append(name)
    return [f"{line} [{', '.join(names)}]" for line, names in owners.items()]
