"""What a registry offers, in words for help: its names, and the settings of each."""

from collections.abc import Mapping
from typing import Any

from explorer.registry import Registry, explain


def records(registry: Any) -> Mapping[str, Any]:
    """The records of a registry, read without importing anything heavy."""
    return registry.declared() if isinstance(registry, Registry) else registry


def names_of(registry: Any) -> str:
    """Its names, for a sentence: ``a, b or c``."""
    *others, last = records(registry)
    return f"{', '.join(others)} or {last}" if others else last


def settings_of(registry: Any, name: str) -> list[str]:
    """A line for each setting of a record."""
    settings = records(registry)[name].settings if isinstance(registry, Registry) else {}
    return [f"{name} {explain(setting)}" for name, setting in settings.items()]


def all_settings(registry: Any) -> list[str]:
    """A line for each setting of any record, with the names of all that have it."""
    owners: dict[str, list[str]] = {}
    for name in records(registry):
        for line in settings_of(registry, name):
            owners.setdefault(line, []).append(name)
    return [f"{line} [{', '.join(names)}]" for line, names in owners.items()]
