"""Workspaces: what one person is doing, kept on the server under an unguessable token."""

import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

Budget = dict[str, float]

MODEL, DATA, CRITERION = "demo:resnet20-digits", "digits", "flow"
HISTORY, JOBS = 200, 64
TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")


@dataclass
class Draft:
    """The budget of one model with its undo history; `revision` counts the changes that no control made itself.

    A control adopts `budget` only when `revision` differs from the one it was drawn with, so that its own
    commit coming back never fights the hand that is still dragging.
    """

    budget: Budget = field(default_factory=dict)
    revision: int = 0
    past: list[Budget] = field(default_factory=list)
    future: list[Budget] = field(default_factory=list)

    def commit(self, budget: Mapping[str, float]) -> bool:
        """Takes `budget` as the present one; False where nothing changes."""
        budget = {name: fraction for name, fraction in budget.items() if fraction > 0}
        if budget == self.budget:
            return False
        self.past = [*self.past[-HISTORY + 1 :], self.budget]
        self.future = []
        self.budget = budget
        return True


class Workspace:
    """One person's model, data, criterion, budget and jobs.

    Safe for several tabs at once: every change happens under the workspace's lock and replaces dictionaries
    instead of editing them, so a reader never sees half of a change.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.model, self.data, self.criterion = MODEL, DATA, CRITERION
        self.options: dict[str, str] = {}
        self.jobs: dict[str, str] = {}
        self._drafts: OrderedDict[str, Draft] = OrderedDict({MODEL: Draft()})
        self._lock = threading.RLock()

    @property
    def draft(self) -> Draft:
        return self._drafts[self.model]

    @property
    def budget(self) -> Budget:
        """Fraction of each group's units to remove; groups that stay whole are absent."""
        return self.draft.budget

    @property
    def revision(self) -> int:
        return self.draft.revision

    def choose(self, model: str, data: str) -> None:
        """Goes to another model or task; each model keeps its own budget and history."""
        with self._lock:
            self.model, self.data = model, data
            self._drafts.setdefault(model, Draft())
            self._drafts.move_to_end(model)
            while len(self._drafts) > 16:
                self._drafts.popitem(last=False)

    def judge_by(self, criterion: str, options: Mapping[str, str]) -> None:
        """Scores come from another criterion; what the budget removes follows its scores."""
        with self._lock:
            self.criterion, self.options = criterion, dict(options)

    def adjust(self, name: str, fraction: float) -> None:
        """One control's own change of one group."""
        with self._lock:
            self.draft.commit({**self.budget, name: fraction})

    def replace(self, budget: Mapping[str, float]) -> None:
        """A change that no control made itself: one ratio for all, a target, a reset."""
        with self._lock:
            if self.draft.commit(budget):
                self.draft.revision += 1

    def undo(self) -> None:
        self._step(back=True)

    def redo(self) -> None:
        self._step(back=False)

    def _step(self, *, back: bool) -> None:
        with self._lock:
            draft = self.draft
            source, sink = (draft.past, draft.future) if back else (draft.future, draft.past)
            if source:
                sink.append(draft.budget)
                draft.budget = source.pop()
                draft.revision += 1

    def remember(self, kind: str, job: str) -> None:
        """The latest job of a kind, found again after a reload; the oldest kinds are forgotten first."""
        with self._lock:
            others = [(key, value) for key, value in self.jobs.items() if key != kind]
            self.jobs = dict([*others[-JOBS + 1 :], (kind, job)])


class Workspaces:
    """A bounded number of workspaces; the one unused for longest makes room."""

    def __init__(self, limit: int = 500) -> None:
        self.limit = limit
        self._kept: OrderedDict[str, Workspace] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, token: str | None) -> Workspace | None:
        """The workspace of `token`; None where it is malformed, unknown or has made room for others."""
        if token is None or not TOKEN.fullmatch(token):
            return None
        with self._lock:
            if token in self._kept:
                self._kept.move_to_end(token)
            return self._kept.get(token)

    def create(self) -> Workspace:
        with self._lock:
            workspace = Workspace(secrets.token_urlsafe(24))
            self._kept[workspace.token] = workspace
            while len(self._kept) > self.limit:
                self._kept.popitem(last=False)
            return workspace


# At module level and not in a Streamlit cache, which any viewer could clear.
WORKSPACES = Workspaces()
