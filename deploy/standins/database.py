"""The durable memory of a stand-in: one SQLite file, one connection, one writer."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from deploy.standins.upgrading import upgrade

Parameters = Sequence[Any] | Mapping[str, Any]


class Database:
    """All statements run on the event loop's thread, so a transaction is never interleaved with another.

    WAL with synchronous=NORMAL: a commit survives the death of the process (kill -9), because the operating system already
    holds it; only a power cut may take the last ones, and no test of ours cuts the power.
    """

    def __init__(self, path: str, schema: str) -> None:
        if path != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            upgrade(path, schema)
        self._schema = schema
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(schema)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Inside another transaction it is a part of that one."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def execute(self, statement: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        return self._connection.execute(statement, parameters)

    def row(self, statement: str, parameters: Parameters = ()) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._connection.execute(statement, parameters).fetchone()
        return row

    def rows(self, statement: str, parameters: Parameters = ()) -> list[sqlite3.Row]:
        return self._connection.execute(statement, parameters).fetchall()

    def value(self, statement: str, parameters: Parameters = ()) -> Any:
        """The first column of the first row; None when there is no row."""
        row = self.row(statement, parameters)
        return None if row is None else row[0]

    def start_over(self) -> None:
        """Drops the tables and makes new ones. Emptying them is not possible: an append-only table refuses DELETE."""
        names = self.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        drops = "".join(f'DROP TABLE "{row["name"]}";' for row in names)
        self._connection.execute("PRAGMA foreign_keys = OFF")
        self._connection.executescript(f"BEGIN IMMEDIATE; {drops} {self._schema} COMMIT;")
        self._connection.execute("PRAGMA foreign_keys = ON")

    def close(self) -> None:
        self._connection.close()
