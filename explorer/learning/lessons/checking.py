"""What a card that asks for something looks for: the registry of checks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from explorer.documents import checked
from explorer.learning.lessons.cuts import Written
from explorer.learning.lessons.situation import Situation
from explorer.registry import Entry, Registry


@dataclass(frozen=True)
class Verdict:
    """Whether a person is where a card wants her.

    Args:
        met: whether she is.
        said: where she stands, in a sentence.
    """

    met: bool
    said: str = ""


@dataclass(frozen=True, kw_only=True)
class Check(Entry):
    """A kind of check; `function(situation, wanted)` gives a `Verdict`.

    Args:
        takes: what a lesson's file says beside the kind.
        later: whether it looks at what comes while nobody does anything: measurements, jobs.
    """

    takes: type[Written]
    later: bool = False


CHECKS: Registry[Check] = Registry("check", Check, decorator="check", package="explorer.learning.lessons.checks")
check = CHECKS.register


@dataclass(frozen=True)
class Asked:
    """A check with what a file says of it."""

    check: Check
    wanted: Written

    @property
    def later(self) -> bool:
        """See `Check.later`; a check made of others looks at what they do."""
        parts = getattr(self.wanted, "of", None)
        return self.check.later if parts is None else any(asked(part).later for part in parts)

    def __call__(self, situation: Situation) -> Verdict:
        """How a person stands.

        Raises:
            ExplorerError: the check does not fit the network that is open.
        """
        return self.check.function(situation, self.wanted)


def asked(document: Mapping[str, Any]) -> Asked:
    """The check that a file's table describes: ``{kind = "removed", groups = […], at_least = 0.5}``.

    Raises:
        ExplorerError: there is no such kind, or it is told something that it does not take.
    """
    found = CHECKS.get(str(document.get("kind")))
    told = {key: value for key, value in document.items() if key != "kind"}
    checked(told, found.takes, f"check {found.name}")
    return Asked(found, found.takes.model_validate(told))
