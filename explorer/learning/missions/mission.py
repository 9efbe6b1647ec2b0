"""A mission: a network, its data, goals, what must stay and what may be used; and the text that carries it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError, unknown
from explorer.learning.missions.facts import AS_CUT, END, REPAIRED, TRAINED
from explorer.learning.missions.goal import GOALS, Goal
from explorer.packed import pack, unpack
from explorer.plain import visible
from explorer.strict_json import is_integer, is_list, is_text
from explorer.structure import Structure

PARAMETER = "m"
"""Of the URL that carries a mission."""
TOOLS = {REPAIRED: "repair without training", TRAINED: "training"}
"""What may be allowed beside the cut itself, with what a person calls it."""
HIDDEN = 1000
"""Test samples that a mission is checked on, where it does not say how many: at most so many."""
LARGEST = 16_384  # bytes of a mission's JSON
LONGEST = {"title": 80, "text": 400, "model": 500, "data": 500}  # characters
MOST_GOALS, MOST_NAMES, LONGEST_NAME = 8, 100, 200
_KEYS = ("title", "text", "model", "data", "goals", "locked", "tools", "criteria", "hidden")


@dataclass(frozen=True)
class Mission:
    """What is to be reached, with what, and what it is checked on.

    Args:
        title: a few words; like all text of a mission it may be anybody's.
        model: ref of the network that it begins with.
        data: ref of its data.
        goals: all of which have to be met by one network.
        text: a sentence or two about it.
        locked: groups that must stay whole, or patterns of their names such as ``layer3.*``.
        tools: of `TOOLS`, what may be used beside the cut.
        criteria: by which what leaves may be chosen; none named: by any.
        hidden: how many test samples it is checked on at most; see `explorer.runs.examining.hidden_places`.

    Raises:
        ExplorerError: a part is empty, too long, unknown, or fits no other one.
    """

    title: str
    model: str
    data: str
    goals: tuple[Goal, ...]
    text: str = ""
    locked: tuple[str, ...] = ()
    tools: tuple[str, ...] = (REPAIRED,)
    criteria: tuple[str, ...] = ()
    hidden: int = field(default=HIDDEN)

    def __post_init__(self) -> None:
        for name, longest in LONGEST.items():
            told = " ".join(visible(getattr(self, name)).split())
            if not told and name != "text":
                raise ExplorerError(f"a mission has no {name}: give it one")
            if len(told) > longest:
                raise ExplorerError(f"a mission's {name} has {len(told)} characters: {longest} at most")
            object.__setattr__(self, name, told)
        self._check_names("locked", "group that stays whole")
        for tool in self.tools:
            if tool not in TOOLS:
                raise unknown("tool of a mission", tool, TOOLS)
        object.__setattr__(self, "tools", tuple(tool for tool in TOOLS if tool in self.tools))
        for name in self.criteria:
            if name not in CRITERIA:
                raise unknown("criterion", name, CRITERIA)
        if not 1 <= self.hidden <= 10**6:
            raise ExplorerError(f"a mission is checked on {self.hidden} samples: give 1 to 1,000,000")
        self._check_goals()

    def _check_names(self, key: str, what: str) -> None:
        names = getattr(self, key)
        if len(names) > MOST_NAMES or any(not 0 < len(name) <= LONGEST_NAME for name in names):
            raise ExplorerError(f"a mission names a {what} at most {MOST_NAMES} times, by 1 to {LONGEST_NAME} letters")

    def _check_goals(self) -> None:
        if not 0 < len(self.goals) <= MOST_GOALS:
            raise ExplorerError(f"a mission has {len(self.goals)} goals: give it 1 to {MOST_GOALS}")
        for goal in self.goals:
            after = goal.settings.get("after", END)
            if after in TOOLS and after not in self.tools:
                raise ExplorerError(
                    f"the goal {goal.kind!r} asks for the network after {TOOLS[after]}, which the mission does not "
                    "allow: allow it, or ask for another state"
                )
        if not any(GOALS[goal.kind].metered for goal in self.goals):
            raise ExplorerError(
                "no goal of the mission is about what the network reaches, so any deep cut meets it: add one, such as "
                "metric:at_least=0.9"
            )

    @property
    def cost(self) -> str:
        """The cost that its points are drawn over: that of its first goal that is about one, else MACs."""
        return next((GOALS[goal.kind].cost for goal in self.goals if GOALS[goal.kind].cost), "macs")

    @property
    def end(self) -> str:
        """What a plan is checked as: repaired where that is allowed, else as it is cut."""
        return REPAIRED if REPAIRED in self.tools else AS_CUT

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits, the same for two missions that ask for the same in the same words."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()[:16]

    def timings(self) -> tuple[tuple[str, int], ...]:
        """The runtimes and batches in which goals want the network timed."""
        wanted = [goal.settings for goal in self.goals if {"runtime", "batch"} <= goal.settings.keys()]
        return tuple(dict.fromkeys((each["runtime"], int(each["batch"])) for each in wanted))

    def stages(self) -> tuple[str, ...]:
        """The states of a plan that goals ask for, the one that is handed in last."""
        asked = [goal.settings.get("after", END) for goal in self.goals]
        before = [after for after in asked if after in (AS_CUT, REPAIRED) and after != self.end]
        return tuple(dict.fromkeys([*before, self.end]))

    def locks(self, structure: Structure) -> frozenset[str]:
        """The groups of its network that must stay whole.

        Raises:
            ExplorerError: it names a group that the network does not have.
        """
        found: set[str] = set()
        for pattern in self.locked:
            matching = [name for name in structure.groups if fnmatchcase(name, pattern)]
            if not matching:
                raise unknown(f"group of {self.model}", pattern, structure.groups)
            found |= set(matching)
        return frozenset(found)

    def to_json(self) -> dict[str, Any]:
        """What differs from the defaults, in plain JSON types."""
        document: dict[str, Any] = {"title": self.title, "model": self.model, "data": self.data}
        document["goals"] = [goal.to_json() for goal in self.goals]
        document["tools"] = list(self.tools)
        others = {"text": self.text, "locked": list(self.locked), "criteria": list(self.criteria)}
        document |= {name: value for name, value in others.items() if value}
        return document | ({"hidden": self.hidden} if self.hidden != HIDDEN else {})

    @classmethod
    def from_json(cls, document: object) -> "Mission":
        """The mission in a JSON object, which anybody may have written.

        Raises:
            ExplorerError: it is none; see the class.
        """
        if not isinstance(document, Mapping):
            raise ExplorerError("this is no mission: it is a JSON object with title, model, data and goals")
        for key in document:
            if key not in _KEYS:
                raise unknown("key of a mission", key, _KEYS)
        texts = {name: document.get(name, "") for name in ("title", "text", "model", "data")}
        names = {name: document.get(name, []) for name in ("locked", "criteria")}
        names["tools"] = document.get("tools", [REPAIRED])
        goals, hidden = document.get("goals"), document.get("hidden", HIDDEN)
        whole = (
            all(is_text(value) for value in texts.values())
            and all(is_list(is_text)(value) for value in names.values())
            and isinstance(goals, list)
            and is_integer(hidden)
        )
        if not whole:
            raise ExplorerError("this is no mission: its texts, goals or lists are not what they should be")
        if len(goals) > MOST_GOALS:
            raise ExplorerError(f"a mission has {len(goals)} goals: give it 1 to {MOST_GOALS}")
        lists = {name: tuple(value) for name, value in names.items()}
        return cls(goals=tuple(map(Goal.from_json, goals)), hidden=hidden, **texts, **lists)


def mission_text(mission: Mission) -> str:
    """The mission as a parameter of a URL."""
    return pack(mission.to_json())


def read_mission(text: str) -> Mission:
    """What `mission_text` wrote, or a whole address that carries it.

    Raises:
        ExplorerError: the text is damaged, or holds no mission.
    """
    _, found, carried = text.strip().rpartition(f"{PARAMETER}=")
    return Mission.from_json(unpack((carried if found else text.strip()).partition("&")[0], LARGEST))
