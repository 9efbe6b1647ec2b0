"""A state of the board as text: a link to send, a file to keep."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from explorer.criteria import CRITERIA
from explorer.errors import ExplorerError, unknown
from explorer.packed import DAMAGED, pack, shown, unpack
from explorer.pruning import Plan
from explorer.strict_json import is_list, is_number, is_table, is_text
from explorer.structure import Structure
from explorer.ui.state.workspace import Choice, Workspace

PARAMETER = "s"
LARGEST = 2**20  # bytes of JSON


@dataclass(frozen=True)
class Shared:
    """All that a state is made of.

    `remove` holds the units of a plan whose criterion is not known, as a run's plan.json does.
    """

    model: str
    data: str | None = None
    criterion: str | None = None
    options: dict[str, str] = field(default_factory=dict)
    choice: Choice = field(default_factory=Choice)
    remove: dict[str, tuple[int, ...]] | None = None

    @classmethod
    def of(cls, workspace: Workspace) -> "Shared":
        now = workspace.draft.now
        return cls(workspace.model, workspace.data, workspace.criterion, dict(workspace.options), now)

    def to_json(self) -> dict[str, Any]:
        blocks = {"blocks": sorted(self.choice.blocks)} if self.choice.blocks else {}
        return blocks | {
            "base": self.model,
            "data": self.data,
            "criterion": self.criterion,
            "options": self.options,
            "budget": {name: round(part, 6) for name, part in self.choice.budget.items()},
            "locked": sorted(self.choice.locked),
        }

    def fitted(self, structure: Structure) -> Choice:
        """The choice, if it is one for this structure; that of a bare plan has its fractions.

        Raises:
            ExplorerError: it names groups, units or blocks that the structure does not have.
        """
        blocks = self.choice.blocks
        plan = Plan(self.model, self.remove or {}, tuple(blocks)).check(structure)
        if self.remove is not None:
            return Choice(plan.budget(structure), blocks=blocks)
        for name in (*self.choice.budget, *self.choice.locked):
            if name not in structure.groups:
                raise unknown(f"group of {self.model}", name, structure.groups)
        return self.choice


def plan_file(shared: Shared, plan: Plan) -> str:
    """The state as a file that also is a plan: ``remove`` lists the units that go."""
    return json.dumps({**plan.to_json(), **shared.to_json()}, indent=1)


def read_file(content: bytes) -> Shared:
    """What `plan_file` wrote, or the plan.json of a run.

    Raises:
        ExplorerError: it is neither.
    """
    if len(content) > LARGEST:
        raise ExplorerError(f"this file has {len(content):,} bytes: a plan has at most {LARGEST:,}")
    complaint = "this file is no plan: choose a plan.json of a run, or a file that this page gave you"
    try:
        document = shown(content)
    except ValueError:
        raise ExplorerError(complaint) from None
    return _checked(document, complaint)


def link_text(shared: Shared) -> str:
    """The state as a parameter of a URL."""
    return pack(shared.to_json())


def read_link(text: str) -> Shared:
    """What `link_text` wrote.

    Raises:
        ExplorerError: the text is damaged.
    """
    return _checked(unpack(text, LARGEST), DAMAGED)


def take_state(workspace: Workspace, text: str) -> None:
    """Brings a workspace's own cut back from a link's text; one that is damaged, or another model's, stays out."""
    try:
        shared = read_link(text)
    except ExplorerError:
        return
    if shared.model == workspace.model:
        workspace.judge_by(shared.criterion or workspace.criterion, shared.options)
        workspace.go_to(shared.choice)


def _checked(document: Any, complaint: str) -> Shared:
    if not isinstance(document, Mapping) or not isinstance(document.get("base"), str):
        raise ExplorerError(complaint)
    data, criterion = document.get("data"), document.get("criterion")
    options, budget, locked, blocks = (
        document.get(key, empty) for key, empty in (("options", {}), ("budget", {}), ("locked", []), ("blocks", []))
    )
    whole = (
        (data is None or isinstance(data, str))
        and (criterion is None or isinstance(criterion, str))
        and is_table(is_text)(options)
        and is_table(_fraction)(budget)
        and is_list(is_text)(locked)
        and is_list(is_text)(blocks)
    )
    if not whole:
        raise ExplorerError(complaint)
    if criterion is not None:
        if criterion not in CRITERIA:
            raise unknown("criterion", criterion, CRITERIA)
        CRITERIA[criterion].read(options)
    choice = Choice(budget, frozenset(locked), frozenset(blocks))
    if "budget" in document:
        return Shared(document["base"], data, criterion, options, choice)
    plan = Plan.from_json(dict(document))
    return Shared(plan.base, data, criterion, options, choice, dict(plan.remove))


def _fraction(value: object) -> bool:
    return is_number(value) and isfinite(value) and 0 <= value < 1
