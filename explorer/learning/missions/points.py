"""What people have handed in, kept on the server: tries, the personal best, and the frontier of everybody's points."""

import hashlib
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.learning.missions.mission import Mission, mission_text, read_mission
from explorer.learning.store import Store

KEPT = 50_000  # points on a server, the newest
LONGEST_STATE = 20_000  # characters of a shared state
SHOWN = 2_000  # points that are read at once, the newest
_SCHEMA = """
CREATE TABLE IF NOT EXISTS mission (id TEXT PRIMARY KEY, text TEXT NOT NULL, made REAL NOT NULL, by TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mission_point (
    number INTEGER PRIMARY KEY, mission TEXT NOT NULL, scope TEXT NOT NULL, who TEXT NOT NULL, entry TEXT NOT NULL,
    tries INTEGER NOT NULL, looks INTEGER NOT NULL, time REAL NOT NULL, met INTEGER NOT NULL, goals INTEGER NOT NULL,
    stage TEXT NOT NULL, macs INTEGER NOT NULL, params INTEGER NOT NULL, size INTEGER NOT NULL,
    metric TEXT NOT NULL, value REAL, low REAL, high REAL, samples INTEGER NOT NULL,
    latency REAL, latency_low REAL, latency_high REAL, state TEXT NOT NULL,
    UNIQUE (mission, scope, who, entry)
);
CREATE INDEX IF NOT EXISTS mission_points ON mission_point (mission, scope, time);
"""


@dataclass(frozen=True)
class Point:
    """One hand-in.

    Args:
        entry: what was handed in, a digest: the same network handed in again is no new try.
        met: how many goals it meets.
        goals: how many there are.
        stage: the state that it was judged in, a key of `explorer.learning.missions.facts.STAGES`.
        macs, params, size: what it costs.
        metric: the name of the task's metric.
        value: what it reaches on the hidden data, with its 95 % interval `low` to `high`; None where it has none.
        samples: of the hidden data.
        latency: over the whole network's, with its interval, where a goal asks for it.
        state: the workspace's state as `explorer.ui.state.share` writes it, for others to open; empty: none.
        looks: finished runs that had shown their maker test data before, which the hidden data is part of.
        who: the person, see `record`.
        tries: which of the person's tries at the mission it was, from 1.
        time: seconds since the epoch.
    """

    entry: str
    met: int
    goals: int
    stage: str
    macs: int
    params: int
    size: int
    metric: str
    value: float | None
    low: float | None = None
    high: float | None = None
    samples: int = 0
    latency: float | None = None
    latency_low: float | None = None
    latency_high: float | None = None
    state: str = ""
    looks: int = 0
    who: str = ""
    tries: int = 0
    time: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it meets all goals."""
        return self.met == self.goals

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def open_store(root: Path) -> Store:
    """The points below a folder of runs."""
    return Store(root, _SCHEMA)


def who_of(token: str) -> str:
    """The person of a workspace as points name her: nothing that opens the workspace."""
    return f"workspace {hashlib.sha256(token.encode()).hexdigest()[:16]}"


def record(store: Store, mission: Mission, who: str, scope: str, point: Point) -> Point:
    """Keeps a hand-in and gives it as it is kept; of the same network the person's earlier one, which stays.

    Args:
        who: of a workspace `who_of` its token, in a class the nickname.
        scope: empty, or the code of a class, whose points are a list of their own.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    state = point.state if len(point.state) <= LONGEST_STATE else ""
    place = (mission.id, scope, who)
    with store.transaction() as connection:
        connection.execute("BEGIN IMMEDIATE")
        _keep_mission(connection, mission, _maker(who, scope))
        known = connection.execute(
            "SELECT * FROM mission_point WHERE mission=? AND scope=? AND who=? AND entry=?", (*place, point.entry)
        ).fetchone()
        if known is not None:
            return _point(known)
        (last,) = connection.execute(
            "SELECT COALESCE(MAX(tries), 0) FROM mission_point WHERE mission=? AND scope=? AND who=?", place
        ).fetchone()
        kept = replace(point, state=state, who=who, tries=last + 1, time=point.time or time.time())
        row = {**asdict(kept), "mission": mission.id, "scope": scope}
        names = ", ".join(row)
        connection.execute(
            f"INSERT INTO mission_point ({names}) VALUES ({', '.join('?' * len(row))})",
            tuple(row.values()),
        )
        connection.execute(
            "DELETE FROM mission_point WHERE number <= (SELECT MAX(number) FROM mission_point) - ?", (KEPT,)
        )
    return kept


