"""What is asked for: a fraction of one group, or of the whole model's cost, or so many bytes or milliseconds."""

import re
from dataclasses import dataclass
from math import isfinite

from explorer.errors import ExplorerError, unknown
from explorer.structure.types import Cost

Budget = dict[str, float]
"""The fraction of every group's units to remove, 0 ≤ fraction < 1."""

KINDS = ("params", "macs", "size", "latency")
_COUNTS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
_BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
UNITS = {"params": _COUNTS, "macs": _COUNTS, "size": _BYTES, "latency": {"us": 1e-3, "ms": 1.0, "s": 1e3}}
"""What amounts are written in, and how many parameters, MACs, bytes or milliseconds that is."""
EXAMPLES = {"params": "params=1.5M", "macs": "macs=1.5G", "size": "size=2MB", "latency": "latency=3ms"}


@dataclass(frozen=True)
class Target:
    """Keep the fraction `keep`, 0 < keep ≤ 1, of what the model costs, or at most the `amount`: one of the two.

    `kind` is params, macs, size (bytes of the weights file) or latency (of one batch); amounts are parameters,
    multiply-accumulates, bytes or milliseconds.
    """

    kind: str
    keep: float | None = None
    amount: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise unknown("target", self.kind, KINDS)
        value = self._asked()
        if not 0 < value < float("inf") or (self.keep is not None and self.keep > 1):
            raise ExplorerError(
                f"{self} can't be kept: give a fraction above 0 and up to 1, such as {self.kind}=0.5, or an amount, "
                f"such as {EXAMPLES[self.kind]}"
            )

    def _asked(self) -> float:
        """The fraction, or the amount.

        Raises:
            ExplorerError: it is neither of them, or both.
        """
        value = self.keep if self.amount is None else self.amount
        if value is None or (self.keep is not None and self.amount is not None):
            raise ExplorerError(f"a target for {self.kind} takes either a fraction or an amount: give one of them")
        return value

    def __str__(self) -> str:
        return f"{self.kind}={self.keep:g}" if self.amount is None else f"{self.kind}={amount(self.kind, self.amount)}"

    def of(self, cost: Cost) -> int:
        """The cost that a target for params or macs is about."""
        return getattr(cost, self.kind)

    def goal(self, whole: float) -> float:
        """What may be kept of a model that costs `whole`."""
        return self._asked() * whole if self.amount is None else self.amount

    def fixed(self, whole: float) -> "Target":
        """The same as an amount, of a model that costs `whole`: it stays when a part of the model is taken out."""
        return Target(self.kind, amount=self.goal(whole))

    @property
    def value(self) -> float | str:
        """As `parse` reads it behind the equals sign: a fraction, or an amount with its unit."""
        unit, size = next(iter(UNITS[self.kind].items())) if self.kind != "latency" else ("ms", 1.0)
        return self._asked() if self.amount is None else f"{self.amount / size:.12g}{unit}"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """The target written ``macs=0.5`` or ``macs=50%`` (keep half), or ``size=2MB`` (keep at most so much).

        Raises:
            ExplorerError: it isn't written so, or the kind, fraction or amount is impossible.
        """
        kind, equals, asked = (part.strip() for part in text.partition("="))
        parts = _ASKED.fullmatch(asked)
        value, unit = (_number(parts[1]), parts[2]) if parts else (None, "")
        if not equals or (value is None and kind in KINDS):
            example = EXAMPLES.get(kind, EXAMPLES["size"])
            raise ExplorerError(f"{text!r} is no target: write what to keep, such as macs=0.5, params=0.3 or {example}")
        if kind not in KINDS or value is None or not unit:
            return cls(kind, 0.0 if value is None else value)
        if unit == "%":
            return cls(kind, value / 100)
        if unit not in UNITS[kind]:
            raise unknown(f"unit of {kind}", unit, UNITS[kind])
        return cls(kind, amount=value * UNITS[kind][unit])


_ASKED = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)\s*([A-Za-z]*|%)")


def amount(kind: str, value: float) -> str:
    """An amount with the largest unit that leaves it at one or more: ``2.5 MB``."""
    decimal = [(unit, size) for unit, size in UNITS[kind].items() if not unit.endswith("iB") and size <= value]
    unit, size = max(decimal, key=lambda pair: pair[1], default=("", 1.0))
    return f"{value / size:.4g} {unit}".rstrip()


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
