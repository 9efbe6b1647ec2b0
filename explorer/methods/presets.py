"""Presets of methods: how a paper's authors go about it and how we do, as data that becomes plain fields of a spec."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Preset:
    """One way to use a method. A spec that follows it says everything itself, and nothing of the preset.

    The presets of one method name the same settings and, but for `steps`, the same fields, so that whichever is chosen
    last leaves nothing of another.

    Args:
        title: for a person.
        explanation: a sentence on what is different in it, and why.
        repaired: what the source says or does that could not be kept, a sentence each.
        fields: of a spec, by name.
        settings: of the method, by name; None: by itself.
    """

    title: str
    explanation: str
    repaired: tuple[str, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, str | float | None] = field(default_factory=dict)

    @property
    def said(self) -> dict[str, str]:
        """All that it sets, in texts, with the criterion's options among it."""
        options = self.fields.get("options", {})
        values = {name: value for name, value in self.fields.items() if name != "options"} | options
        numbers = {name: f"{value:g}" for name, value in self.settings.items() if isinstance(value, int | float)}
        words = {name: str(value or "by itself") for name, value in self.settings.items() if name not in numbers}
        return {name: str(value) for name, value in values.items()} | words | numbers
