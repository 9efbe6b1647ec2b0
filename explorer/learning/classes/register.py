"""The classes of a server, kept in its file."""

import json
import sqlite3
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.learning.classes.codes import digest, folded, new_code, new_key, read_nickname
from explorer.learning.classes.records import Allowed, Classroom, Seen, Student
from explorer.learning.store import Store
from explorer.plain import visible

STUDENTS = 60  # of one class
CLASSES = 500  # of one server
LONGEST_TITLE = 80  # characters
UNREADABLE = (sqlite3.Error, OSError)
"""What is raised where the file of classes is damaged, can't be made, or stays busy."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS classes (
    code TEXT PRIMARY KEY,
    rights TEXT NOT NULL UNIQUE,
    title TEXT NOT NULL,
    model TEXT NOT NULL,
    data TEXT NOT NULL,
    lesson TEXT NOT NULL,
    mission TEXT NOT NULL,
    allowed TEXT NOT NULL,
    held INTEGER NOT NULL,
    opened REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS students (
    code TEXT NOT NULL REFERENCES classes ON DELETE CASCADE,
    folded TEXT NOT NULL,
    nickname TEXT NOT NULL,
    workspace TEXT NOT NULL UNIQUE,
    joined REAL NOT NULL,
    changed REAL NOT NULL,
    seen TEXT NOT NULL,
    work INTEGER NOT NULL,
    PRIMARY KEY (code, folded)
);
CREATE TABLE IF NOT EXISTS class_reveals (
    code TEXT NOT NULL REFERENCES classes ON DELETE CASCADE,
    lesson TEXT NOT NULL,
    card INTEGER NOT NULL,
    PRIMARY KEY (code, lesson, card)
);
"""


