"""The outbox as the relay reads it: from the oldest row on, in batches bounded in rows and in bytes.

Deleted rows stay in the index until they are vacuumed, and while any snapshot is old enough to see them each read that begins at the
front steps over all of them: a million of them make each batch cost a fifth of a second. So a read begins at the front (a *sweep*) only
now and then, and between sweeps behind the last row that was sent.

That alone would break the order: a row may commit late with a low `seq`, behind us, and its booking's next row be read before it. So
between sweeps only rows up to the sweep's `horizon` are read. A row that the sweep did not see commits after it, its booking's next row
is written after that, and so has a `seq` beyond the horizon: it waits for a sweep, which finds both, in order.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

BATCH = 500
"""Rows of one transaction: some 200 kB, a few ms of work, and the most that a crash sends again."""
BATCH_BYTES = 4 * 1_048_576
"""Values and headers of one transaction, give or take one row: 500 of the largest would be half a gigabyte."""
SWEEP_SECONDS = 2.0
"""How long a row that committed late may wait behind a pile-up."""

HORIZON = "SELECT coalesce(max(seq), 0) FROM outbox"

# The length of a value is known without fetching it; the values themselves are fetched for the rows that are left. Headers are measured
# as the text that we get: a redriven record has all of its own there, up to some hundred kilobytes.
READ = """
SELECT seq, id, aggregatetype, aggregateid, type, payload, headers, created_at, bytes
FROM (
    SELECT *, sum(row_bytes) OVER (ORDER BY seq) AS bytes
    FROM (
        SELECT *, coalesce(octet_length(payload), 0) + octet_length(headers::text) AS row_bytes
        FROM outbox WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3
    ) AS oldest
) AS measured
WHERE bytes - row_bytes < $4
ORDER BY seq
"""


@dataclass(frozen=True)
class Batch:
    rows: Sequence[asyncpg.Record]

    @property
    def numbers(self) -> list[int]:
        return [row["seq"] for row in self.rows]

    @property
    def is_full(self) -> bool:
        """A limit ended it, so more may be waiting."""
        return len(self.rows) == BATCH or (len(self.rows) > 0 and self.rows[-1]["bytes"] >= BATCH_BYTES)


@dataclass
class Queue:
    """One session's way through the outbox. A session that ends takes it along: what it did not commit must be read again."""

    passed: int = 0
    horizon: int = 0
    swept_at: float = 0.0

    async def oldest(self, connection: asyncpg.Connection[Any]) -> Batch:
        """The rows to be sent next, in the order in which they must be sent."""
        batch = await self._read(connection)
        if not batch.rows and self.passed:
            self.horizon = 0
            batch = await self._read(connection)
        return batch

    async def _read(self, connection: asyncpg.Connection[Any]) -> Batch:
        if self.passed >= self.horizon or time.monotonic() - self.swept_at > SWEEP_SECONDS:
            self.horizon = await connection.fetchval(HORIZON)
            self.passed, self.swept_at = 0, time.monotonic()
        return Batch(await connection.fetch(READ, self.passed, self.horizon, BATCH, BATCH_BYTES))

    def passes(self, batch: Batch) -> None:
        """The transaction that deletes these rows is about to commit."""
        self.passed = batch.numbers[-1]
