"""What is asked for: a fraction of one group, or of the whole model's cost."""

from dataclasses import dataclass
from math import isfinite

from explorer.errors import ExplorerError, unknown
from explorer.structure.types import Cost

Budget = dict[str, float]
"""The fraction of every group's units to remove, 0 ≤ fraction < 1."""

KINDS = ("params", "macs")
LATER = ("latency", "size")


@dataclass(frozen=True)
class Target:
    """Keep the fraction `keep`, 0 < keep ≤ 1, of the model's parameters or multiply-accumulates."""

    kind: str
    keep: float

    def __post_init__(self) -> None:
        if self.kind in LATER:
            raise ExplorerError(f"targets for {self.kind} are not available yet: use {' or '.join(KINDS)}")
        if self.kind not in KINDS:
            raise unknown("target", self.kind, KINDS)
        if not 0 < self.keep <= 1:
            raise ExplorerError(
                f"{self.kind}={self.keep:g} can't be kept: give a fraction above 0 and up to 1, such as {self.kind}=0.5"
            )

    def __str__(self) -> str:
        return f"{self.kind}={self.keep:g}"

    def of(self, cost: Cost) -> int:
        """The cost that this target is about."""
        return getattr(cost, self.kind)

    @classmethod
    def parse(cls, text: str) -> "Target":
        """The target written ``macs=0.5``: keep half of the multiply-accumulates.

        Raises:
            ExplorerError: it isn't written so, or the kind or fraction is impossible.
        """
        kind, equals, keep = text.partition("=")
        value = _number(keep)
        if not equals or (value is None and kind.strip() in KINDS):
            raise ExplorerError(f"{text!r} is no target: write what to keep, such as macs=0.5 or params=0.3")
        return cls(kind.strip(), 0.0 if value is None else value)


def parse_ratio(text: str) -> tuple[str, float]:
    """The group and fraction written ``layer1.0.conv1=0.3``: remove 30 % of its units.

    Raises:
        ExplorerError: it isn't written so, or the fraction isn't in [0, 1).
    """
    name, equals, fraction = text.rpartition("=")
    value = _number(fraction)
    if not equals or not name.strip() or value is None:
        raise ExplorerError(f"{text!r} is no ratio: write a group and the fraction to remove, such as conv1=0.3")
    if not 0 <= value < 1:
        raise ExplorerError(
            f"a ratio of {value:g} can't be removed from {name.strip()}: give at least 0 and less than 1, "
            "something must stay"
        )
    return name.strip(), value


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) else None