class Register:
    """All classes below a folder of runs. Every method may be called from any thread.

    The file is opened when it is first asked: every method raises `UNREADABLE` where it can't be read or written.

    Args:
        root: the folder of runs.
        clock: seconds since the epoch.
    """

    def __init__(self, root: Path, clock: Callable[[], float] = time.time) -> None:
        self._root, self._clock = root, clock

    @cached_property
    def _store(self) -> Store:
        return Store(self._root, _SCHEMA)

    def open(
        self,
        title: str,
        model: str,
        data: str,
        *,
        lesson: str = "",
        mission: str = "",
        allowed: Allowed | None = None,
        held: bool = True,
    ) -> tuple[Classroom, str]:
        """A new class, and the key that gives its teacher's right, which is kept nowhere.

        Raises:
            ExplorerError: there are too many classes, or the title is none.
        """
        told = " ".join(visible(title[:1000]).split())
        if not 0 < len(told) <= LONGEST_TITLE:
            raise ExplorerError(f"a class has a title of at most {LONGEST_TITLE} characters: give it one")
        key = new_key()
        with self._store.transaction() as connection:
            (count,) = connection.execute("SELECT count(*) FROM classes").fetchone()
            if count >= CLASSES:
                raise ExplorerError(
                    f"{count} classes are open on this server, as many as there may be: delete old ones"
                )
            room = Classroom(
                _free(connection), told, model, data, lesson, mission, allowed or Allowed(), held, self._clock()
            )
            connection.execute(
                "INSERT INTO classes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (room.code, digest(key), told, model, data, lesson, mission, _allowed(room), int(held), room.opened),
            )
        return room, key

    def of_code(self, code: str) -> Classroom | None:
        """The class that is joined by a code."""
        return self._one("code = ?", code)

    def of_key(self, key: str) -> Classroom | None:
        """The class whose teacher has this key."""
        return self._one("rights = ?", digest(key))

    def _one(self, where: str, value: str) -> Classroom | None:
        with self._store.transaction() as connection:
            row = connection.execute(f"SELECT * FROM classes WHERE {where}", (value,)).fetchone()
        return None if row is None else _classroom(row)

    def join(self, code: str, nickname: str, workspace: str) -> Student:
        """Lets a workspace into a class.

        Raises:
            ExplorerError: there is no such class, it is full, or the nickname is none or is taken.
        """
        name, now = read_nickname(nickname), self._clock()
        with self._store.transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")  # two who come at once are let in one after the other
            if connection.execute("SELECT 1 FROM classes WHERE code = ?", (code,)).fetchone() is None:
                raise ExplorerError("the class was closed meanwhile: ask your teacher for its code")
            (count,) = connection.execute("SELECT count(*) FROM students WHERE code = ?", (code,)).fetchone()
            if count >= STUDENTS:
                raise ExplorerError(f"{count} students are in this class, as many as there may be: ask your teacher")
            taken = "SELECT 1 FROM students WHERE code = ? AND folded = ?"
            if connection.execute(taken, (code, folded(name))).fetchone():
                raise ExplorerError(
                    f"{name!r} is in this class already: choose another nickname, or come back by your own link"
                )
            connection.execute("DELETE FROM students WHERE workspace = ?", (workspace,))  # of the class before
            row = (code, folded(name), name, workspace, now, now, Seen().to_text(), 0)
            connection.execute("INSERT INTO students VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return Student(code, name, workspace, now, now)

    def of_workspace(self, workspace: str) -> Student | None:
        """Who works in a workspace; None where nobody of a class does."""
        with self._store.transaction() as connection:
            row = connection.execute("SELECT * FROM students WHERE workspace = ?", (workspace,)).fetchone()
        return None if row is None else _student(row)

    def students(self, code: str) -> list[Student]:
        """All in a class, in the order in which they came."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT * FROM students WHERE code = ? ORDER BY joined, folded", (code,))
            return [_student(row) for row in rows.fetchall()]

    def note(self, workspace: str, seen: Seen) -> None:
        """Keeps what a student was seen at; nothing happens where nobody of a class works there."""
        with self._store.transaction() as connection:
            connection.execute(
                "UPDATE students SET seen = ?, changed = ? WHERE workspace = ?",
                (seen.to_text(), self._clock(), workspace),
            )

    def worked(self, workspace: str, most: int) -> bool:
        """Counts one more piece of work of a student, if that is not more than `most`; whether it is counted."""
        with self._store.transaction() as connection:
            done = connection.execute(
                "UPDATE students SET work = work + 1 WHERE workspace = ? AND work < ?", (workspace, most)
            )
            return done.rowcount > 0

    def gave_back(self, workspace: str) -> None:
        """Takes back a piece of work that was counted and could not be started."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE students SET work = work - 1 WHERE workspace = ? AND work > 0", (workspace,))

    def remove(self, code: str, nickname: str) -> None:
        """Takes a student out of a class; her workspace stays hers."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM students WHERE code = ? AND folded = ?", (code, folded(nickname)))

    def reveal(self, code: str, lesson: str, card: int) -> None:
        """Opens what was withheld, for all in the class; nothing happens where the class is gone."""
        with self._store.transaction() as connection:
            opened = "INSERT OR IGNORE INTO class_reveals SELECT code, ?, ? FROM classes WHERE code = ?"
            connection.execute(opened, (lesson, card, code))

    def revealed(self, code: str, lesson: str) -> frozenset[int]:
        """The places of the cards of a lesson that are open."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT card FROM class_reveals WHERE code = ? AND lesson = ?", (code, lesson))
            return frozenset(row["card"] for row in rows.fetchall())

    def delete(self, code: str) -> list[Student]:
        """Forgets a class with all that is known of its students; gives those who were in it at that moment."""
        with self._store.transaction() as connection:
            connection.execute("BEGIN IMMEDIATE")  # nobody joins between the two
            rows = connection.execute("SELECT * FROM students WHERE code = ?", (code,)).fetchall()
            connection.execute("DELETE FROM classes WHERE code = ?", (code,))
        return [_student(row) for row in rows]


def _free(connection: sqlite3.Connection) -> str:
    while True:
        code = new_code()
        if connection.execute("SELECT 1 FROM classes WHERE code = ?", (code,)).fetchone() is None:
            return code


def _allowed(room: Classroom) -> str:
    return json.dumps(asdict(room.allowed))


def _classroom(row: sqlite3.Row) -> Classroom:
    return Classroom(
        **{name: row[name] for name in ("code", "title", "model", "data", "lesson", "mission", "opened")},
        allowed=Allowed.from_json(json.loads(row["allowed"])),
        held=bool(row["held"]),
    )


def _student(row: sqlite3.Row) -> Student:
    names = ("code", "nickname", "workspace", "joined", "changed", "work")
    return Student(**{name: row[name] for name in names}, seen=Seen.from_text(row["seen"]))
