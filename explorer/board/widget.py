"""The board as a widget of a notebook. Python is the truth: the browser only proposes, see `commit.accept`."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import anywidget
import traitlets

from explorer.board import scripts
from explorer.board.choice import Choice, History
from explorer.board.commit import accept
from explorer.board.document import board_document
from explorer.board.judging import Judge, Measure, Verdict
from explorer.board.wire import split
from explorer.budget import Target
from explorer.criteria import Scores
from explorer.pruning import Plan, plan_from_budget
from explorer.structure import Cost, Structure


@dataclass(frozen=True)
class Subject:
    """What a board is about.

    Args:
        base: the name of the network in plans.
        structure: its groups and cost.
        scores: that say which units of a group leave first.
        measure: how plans are judged, or why they are not, in a few words.
        target: that the counters mark.
    """

    base: str
    structure: Structure
    scores: Scores
    measure: Measure | str
    target: Target | None = None


class BoardWidget(anywidget.AnyWidget):
    """The board of one network: `plan` is what it stands at, `cost` what that costs, to the unit.

    What the hand changes is in `plan` once it lets go and the kernel is free to hear of it; what that reaches is
    measured in a thread, and the latest plan counts.

    Args:
        subject: what it is about.
        budget: where it begins: the fraction of units that leave, by group.
        height: of the board in pixels; a network with few groups takes less.
    """

    _esm = scripts.for_notebook()
    fixed = traitlets.Dict().tag(sync=True)  # what stays while a person drags
    state = traitlets.Dict().tag(sync=True)  # what leaves, what is locked, and which ways lead back
    answer = traitlets.Dict().tag(sync=True)  # a `Verdict`

    def __init__(self, subject: Subject, *, budget: Mapping[str, float], height: int = 640) -> None:
        self._subject, self._history, self._revision = subject, History(Choice(dict(budget))), 0
        self._lock = threading.RLock()  # newer kernels hear of a view in a thread of its own while a cell runs
        self._document = board_document(
            subject.structure, subject.scores, budget, (), self._revision, target=subject.target
        )
        fixed, _ = split(self._document)
        self._judge = None if isinstance(subject.measure, str) else Judge(subject.measure, self._tell)
        verdict = Verdict("Cost only", note=subject.measure if isinstance(subject.measure, str) else "")
        super().__init__(fixed={**fixed, "height": height, "head": True}, state={}, answer=verdict.to_json())
        self.on_msg(self._hear)
        self._show()
        self._measure()

    @property
    def plan(self) -> Plan:
        """Which units leave: of each group the lowest scored ones, left of its line."""
        return self._plan(self._history.now)

    @property
    def cost(self) -> Cost:
        """Parameters and MACs of what stays."""
        return self.plan.cost(self._subject.structure)

    def go_to(self, remove: Mapping[str, float]) -> None:
        """Moves all lines: the fraction of units to remove by group, as `Problem.plan` takes it; others stay whole.

        Residual blocks that a hand has taken out stay out; `reset` puts them back.

        Raises:
            ExplorerError: a group is unknown or has no scores, or a fraction is outside [0, 1).
        """
        choice = replace(self._history.now, budget=dict(remove))
        self._plan(choice)
        with self._lock:
            self._moved(self._history.commit(choice))

    def reset(self) -> None:
        """Nothing goes and nothing is locked."""
        with self._lock:
            self._moved(self._history.commit(Choice()))

    def undo(self) -> None:
        """Takes the last change back."""
        with self._lock:
            self._moved(self._history.step(back=True))

    def redo(self) -> None:
        """Does again what was taken back."""
        with self._lock:
            self._moved(self._history.step(back=False))

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until the present plan is measured; False where that takes longer than `timeout` seconds."""
        return self._judge is None or self._judge.wait(timeout)

    def _plan(self, choice: Choice) -> Plan:
        subject = self._subject
        plan = plan_from_budget(subject.structure, subject.scores.groups, choice.budget, subject.base)
        return plan.without(subject.structure, choice.blocks)

    def _hear(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """What a view sends: a commit of its board, or one of the ways back."""
        told = content if isinstance(content, Mapping) else {}
        ways = {"undo": self.undo, "redo": self.redo, "reset": self.reset}
        if told.get("kind") == "commit":
            self._take(told.get("commit"), str(told.get("view")))
        elif told.get("kind") in ways:
            ways[told["kind"]]()

    def _take(self, proposed: Any, view: str) -> None:
        """A board's own change is no new revision, so that a hand that goes on dragging is not stopped by it."""
        with self._lock:
            commit = accept(proposed, self._revision, self._document)
            before = self.plan
            if commit and self._history.commit(commit.choice(self._subject.structure, self._history.now)):
                self._show(view)
                if self.plan != before:
                    self._measure()

    def _moved(self, really: bool) -> None:
        """A change that no view made itself: all of them take it over."""
        if really:
            self._revision += 1
            self._show()
            self._measure()

    def _show(self, view: str = "") -> None:
        """Tells all views what is chosen, and which of them chose it; none where Python did."""
        now, full = self._history.now, self._subject.structure.groups
        names = [group["name"] for group in self._document["groups"]]
        self.state = {
            "id": self.fixed["id"],
            "revision": self._revision,
            "view": view,
            "removed": [full[name].leaving(now.budget.get(name, 0.0)) for name in names],
            "locked": [name in now.locked for name in names],
            "out": [block["name"] in now.blocks for block in self._document["blocks"]],
            "target": self._document["target"],
            "ways": {
                "undo": bool(self._history.past),
                "redo": bool(self._history.future),
                "reset": now != Choice(),
            },
        }

    def _measure(self) -> None:
        if self._judge:
            self._judge.ask(self.plan)

    def _tell(self, verdict: Verdict) -> None:
        self.answer = verdict.to_json()
