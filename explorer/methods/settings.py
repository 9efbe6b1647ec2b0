"""Settings of a method beside the fields of a spec: what each may be, and their texts read."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.errors import ExplorerError, unknown


@dataclass(frozen=True)
class Choice:
    """One of several words."""

    default: str
    allowed: tuple[str, ...]
    description: str

    def read(self, name: str, text: str) -> str:
        if text not in self.allowed:
            raise unknown(f"value of setting {name}", text, self.allowed)
        return text


@dataclass(frozen=True)
class Number:
    """A number from `low` to `high`; a `whole` one has no fraction."""

    default: float
    low: float
    high: float
    description: str
    whole: bool = False

    def read(self, name: str, text: str) -> float:
        try:
            value = int(text) if self.whole else float(text)
        except ValueError:
            raise ExplorerError(f"setting {name} is {text!r}: give a {'whole ' if self.whole else ''}number") from None
        if not self.low <= value <= self.high:
            raise ExplorerError(f"setting {name} is {text}: it must be from {self.low:g} to {self.high:g}")
        return value


Setting = Choice | Number


def read(method: str, known: Mapping[str, Setting], given: Mapping[str, str]) -> dict[str, Any]:
    """All settings of a method, those not given at their defaults.

    Raises:
        ExplorerError: one is unknown or out of range.
    """
    for name in given:
        if name not in known:
            raise unknown(f"setting of method {method}", name, known)
    return {name: entry.read(name, given[name]) if name in given else entry.default for name, entry in known.items()}
