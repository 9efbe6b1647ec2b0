"""Playing a mission: who plays, what is handed in, and what came of it; kept with the workspace, drawn elsewhere."""

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.learning.missions.judging import Entry, Verdict, check_allowed, entry_of_run, question, verdict
from explorer.learning.missions.mission import Mission
from explorer.learning.missions.points import Point, best, made_by, open_store, points, record, remember, who_of
from explorer.learning.store import Store
from explorer.runs.history.networks import network_of
from explorer.runs.queue.asking import Asked
from explorer.runs.queue.desk import DESK
from explorer.runs.queue.job import Job
from explorer.ui import engine
from explorer.ui.parts import jobs
from explorer.ui.parts.stages import plan_of
from explorer.ui.state.share import Shared, link_text
from explorer.ui.state.workspace import Workspace

KEY = "mission"  # of the question that checks what was handed in
LOCKED = "mission locks"  # the control's key under which it is noted whose groups were locked
BOARD = ""  # what is handed in where no run is named: the cut on the board
_RECORDING = threading.Lock()


@dataclass(frozen=True)
class Player:
    """Who plays.

    Args:
        who: as points name the person.
        scope: the code of a class, empty outside of one.
    """

    who: str
    scope: str = ""


PLAYERS: list[Callable[[Workspace], Player | None]] = []
"""Say who a workspace's person is where that is not just the workspace; the first that knows is believed."""


@dataclass(eq=False)
class Attempt:
    """What was handed in, from the button to the verdict.

    Args:
        mission: that it was handed in for.
        entry: what was.
        player: who did.
        state: the workspace's state then, as a shared link carries it.
        looks: finished runs that had shown test data before.
        error: why there is no verdict, a sentence; empty where there is one or it is under way.
        verdict: goal by goal, once there is one.
        point: as it is kept.
        again: whether the same network had been handed in before, so that it is no new try.
    """

    mission: Mission
    entry: Entry
    player: Player
    state: str = ""
    looks: int = 0
    error: str = ""
    verdict: Verdict | None = None
    point: Point | None = None
    again: bool = False

    @property
    def over(self) -> bool:
        return bool(self.error) or self.verdict is not None


def play(workspace: Workspace, mission: Mission | None) -> None:
    """Begins a mission, or leaves the one that is played; the board stays as it is."""
    workspace.mission, workspace.attempt = mission, None


def lock(workspace: Workspace, mission: Mission) -> None:
    """Locks on the board what must stay whole, once: whoever unlocks it again may."""
    opened = engine.known(lambda: engine.opened(mission.model))
    if opened is None or workspace.form.get(LOCKED) == mission.id:
        return
    workspace.note(LOCKED, mission.id)
    with contextlib.suppress(ExplorerError):  # a group that there is not: handing in says so
        locked = workspace.locked | mission.locks(opened.structure)
        if locked != workspace.locked:
            workspace.go_to(replace(workspace.draft.now, locked=locked))


def player(workspace: Workspace) -> Player:
    """Who plays in a workspace."""
    found = next(filter(None, (ask(workspace) for ask in PLAYERS)), None)
    return found or Player(who_of(workspace.token))


def is_open(workspace: Workspace, mission: Mission) -> bool:
    """Whether the workspace is at the mission's network and data."""
    return (workspace.model, workspace.data) == (mission.model, mission.data)


def store() -> Store:
    """The points below the folder of runs.

    Raises:
        sqlite3.Error: the file can't be made.
    """
    return _store(DESK.root)


@lru_cache(maxsize=4)
def _store(root: Path) -> Store:
    return open_store(root)


def looks(workspace: Workspace, mission: Mission) -> int:
    """Finished runs of the workspace on the mission's network and data: they report on test data as well."""
    return sum(job.state == "done" for job in _runs(workspace, mission))


def runs(workspace: Workspace, mission: Mission) -> list[Job]:
    """The finished runs that may be handed in, newest first; none where training is not allowed."""
    return [job for job in _runs(workspace, mission) if job.state == "done"] if "training" in mission.tools else []


def _runs(workspace: Workspace, mission: Mission) -> list[Job]:
    found = jobs.of_runs(workspace)
    return [
        job
        for job in found
        if job.request["spec"].get("data") == mission.data and network_of(job.request["spec"]["model"]) == mission.model
    ]


