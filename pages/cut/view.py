"""What the Cut page shows: the open model, its scores, and the plan that the board stands at."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from explorer.criteria import Scores
from explorer.pruning import Plan
from explorer.structure import Cost, Structure
from explorer.tasks import Task
from explorer.ui.engine import Opened
from explorer.ui.state.workspace import Workspace


@dataclass(frozen=True)
class View:
    """One look at the page.

    Args:
        workspace: whose budget it is.
        opened: its model.
        task: None where there is none.
        scores: that say which units of a group leave first.
        plan: what the budget removes.
        curves: the measured sensitivity, a document of `explorer.methods.studies.sensitivity`.
        latency: the measured times, a document of `explorer.methods.studies.latency_profile`.
    """

    workspace: Workspace
    opened: Opened
    task: Task | None
    scores: Scores
    plan: Plan
    curves: Mapping[str, Any] | None
    latency: Mapping[str, Any] | None

    @property
    def structure(self) -> Structure:
        return self.opened.structure

    @cached_property
    def whole(self) -> Cost:
        """The cost of the whole network."""
        return self.structure.cost()

    @cached_property
    def now(self) -> Cost:
        """The cost of what the plan leaves."""
        return self.plan.cost(self.structure)

    @property
    def now_lost(self) -> dict[str, int]:
        """The units that every group loses by the budget, also where it leaves with a block."""
        budget = self.workspace.budget
        return {name: group.leaving(budget.get(name, 0.0)) for name, group in self.structure.groups.items()}

    def held(self, by_hand: Collection[str]) -> dict[str, int]:
        """The units that locked groups, and those set by hand, have lost: sharing out leaves them at that."""
        lost = self.now_lost
        return {name: lost[name] for name in self.structure.groups if name in self.workspace.locked or name in by_hand}
