"""The registry of kinds of goals, one file each in `explorer.learning.missions.goals`, and a goal of a mission."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from explorer.errors import ExplorerError
from explorer.learning.missions.facts import Facts
from explorer.registry import Entry, Number, Registry
from explorer.strict_json import is_number, is_text

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """How a goal stands.

    Args:
        met: whether it is reached; None where that is not known.
        text: what there is of it, for a person: ``18.3 M``; empty where that is not known.
        note: what makes it less than certain, or why it is not known; empty where there is nothing.
        share: how far the way from the whole network to the goal is gone, 0 to 1; None where it has no such way.
    """

    met: bool | None
    text: str = ""
    note: str = ""
    share: float | None = None


@dataclass(frozen=True, kw_only=True)
class GoalKind(Entry):
    """A kind of goal; ``function(settings, facts)`` gives its `Standing`.

    Args:
        says: (settings, metric's name) → the goal in a few words: ``At most 20.0 M MACs``.
        propose: facts of where a board stands → settings of a goal that is just met there; None where they don't tell.
        entered: (metric's name) → how a person enters it: the setting, how much one of the unit is, and the unit.
        usual: settings to begin with where the board proposes none; empty: then it is not offered.
        cost: which cost it is about, a field of `Facts`; empty: none. It is an axis of the picture of all points.
        metered: whether it is about the task's metric, which data without labels does not have.
    """

    says: Callable[[Settings, str], str] = field(repr=False)
    propose: Callable[[Facts], Settings | None] = field(repr=False)
    entered: Callable[[str], tuple[str, float, str]] = field(repr=False)
    usual: Settings = field(default_factory=dict)
    cost: str = ""
    metered: bool = False


GOALS: Registry[GoalKind] = Registry(
    "kind of goal", GoalKind, decorator="goal_kind", package="explorer.learning.missions.goals"
)
goal_kind = GOALS.register


@dataclass(frozen=True)
class Goal:
    """One goal: a registered kind and its settings, those at their defaults included."""

    kind: str
    settings: Settings

    @classmethod
    def made(cls, kind: str, **given: Any) -> "Goal":
        """A goal from values.

        Raises:
            ExplorerError: an unknown kind or setting, a value that it can't have, or none where one is needed.
        """
        entry = GOALS.get(kind)
        settings = entry.read({name: _text(value) for name, value in given.items()})
        for name, setting in entry.settings.items():
            if settings[name] is None:
                raise ExplorerError(f"the goal {kind!r} does not say {name}, {setting.meaning}: give it")
            if isinstance(setting, Number) and not isfinite(settings[name]):
                raise ExplorerError(f"{name} of the goal {kind!r} is no number: give one")
        return cls(kind, settings)

    @classmethod
    def from_json(cls, document: object) -> "Goal":
        """The goal in a JSON object.

        Raises:
            ExplorerError: it is none, or see `made`.
        """
        if not isinstance(document, Mapping) or not is_text(document.get("kind")):
            raise ExplorerError('a goal is an object such as {"kind": "macs", "at_most": 20000000}')
        given = {name: value for name, value in document.items() if name != "kind"}
        if not all(is_text(value) or is_number(value) for value in given.values()):
            raise ExplorerError(f"a setting of the goal {document['kind']!r} is neither a number nor a word")
        return cls.made(document["kind"], **given)

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """The goal written ``macs:at_most=2e7`` or ``metric:at_least=0.88,after=repair``.

        Raises:
            ExplorerError: it is not written so, or see `made`.
        """
        kind, _, rest = text.partition(":")
        pairs = [part.partition("=") for part in rest.split(",") if part.strip()]
        if not all(equals for _, equals, _ in pairs):
            raise ExplorerError(f"{text!r} is no goal: write one such as macs:at_most=2e7 or metric:at_least=0.88")
        return cls.made(kind.strip(), **{name.strip(): _number(value.strip()) for name, _, value in pairs})

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, **self.settings}

    def says(self, metric: str) -> str:
        """The goal in a few words, for data that is judged by a metric of this name."""
        return GOALS[self.kind].says(self.settings, metric)

    def standing(self, facts: Facts) -> Standing:
        """How it stands by what is known."""
        return GOALS[self.kind].function(self.settings, facts)


def _number(text: str) -> float | str:
    """A number in whichever notation, such as ``2e7``; another text stays what it is."""
    try:
        return float(text)
    except ValueError:
        return text


def _text(value: Any) -> str:
    """A value as settings are read from; a whole number in any notation stays one."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value)
