"""What is known of a class and of those in it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from explorer.errors import ExplorerError
from explorer.strict_json import is_list, is_number, is_table, is_text

TRAINING, SEARCHING, MEASURING = "training", "searching", "measuring"
TOOLS = {
    TRAINING: "Training after a cut",
    SEARCHING: "Methods and searches that choose by themselves",
    MEASURING: "Sensitivity and latency of every layer",
}
"""What a teacher may allow, beside cutting by hand, sharing out a target, and repair without training."""
SECONDS = {30: "half a minute", 60: "a minute", 120: "two minutes", 300: "five minutes"}
"""How long one piece of work may take."""
MOST_WORK = 50  # pieces of work of one student


@dataclass(frozen=True)
class Allowed:
    """What a student may start.

    Args:
        tools: of `TOOLS`.
        work: how many pieces of long work, such as trainings, in the whole class; one at a time.
        seconds: that one of them may take at most.
    """

    tools: tuple[str, ...] = (TRAINING,)
    work: int = 3
    seconds: int = 60

    def __post_init__(self) -> None:
        if not set(self.tools) <= set(TOOLS) or not 0 <= self.work <= MOST_WORK or self.seconds not in SECONDS:
            raise ExplorerError(f"a class allows tools of {', '.join(TOOLS)}, at most {MOST_WORK} pieces of work")

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Allowed":
        return cls(tuple(document["tools"]), document["work"], document["seconds"])


@dataclass(frozen=True)
class Classroom:
    """A class.

    Args:
        code: what it is joined by.
        title: of the teacher's choice; may be anybody's text.
        model, data: what every student begins with.
        lesson: its name; empty where there is none.
        mission: its link text; empty where there is none.
        held: whether what a prediction was about is shown only when the teacher says so.
        opened: seconds since the epoch.
    """

    code: str
    title: str
    model: str
    data: str
    lesson: str = ""
    mission: str = ""
    allowed: Allowed = field(default_factory=Allowed)
    held: bool = True
    opened: float = 0.0


@dataclass(frozen=True)
class Reached:
    """A cut that a student has tried: shares of the whole network's cost, and the metric after a recovery.

    `low` and `high` are the metric's 95 % interval.
    """

    macs: float
    params: float
    value: float
    low: float | None
    high: float | None
    recovery: str


@dataclass(frozen=True)
class Seen:
    """What a student was last seen at.

    Args:
        model, data: what is open.
        state: the cut as a link's text.
        macs: share of the whole network's that the cut leaves; None where that is not known.
        lesson: its name; empty where none is open.
        card: the place of the lesson's card in sight, from 0.
        answers: what was predicted, by the prediction's name.
        done: the places of the cards that were met.
        finished: whether the lesson's end was reached.
        reached: the points tried with the class's network and data, by what they were judged on.
    """

    model: str = ""
    data: str = ""
    state: str = ""
    macs: float | None = None
    lesson: str = ""
    card: int = 0
    answers: Mapping[str, float] = field(default_factory=dict)
    done: tuple[int, ...] = ()
    finished: bool = False
    reached: tuple[Reached, ...] = ()

    def to_text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> "Seen":
        """What `to_text` wrote; as good as nothing where another version wrote it otherwise."""
        try:
            document = json.loads(text)
            points = tuple(Reached(**point) for point in document.pop("reached"))
            seen = cls(**document)
        except (ValueError, TypeError, KeyError, AttributeError):
            return cls()
        whole = is_table(is_number)(seen.answers) and is_list(is_number)(list(seen.done)) and is_text(seen.state)
        return replace(seen, done=tuple(seen.done), reached=points) if whole else cls()


@dataclass(frozen=True)
class Student:
    """Who is in a class.

    Args:
        code: of the class.
        nickname: which is unique in it.
        workspace: the token of her workspace, by which she comes back.
        joined, changed: seconds since the epoch; when she was last seen to do something else.
        work: how many pieces of long work she has started.
    """

    code: str
    nickname: str
    workspace: str
    joined: float
    changed: float
    seen: Seen = field(default_factory=Seen)
    work: int = 0
