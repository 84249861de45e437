"""A state file that an older stand-in has left: its rows move into the tables of today."""

import sqlite3
from contextlib import closing
from pathlib import Path

STRUCTURE = "SELECT name, sql FROM {}sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"


def upgrade(path: str, schema: str) -> None:
    """Nothing to do for a new file, or one of this very schema. A column that came since needs a DEFAULT, or may be null."""
    new = Path(f"{path}.new")
    new.unlink(missing_ok=True)
    with closing(sqlite3.connect(new, isolation_level=None)) as connection:
        connection.executescript(schema)
        wanted = dict(connection.execute(STRUCTURE.format("")).fetchall())
        connection.execute("ATTACH ? AS old", (path,))
        found = dict(connection.execute(STRUCTURE.format("old.")).fetchall())
        differs = bool(found) and found != wanted
        if differs:
            _copy(connection, [name for name in found if wanted.get(name, "").startswith("CREATE TABLE")])
    if differs:
        new.replace(path)
    new.unlink(missing_ok=True)


def _copy(connection: sqlite3.Connection, tables: list[str]) -> None:
    connection.execute("BEGIN")
    for table in tables:
        columns = ", ".join(name for name in _columns(connection, "main", table) & _columns(connection, "old", table))
        connection.execute(f"DELETE FROM main.{table}")  # noqa: S608 - our own names; what a new file begins with
        connection.execute(f"INSERT INTO main.{table} ({columns}) SELECT {columns} FROM old.{table} ORDER BY rowid")  # noqa: S608
    connection.execute("COMMIT")


def _columns(connection: sqlite3.Connection, database: str, table: str) -> set[str]:
    return {row[1] for row in connection.execute(f"PRAGMA {database}.table_info({table})")}