def hand_in(workspace: Workspace, run: str = BOARD) -> None:
    """Hands in the cut on the board, or the run whose job has this id; what is wrong with it is the attempt's error.

    For use as a button's callback.
    """
    mission = workspace.mission
    if mission is None:
        return
    who = player(workspace)
    try:
        entry = _entry(workspace, mission, run)
        state = "" if entry.run else link_text(Shared.of(workspace))
        attempt = Attempt(mission, entry, who, state, looks(workspace, mission))
        DESK.ask(question(mission, entry), workspace.token, KEY, again=True)
    except ExplorerError as error:
        attempt = Attempt(mission, Entry(engine.Plan(mission.model)), who, error=str(error))
    workspace.attempt = attempt


def _entry(workspace: Workspace, mission: Mission, run: str) -> Entry:
    """What is handed in, if it may be.

    Raises:
        ExplorerError: it may not, or is not there.
    """
    structure = engine.opened(mission.model).structure
    if run:
        entry = entry_of_run(f"run:{DESK.job(run).bundle}", mission)
    else:
        if not is_open(workspace, mission):
            raise ExplorerError("another network is on the board: open the mission's network first")
        plan = plan_of(workspace)
        if plan is None:
            raise ExplorerError(
                "the scores that the cut goes by are not known yet: open the page Cut and wait for them"
            )
        entry = Entry(plan, criterion=workspace.criterion)
    check_allowed(mission, entry, structure)
    return entry


def follow(workspace: Workspace) -> Attempt | None:
    """The last attempt at the mission that is played, as it stands now; its point is kept once the answer is there."""
    attempt: Attempt | None = workspace.attempt
    if attempt is None or attempt.over:
        return attempt
    asked = asked_for(workspace, attempt)
    if asked is None or asked.state == "replaced":
        attempt.error = "another one was handed in meanwhile: hand it in again"
    elif asked.state == "failed":
        attempt.error = asked.error or "it failed"
    elif asked.state == "done" and asked.result is not None:
        with _RECORDING:  # two tabs of one workspace may look at once
            if attempt.over:
                return attempt
            if player(workspace) != attempt.player:
                attempt.error = (
                    "it was handed in for a class that is closed, or that you left meanwhile: hand it in again"
                )
            else:
                _judge(attempt, verdict(attempt.mission, attempt.entry, asked.result))
    return attempt


def asked_for(workspace: Workspace, attempt: Attempt) -> Asked | None:
    """The question behind an attempt, which tells how far it is; None where another one took its place."""
    asked = DESK.asked(workspace.token, KEY)
    return asked if asked is not None and asked.still(question(attempt.mission, attempt.entry)) else None


def _judge(attempt: Attempt, found: Verdict) -> None:
    who, scope = attempt.player.who, attempt.player.scope
    try:
        before = {point.entry for point in points(store(), attempt.mission, scope, who)}
        attempt.point = record(store(), attempt.mission, who, scope, found.point(attempt.state, attempt.looks))
        attempt.again = attempt.entry.id in before
    except sqlite3.Error as error:
        attempt.error = f"the verdict can't be kept ({error}): tell whoever runs this server"
        return
    attempt.verdict = found


def own(workspace: Workspace, mission: Mission) -> list[Point]:
    """What the workspace's person has handed in for a mission, oldest first; none where they can't be read."""
    who = player(workspace)
    with contextlib.suppress(sqlite3.Error):
        return points(store(), mission, who.scope, who.who)
    return []


def everybody(workspace: Workspace, mission: Mission) -> list[Point]:
    """What all have handed in, in the same class or outside of any; none where they can't be read."""
    with contextlib.suppress(sqlite3.Error):
        return points(store(), mission, player(workspace).scope)
    return []


def personal_best(workspace: Workspace, mission: Mission) -> Point | None:
    return best(own(workspace, mission), mission.cost)


def keep(workspace: Workspace, mission: Mission) -> None:
    """Remembers a mission that the workspace's person has made."""
    with contextlib.suppress(sqlite3.Error):
        who = player(workspace)
        remember(store(), mission, who.who, who.scope)


def others(workspace: Workspace, known: Iterable[Mission]) -> list[Mission]:
    """The missions that the person has made or played first here, without those that are known anyway."""
    with contextlib.suppress(sqlite3.Error):
        who = player(workspace)
        return [found for found in made_by(store(), who.who, who.scope) if found not in known]
    return []
