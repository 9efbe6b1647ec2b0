"""A cut as a lesson's file describes it, and the plan that it comes to."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from explorer.criteria import CRITERIA
from explorer.documents import Document
from explorer.errors import ExplorerError, unknown
from explorer.learning.lessons.situation import Bench, Situation
from explorer.pruning import Plan, plan_from_budget
from explorer.structure import Structure

KIND = "kind:"
Part = Annotated[float, Field(ge=0, lt=1)]
Groups = Annotated[list[str], Field(min_length=1)]


class Written(Document):
    """A part of a lesson's file: a key that is not declared is a mistake of its author."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Cut(Written):
    """What leaves a network. Groups are named by patterns, see `chosen`.

    Args:
        budget: the fraction of its units that each group loses, by pattern; a later pattern counts.
        count: the number of units instead.
        macs: the share of the MACs to keep, shared out among the groups, instead of both.
        allocate: by which allocator.
        locked: patterns of groups that sharing out leaves whole.
        blocks: residual blocks that leave.
        criterion: whose lowest units leave; by default that of the lesson.
        options: of the criterion.
        leave: which units of a group leave, those of the lowest scores or of the highest.
    """

    budget: dict[str, Part] = Field(default_factory=dict)
    count: dict[str, Annotated[int, Field(ge=0, le=100_000)]] = Field(default_factory=dict)
    macs: Annotated[float, Field(gt=0, le=1)] | None = None
    allocate: str = "global"
    locked: list[str] = Field(default_factory=list)
    blocks: list[str] = Field(default_factory=list)
    criterion: str = ""
    options: dict[str, str] = Field(default_factory=dict)
    leave: Literal["lowest", "highest"] = "lowest"

    def fractions(self, bench: Bench, model: str, data: str, criterion: str) -> dict[str, float]:
        """The budget that it comes to, by group.

        Raises:
            ExplorerError: a pattern that no group fits, a criterion that there is not, or a target out of reach.
            NotYetError: the scores are not known yet.
        """
        structure = bench.structure(model)
        if self.macs is not None:
            held = {name: 0 for pattern in self.locked for name in chosen(structure, [pattern])}
            scores = bench.scores(model, data, self.criterion or criterion, self.options)
            return bench.shared_out(model, scores, self.macs, self.allocate, held)
        found: dict[str, float] = {}
        for pattern, part in self.budget.items():
            found |= dict.fromkeys(chosen(structure, [pattern]), part)
        for pattern, count in self.count.items():
            found |= {name: count / structure.groups[name].units for name in chosen(structure, [pattern])}
        return found

    def plan(self, bench: Bench, model: str, data: str, criterion: str) -> Plan:
        """The units that leave.

        Raises:
            ExplorerError, NotYetError: see `fractions`.
        """
        structure, by = bench.structure(model), self.criterion or criterion
        budget = self.fractions(bench, model, data, criterion)
        if not any(budget.values()):
            return Plan(model).without(structure, self.blocks)
        if by not in CRITERIA:
            raise unknown("criterion", by, CRITERIA)
        scores = bench.scores(model, data, by, self.options).groups
        sign = 1 if self.leave == "lowest" else -1
        ranked = {name: sign * values for name, values in scores.items()}
        return plan_from_budget(structure, ranked, budget, model).without(structure, self.blocks)


def plan_of(
    cut: Cut | Literal["workspace", "whole"], situation: Situation, model: str, data: str, criterion: str
) -> Plan:
    """The plan of a cut, of the whole network, or of what the person has chosen.

    Args:
        model, data, criterion: what the card is about.

    Raises:
        ExplorerError: the person has opened another network or cut nothing; or see `Cut.fractions`.
        NotYetError: the scores are not known yet.
    """
    if cut == "whole":
        return Plan(model)
    if isinstance(cut, Cut):
        return cut.plan(situation.bench, model, data, criterion)
    if situation.model != model:
        raise ExplorerError(f"{situation.model} is open, and this card is about {model}: open that first")
    structure, choice = situation.structure, situation.choice
    if choice.empty:
        raise ExplorerError("nothing is cut: go back to the card that asks for a cut, or let it be done for you")
    if not any(choice.budget.values()):
        return Plan(model).without(structure, choice.blocks)
    scores = situation.bench.scores(model, situation.data, situation.criterion, situation.options)
    return plan_from_budget(structure, scores.groups, choice.budget, model).without(structure, choice.blocks)


def chosen(structure: Structure, patterns: Iterable[str]) -> list[str]:
    """The groups that patterns name, in the order of the network.

    A pattern is a group's name in which ``*`` stands for anything, or ``kind:conv`` for all groups of that kind.

    Raises:
        ExplorerError: no group fits one of them.
    """
    found: set[str] = set()
    for pattern in patterns:
        fitting = {name for name, group in structure.groups.items() if _fits(pattern, name, group.kind)}
        if not fitting:
            raise unknown("group", pattern, structure.groups)
        found |= fitting
    return [name for name in structure.groups if name in found]


def _fits(pattern: str, name: str, kind: str) -> bool:
    return kind == pattern.removeprefix(KIND) if pattern.startswith(KIND) else fnmatchcase(name, pattern)


def share_lost(situation: Situation, groups: Iterable[str]) -> float:
    """The fraction of the units of some groups, taken together, that goes."""
    lost, known = situation.lost(), situation.structure.groups
    names = list(groups)
    return sum(lost[name] for name in names) / max(sum(known[name].units for name in names), 1)


def as_names(mapping: Mapping[str, float]) -> list[str]:
    """The groups of a budget that lose something."""
    return [name for name, part in mapping.items() if part > 0]
