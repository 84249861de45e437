"""The stand-in's own time: the wall clock, moved forward as far as a test wants."""

import time
from datetime import UTC, datetime

from deploy.standins.database import Database

SCHEMA = """
CREATE TABLE IF NOT EXISTS clock (offset_s REAL NOT NULL);
INSERT INTO clock SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM clock);
"""


class Clock:
    """Durable, so that a checkout that has expired is still expired after a restart."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + float(self._database.value("SELECT offset_s FROM clock"))

    def advance(self, seconds: float) -> float:
        self._database.execute("UPDATE clock SET offset_s = offset_s + ?", (seconds,))
        return self.now()


def iso(instant: float) -> str:
    """As both providers write instants: `2026-11-01T10:00:05.123456Z`."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def seconds(text: str) -> float:
    """The reverse of `iso`. An instant without an offset is taken as UTC. ValueError if it is no ISO 8601."""
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()