def points(store: Store, mission: Mission, scope: str = "", who: str | None = None) -> list[Point]:
    """What was handed in, oldest first: everybody's, or one person's.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    asked = [mission.id, scope, *([] if who is None else [who])]
    of = "" if who is None else " AND who=?"
    with store.transaction() as connection:
        rows = connection.execute(
            f"SELECT * FROM mission_point WHERE mission=? AND scope=?{of} ORDER BY number DESC LIMIT {SHOWN}",
            asked,
        ).fetchall()
    return [_point(row) for row in reversed(rows)]


def forget(store: Store, scope: str, who: str | None = None) -> None:
    """Deletes the points of a class, or of one person in it; missions that were made there are nobody's then.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    with store.transaction() as connection:
        if who is None:
            connection.execute("DELETE FROM mission_point WHERE scope=?", (scope,))
            connection.execute("UPDATE mission SET by='' WHERE substr(by, 1, ?)=?", (len(scope) + 1, _maker("", scope)))
        else:
            connection.execute("DELETE FROM mission_point WHERE scope=? AND who=?", (scope, who))
            connection.execute("UPDATE mission SET by='' WHERE by=?", (_maker(who, scope),))


def best(found: Iterable[Point], cost: str = "macs") -> Point | None:
    """The point that meets most goals; of those the cheapest, of those the most accurate; None of none.

    Args:
        cost: by what it is cheap, as `Mission.cost` tells: macs, params or size.
    """
    ranked = sorted(found, key=lambda point: (-point.met / max(point.goals, 1), getattr(point, cost), -_value(point)))
    return ranked[0] if ranked else None


def frontier(found: Sequence[Point], cost: str = "macs", *, higher: bool = True) -> list[Point]:
    """The points that no other one beats: none is as cheap and better, or as good and cheaper. From cheap to dear.

    Args:
        cost: macs, params or size.
        higher: whether more of the metric is better.
    """
    sign = -1.0 if higher else 1.0
    judged = [point for point in found if point.value is not None]
    kept: list[Point] = []
    for point in sorted(judged, key=lambda point: (getattr(point, cost), sign * _value(point))):
        if not kept or sign * _value(point) < sign * _value(kept[-1]):
            kept.append(point)
    return kept


def remember(store: Store, mission: Mission, who: str, scope: str = "") -> None:
    """Keeps a mission that was made here, so that its maker finds it again.

    Args:
        who, scope: as `record` takes them.

    Raises:
        sqlite3.Error: the file can't be written.
    """
    with store.transaction() as connection:
        _keep_mission(connection, mission, _maker(who, scope))


def made_by(store: Store, who: str, scope: str = "", most: int = 20) -> list[Mission]:
    """The missions that a person has made or played first here, the latest first.

    Those that another version of the program wrote, and this one can't read, are left out.

    Args:
        who, scope: as `record` takes them.

    Raises:
        sqlite3.Error: the file can't be read.
    """
    with store.transaction() as connection:
        rows = connection.execute(
            "SELECT text FROM mission WHERE by=? ORDER BY made DESC LIMIT ?", (_maker(who, scope), most)
        ).fetchall()
    found = []
    for row in rows:
        with suppress(ExplorerError):
            found.append(read_mission(row["text"]))
    return found


def _maker(who: str, scope: str) -> str:
    """A person among all of the server: the same nickname in two classes is two people."""
    return f"{scope}/{who}" if scope else who


def _keep_mission(connection: Any, mission: Mission, who: str) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO mission (id, text, made, by) VALUES (?, ?, ?, ?)",
        (mission.id, mission_text(mission), time.time(), who),
    )
    connection.execute("DELETE FROM mission WHERE rowid <= (SELECT MAX(rowid) FROM mission) - ?", (KEPT,))


def _value(point: Point) -> float:
    return point.value if point.value is not None else float("-inf")


def _point(row: Any) -> Point:
    return Point(**{each.name: row[each.name] for each in fields(Point)})
