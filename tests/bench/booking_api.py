"""The booking service's API as it is run: one process with everything switched on, over a club large enough."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.bench import load
from tests.bench.bench import Bench
from tests.bench.club import Club, hold

UNREACHED = "1000000"
"""Limits that no client reaches: each request pays for being counted, and none is refused."""
AS_IT_IS_RUN = {
    "BOOKING_ENVIRONMENT": "local",
    "BOOKING_USER_WRITES_PER_MINUTE": UNREACHED,
    "BOOKING_USER_READS_PER_MINUTE": UNREACHED,
    "BOOKING_ADDRESS_REQUESTS_PER_MINUTE": UNREACHED,
}
"""Logs, metrics, traces, idempotency and the size of the pools are at their defaults."""
NAME = "booking-api"
WARMING_CLIENTS = 16


@dataclass(frozen=True)
class BookingApi:
    url: str
    database_url: str
    club: Club
    tokens: list[str]

    @property
    def database(self) -> str:
        return urlsplit(self.database_url).path.removeprefix("/")

    def holds(self, count: int) -> list[str]:
        """Requests of all regulars in turn, each for a slot of its own."""
        return [hold(self.tokens[number % len(self.tokens)], number) for number in range(count)]

    async def warm(self) -> None:
        """Everybody has been here once: the process knows its players and has its connections and statements."""
        (first,) = await load.burst(self.url, WARMING_CLIENTS, [self.holds(len(self.tokens))])
        assert first.statuses == {201: len(self.tokens)}, first.statuses
        await self.club.clear()


@asynccontextmanager
async def booking_api(
    bench: Bench, name: str = NAME, *, regulars: int = 1, warm: bool = True
) -> AsyncIterator[BookingApi]:
    """On a database of its own. Kafka runs beside it, and no worker: what it publishes waits in the outbox.

    `regulars` is how many players have a token.
    """
    stack = bench.stack
    await stack.start_kafka()
    kafka, prefix = await stack.new_topics()
    database_url = await stack.new_database("booking")
    told = {"BOOKING_DATABASE_URL": database_url, "BOOKING_KAFKA_BOOTSTRAP": kafka, "BOOKING_TOPIC_PREFIX": prefix}
    await stack.run(f"migrate-{name}", "services.booking", "migrate", **stack.environment("booking", **told))
    connection = await stack.postgres.connect(urlsplit(database_url).path.removeprefix("/"))
    club = Club(connection, stack.installation.paths.keys)
    await club.found()
    try:
        url = await stack.start("booking", "api", name=name, **AS_IT_IS_RUN, **told)
        api = BookingApi(url, database_url, club, club.tokens(regulars))
        if warm:
            await api.warm()
        yield api
    finally:
        await stack.stop(name)
        await stack.drop_topics(prefix)
        await connection.close()
