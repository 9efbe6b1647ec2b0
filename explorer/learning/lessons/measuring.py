"""What a reveal measures: the registry of measures, and what each gives."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import Field

from explorer.errors import ExplorerError
from explorer.learning.lessons.cuts import Cut, Written, plan_of
from explorer.learning.lessons.situation import Bench, NotYetError, Situation
from explorer.pruning import Plan
from explorer.registry import Entry, Registry

Recovery = Literal["none", "bn", "reconstruct", "finetune"]


class Measure(Written):
    """A number that a reveal measures.

    Args:
        name: by which texts and the truth refer to it.
        label: what it is called in the picture.
        what: a kind of measure, see `MEASURES`.
        plan: what is measured: the person's own cut, the whole network, or a cut of the file's.
        recovery: after which recovery.
        against: what answers are compared with, where they are.
        groups: patterns of groups, where a measure is about these.
        batch: inputs at a time, of a latency.
    """

    name: str = Field(pattern=r"[a-z][a-z0-9_]*")
    label: str = Field(min_length=1, max_length=40)
    what: str = "metric"
    plan: Cut | Literal["workspace", "whole"] = "workspace"
    recovery: Recovery = "none"
    against: Cut | Literal["workspace", "whole"] = "whole"
    groups: list[str] = Field(default_factory=list)
    batch: int = Field(1, ge=1, le=64)


@dataclass(frozen=True)
class Measured:
    """A number with what is to be said of it.

    Args:
        name, label: see `Measure`.
        value: the number, in its unit.
        unit: "%", "points", "ms", "times" or a plural noun.
        low, high: its 95 % interval; None where it has none.
        about: on what, and how, a phrase.
        parts: what it is made of: names, with numbers in the same unit.
    """

    name: str
    label: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    about: str = ""
    parts: tuple[tuple[str, float], ...] = ()

    def text(self) -> str:
        """The number as a person reads it: ``89.3 %``, ``12 images``."""
        if self.unit == "%":
            return f"{self.value:.1f} %"
        if self.unit in ("ms", "times"):
            return f"{self.value:.3g} {self.unit}"
        number = f"{self.value:.0f}" if self.unit != "points" else f"{self.value:.1f}"
        unit = self.unit[:-1] if abs(self.value) == 1 and self.unit.endswith("s") else self.unit
        return f"{number} {unit}".strip()

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"parts": [list(part) for part in self.parts]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Measured":
        parts = tuple((str(name), float(value)) for name, value in document.get("parts", ()))
        return cls(**{**document, "parts": parts})


@dataclass(frozen=True)
class About:
    """What a measure is given.

    Args:
        situation: where the person stands.
        model, data, criterion: what the card is about.
        measure: as the file has it.
    """

    situation: Situation
    model: str
    data: str
    criterion: str
    measure: Measure

    @property
    def bench(self) -> Bench:
        return self.situation.bench

    @property
    def plan(self) -> Plan:
        return self.planned(self.measure.plan)

    def planned(self, cut: Cut | Literal["workspace", "whole"]) -> Plan:
        return plan_of(cut, self.situation, self.model, self.data, self.criterion)

    def measured(self, value: float, unit: str, **more: Any) -> Measured:
        return Measured(self.measure.name, self.measure.label, float(value), unit, **more)


@dataclass(frozen=True, kw_only=True)
class MeasureKind(Entry):
    """A kind of measure: `function(about)` gives a `Measured`, or raises `NotYetError` while it is being found."""


MEASURES: Registry[MeasureKind] = Registry(
    "measure", MeasureKind, decorator="measure", package="explorer.learning.lessons.measures"
)
measure = MEASURES.register


@dataclass(frozen=True)
class Standing:
    """How far the measures of a reveal are.

    Args:
        found: what is known, in the order of the file.
        waiting: what each of the others waits for, by name.
        failed: why others can't be had, by name.
    """

    found: tuple[Measured, ...] = ()
    waiting: Mapping[str, NotYetError] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return not self.waiting and not self.failed


def measure_all(
    measures: Sequence[Measure],
    situation: Situation,
    model: str,
    data: str,
    criterion: str,
    told: Callable[[Measured], None] = lambda found: None,
) -> Standing:
    """What is known of these measures by now.

    Args:
        told: hears of each as it is found.
    """
    found: list[Measured] = []
    waiting: dict[str, NotYetError] = {}
    failed: dict[str, str] = {}
    for each in measures:
        try:
            found.append(MEASURES[each.what].function(About(situation, model, data, criterion, each)))
            told(found[-1])
        except NotYetError as later:
            waiting[each.name] = later
        except ExplorerError as error:
            failed[each.name] = str(error)
    return Standing(tuple(found), waiting, failed)
