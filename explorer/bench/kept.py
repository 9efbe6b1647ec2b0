"""Rows of a long table, kept in a file as they come, so that an interrupted table goes on where it stopped."""

import json
from pathlib import Path
from typing import Any

from explorer.errors import ExplorerError
from explorer.strict_json import dumps

Row = dict[str, Any]


class Kept:
    """The finished rows by the value of their `key`; with a `path`, one JSON object a line.

    Raises:
        ExplorerError: the file holds something else.
    """

    def __init__(self, path: Path | None, key: str) -> None:
        self._path, self._key = path, key
        self.rows: dict[str, Row] = {}
        if path is None or not path.exists():
            return
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines and not lines[-1].endswith("\n"):  # its writer was killed in the middle of it
            lines.pop()
            path.write_text("".join(lines), encoding="utf-8")
        try:
            self.rows = {row[key]: row for row in map(json.loads, lines)}
        except (ValueError, KeyError, TypeError):
            raise ExplorerError(f"{path} holds no rows of this table: name another file") from None

    def add(self, row: Row) -> None:
        self.rows[row[self._key]] = row
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(dumps(row) + "\n")
