"""What learning keeps on the server, in one SQLite file below the folder of runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

NAME = "learning.sqlite"
_PATIENCE = 30.0  # seconds that a writer waits for another one


class Store:
    """The tables of one part of learning.

    A connection is made for every transaction: sessions run in threads of their own, and a connection takes less than
    a millisecond.

    Args:
        root: the folder of runs, made where it is missing.
        schema: statements that make the tables and indices where they are missing (``CREATE TABLE IF NOT EXISTS …``).
    """

    def __init__(self, root: Path, schema: str) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.file = root / NAME
        with self.transaction() as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # readers never wait for a writer
            connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are kept together where the body ends, and none of them where it raises.

        Raises:
            sqlite3.Error: the file can't be read or written.
        """
        with closing(sqlite3.connect(self.file, timeout=_PATIENCE)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("PRAGMA foreign_keys=ON")
            connection.execute("PRAGMA synchronous=NORMAL")  # with WAL only a loss of power takes the last moments
            with connection:
                yield connection
