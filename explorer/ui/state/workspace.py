"""Workspaces: what one person is doing, kept on the server under an unguessable token."""

import re
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from explorer.board.choice import Budget, Choice, History, newest
from explorer.errors import ExplorerError
from explorer.learning.lessons.progress import Progress
from explorer.learning.missions.mission import Mission
from explorer.runs.queue.limits import WORKSPACES as SWITCH
from explorer.runs.queue.limits import Limits, share

MODEL, DATA, CRITERION = "demo:resnet20-digits", "digits", "flow"
JOBS, TRAIL, CONTROLS = 64, 300, 400
_AT_WORK = 3600.0  # seconds after its last use in which a workspace that holds something stays
TOKEN = re.compile(r"[A-Za-z0-9_-]{20,64}")


@dataclass(frozen=True)
class Point:
    """A choice that was tried: the task's metric, of 95 % interval `low` to `high`, at shares of the whole's cost.

    `setting` is what it was judged with, (data, criterion, its options); other settings give other units and numbers.
    `recovery` is what the number was measured after, "none" right after the cut.
    """

    choice: Choice
    setting: tuple[str, ...]
    recovery: str
    macs: float
    params: float
    value: float
    low: float | None
    high: float | None

    @property
    def place(self) -> tuple[Choice, tuple[str, ...], str]:
        return self.choice, self.setting, self.recovery


@dataclass
class Draft(History):
    """The choice for one model with its undo history.

    `trail` holds the points tried, oldest first.
    """

    trail: list[Point] = field(default_factory=list)


@dataclass
class Start:
    """What a new workspace shows."""

    model: str = MODEL
    data: str = DATA


START = Start()


class Workspace:
    """One person's model, data, criterion, budget and jobs.

    Safe for several tabs at once: every change happens under the workspace's lock and replaces dictionaries
    instead of editing them, so a reader never sees half of a change.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.model, self.data, self.criterion = START.model, START.data, CRITERION
        self.options: dict[str, str] = {}
        self.jobs: dict[str, str] = {}
        self.form: dict[str, Any] = {}  # what stands in controls, by their keys
        self.lesson: Progress | None = None  # the lesson that stands beside the pages
        self.address, self.used = "", 0.0  # where its browser was when it came, and when it was last looked at
        self.mission: Mission | None = None  # which is played
        self.attempt: Any = None  # what was handed in for it last, see `explorer.ui.parts.mission_play`
        self.noted: Any = None  # what its class was told of it last, see `explorer.ui.parts.classroom`
        self._drafts: OrderedDict[str, Draft] = OrderedDict({self.model: Draft()})
        self._lock = threading.RLock()

    @property
    def empty(self) -> bool:
        """Whether nothing has been done in it."""
        chosen = (self.model, self.data, self.criterion) != (START.model, START.data, CRITERION)
        begun = self.options or self.jobs or self.lesson or self.mission
        return not (chosen or begun or any(draft.version for draft in self._drafts.values()))

    @property
    def recent(self) -> list[str]:
        """The models that were open, the latest first."""
        return list(reversed(self._drafts))

    @property
    def draft(self) -> Draft:
        return self._drafts[self.model]

    @property
    def budget(self) -> Budget:
        """Fraction of each group's units to remove; groups that stay whole are absent."""
        return self.draft.now.budget

    @property
    def locked(self) -> frozenset[str]:
        """The groups that presets leave as they are."""
        return self.draft.now.locked

    @property
    def blocks(self) -> frozenset[str]:
        """The residual blocks that are taken out."""
        return self.draft.now.blocks

    @property
    def setting(self) -> tuple[str, ...]:
        """What points of the trail are judged with."""
        return (self.data, self.criterion, *(f"{key}={value}" for key, value in sorted(self.options.items())))

    @property
    def version(self) -> tuple[str, int]:
        """Differs whenever the choice may."""
        return self.model, self.draft.version

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
            now = self.draft.now
            self.draft.commit(now.moved({**now.budget, name: fraction}, now.locked, now.blocks))

    def take_out(self, block: str, *, out: bool) -> None:
        """One control's own change of one residual block."""
        with self._lock:
            now = self.draft.now
            blocks = now.blocks | {block} if out else now.blocks - {block}
            self.draft.commit(now.moved(now.budget, now.locked, blocks))

    def take(self, choice: Choice, version: tuple[str, int]) -> None:
        """The board's change of the state of that version; one made to an older state is dropped."""
        with self._lock:
            if version == self.version:
                self.draft.commit(choice)

    def replace(self, budget: Mapping[str, float], held: Collection[str] = ()) -> None:
        """Another budget as a whole: one ratio for all, a target shared out over the rows that are not `held`."""
        self.go_to(self.draft.now.allotted(dict(budget), held))

    def go_to(self, choice: Choice) -> None:
        """Another state as a whole: a reset, a point of the trail, a file."""
        with self._lock:
            self.draft.commit(choice)

    def tried(self, point: Point) -> None:
        """Adds a point to the trail; the same choice in the same setting after the same recovery is one point."""
        with self._lock:
            others = [old for old in self.draft.trail if old.place != point.place]
            points = [*others[-TRAIL + 1 :], point]
            self.draft.trail = newest(points, lambda point: point.choice.size)

    def undo(self) -> None:
        self._step(back=True)

    def redo(self) -> None:
        self._step(back=False)

    def _step(self, *, back: bool) -> None:
        with self._lock:
            self.draft.step(back=back)

    def note(self, key: str, value: Any) -> None:
        """What a person has set a control to; the controls that were set longest ago are forgotten first."""
        if key in self.form and self.form[key] == value:
            return
        with self._lock:
            others = [(name, old) for name, old in self.form.items() if name != key]
            self.form = dict([*others[-CONTROLS + 1 :], (key, value)])

    def remember(self, kind: str, job: str) -> None:
        """The latest job of a kind, found again after a reload; the oldest kinds are forgotten first."""
        with self._lock:
            others = [(key, value) for key, value in self.jobs.items() if key != kind]
            self.jobs = dict([*others[-JOBS + 1 :], (kind, job)])


