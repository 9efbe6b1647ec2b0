"""Progress in lessons as the server keeps it, by the token of the workspace."""

import json
import time
from pathlib import Path

from explorer.errors import ExplorerError
from explorer.learning.lessons.progress import Progress
from explorer.learning.store import Store
from explorer.reading import parse_json

ROOM = 20_000  # rows; the oldest leave
_SCHEMA = """
CREATE TABLE IF NOT EXISTS lesson_progress (
    workspace TEXT NOT NULL,
    lesson TEXT NOT NULL,
    document TEXT NOT NULL,
    open INTEGER NOT NULL,
    model TEXT NOT NULL,
    data TEXT NOT NULL,
    changed REAL NOT NULL,
    PRIMARY KEY (workspace, lesson)
);
CREATE INDEX IF NOT EXISTS lesson_progress_changed ON lesson_progress (changed);
"""


class Kept:
    """What is kept below a folder of runs.

    Args:
        root: the folder of runs.
    """

    def __init__(self, root: Path) -> None:
        self._store = Store(root, _SCHEMA)

    def keep(self, workspace: str, progress: Progress, model: str, data: str) -> None:
        """Keeps how far a workspace is in a lesson, which is its open one from then on.

        Args:
            workspace: its token.
            model, data: what is open in it.

        Raises:
            sqlite3.Error: the file can't be written.
        """
        row = (workspace, progress.lesson, json.dumps(progress.to_json()), model, data, time.time())
        with self._store.transaction() as connection:
            connection.execute("UPDATE lesson_progress SET open = 0 WHERE workspace = ?", (workspace,))
            connection.execute(
                "INSERT OR REPLACE INTO lesson_progress (workspace, lesson, document, open, model, data, changed) "
                "VALUES (?, ?, ?, 1, ?, ?, ?)",
                row,
            )
            connection.execute(
                "DELETE FROM lesson_progress WHERE rowid IN "
                "(SELECT rowid FROM lesson_progress ORDER BY changed DESC LIMIT -1 OFFSET ?)",
                (ROOM,),
            )

    def leave(self, workspace: str) -> None:
        """Closes the open lesson of a workspace; how far it was stays kept."""
        with self._store.transaction() as connection:
            connection.execute("UPDATE lesson_progress SET open = 0 WHERE workspace = ?", (workspace,))

    def forget(self, workspace: str) -> None:
        """Deletes how far a workspace is in all lessons."""
        with self._store.transaction() as connection:
            connection.execute("DELETE FROM lesson_progress WHERE workspace = ?", (workspace,))

    def all(self, workspace: str) -> dict[str, Progress]:
        """How far a workspace is in every lesson that it has begun, by the lesson's name."""
        with self._store.transaction() as connection:
            rows = connection.execute("SELECT document FROM lesson_progress WHERE workspace = ?", (workspace,))
            found = [_read(row["document"]) for row in rows.fetchall()]
        return {progress.lesson: progress for progress in found if progress is not None}

    def opened(self, workspace: str) -> tuple[Progress, str, str] | None:
        """The open lesson of a workspace with the model and data that were open; None where there is none."""
        with self._store.transaction() as connection:
            row = connection.execute(
                "SELECT document, model, data FROM lesson_progress WHERE workspace = ? AND open = 1", (workspace,)
            ).fetchone()
        progress = None if row is None else _read(row["document"])
        return None if progress is None else (progress, row["model"], row["data"])


def _read(document: str) -> Progress | None:
    """The progress in a row; None where another version wrote it otherwise, which is as good as not begun."""
    try:
        return Progress.from_json(parse_json(document))
    except (ValueError, ExplorerError):
        return None