class Workspaces:
    """A bounded number of workspaces, and at most half of them for one address.

    Where there is no room, one leaves that holds nothing yet; else the one unused for longest, if that is for an hour
    at least: who is at work is not pushed out by whoever comes.

    Args:
        limits: by default those of the environment.
        gone: called with the token of a workspace that has left.
        clock: seconds.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        gone: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self.gone = gone
        self._clock = clock
        self._kept: dict[str, Workspace] = {}
        self._lock = threading.Lock()

    def get(self, token: str | None) -> Workspace | None:
        """The workspace of `token`; None where it is malformed, unknown or has made room for others."""
        if token is None or not TOKEN.fullmatch(token):
            return None
        with self._lock:
            if (workspace := self._kept.get(token)) is not None:
                workspace.used = self._clock()
            return workspace

    def peek(self, token: str) -> Workspace | None:
        """The workspace of `token`, which does not count as used by that; None where it is not in memory."""
        with self._lock:
            return self._kept.get(token)

    def forget(self, token: str) -> None:
        """Lets a workspace leave at once, with its uploads."""
        with self._lock:
            known = self._kept.pop(token, None)
        if known is not None and self.gone:
            self.gone(token)

    def near(self, workspace: Workspace) -> list[str]:
        """The tokens of all workspaces at one's address."""
        with self._lock:
            return [token for token, other in self._kept.items() if other.address == workspace.address]

    def create(self, address: str = "") -> Workspace:
        """A new one, for a browser at an address.

        Raises:
            ExplorerError: there is no room for it.
        """
        return self._keep(Workspace(secrets.token_urlsafe(24)), address)

    def restore(
        self, token: str, model: str, data: str, jobs: Iterable[tuple[str, str]], address: str = ""
    ) -> Workspace | None:
        """A workspace that was lost with its server; None where the token is malformed.

        `jobs`: the kind and the id of each, oldest first, as `Workspace.remember` took them.

        Raises:
            ExplorerError: there is no room for it.
        """
        if not TOKEN.fullmatch(token):
            return None
        workspace = Workspace(token)
        workspace.choose(model, data)
        for kind, job in jobs:
            workspace.remember(kind, job)
        return self._keep(workspace, address)

    def _keep(self, workspace: Workspace, address: str) -> Workspace:
        """Keeps it, unless another session has just kept one of its token, which is then given instead."""
        limits = self._limits or Limits.of_environment()
        with self._lock:
            left = [] if workspace.token in self._kept else self._make_room(limits, address)
            workspace.address, workspace.used = address, self._clock()
            kept = self._kept.setdefault(workspace.token, workspace)
        for token in left if self.gone else ():
            self.gone(token)
        return kept

    def _make_room(self, limits: Limits, address: str) -> list[str]:
        """Lets workspaces leave until one more may come; their tokens."""
        left = []
        while True:
            near = [workspace for workspace in self._kept.values() if workspace.address == address]
            if len(near) >= share(limits.workspaces):
                choice, whose = near, "from your address"
            elif len(self._kept) >= limits.workspaces:
                choice, whose = list(self._kept.values()), "on this server"
            else:
                return left
            leaving = min(choice, key=lambda workspace: (not workspace.empty, workspace.used))
            if not leaving.empty and self._clock() - leaving.used < _AT_WORK:
                raise ExplorerError(
                    f"{len(choice)} workspaces {whose} are in use, as many as there may be: come back in an hour, "
                    f"open one of them by its link, or set {SWITCH} to more"
                )
            left.append(leaving.token)
            del self._kept[leaving.token]


# At module level and not in a Streamlit cache, which any viewer could clear.
WORKSPACES = Workspaces()
