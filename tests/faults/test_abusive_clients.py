"""Clients that mean no good: floods without a token, requests that never end, bodies of ten megabytes and of ten thousand brackets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

from deploy.local.postgres import Postgres
from tests.faults.clubs import OwnClub, open_club
from tests.stack import TestStack

pytestmark = pytest.mark.slow

NAME = "besieged-club"
FLOOD, AT_ONCE = 600, 50
ADDRESS_PER_MINUTE = 60
"""A tenth of the default, for a tenth of a flood: under test there is no limit unless it is said."""
LORISES = 300
HUGE_BYTES = 10 * 2**20
GROWTH_BYTES_MAX = 64 * 2**20
"""Ten huge bodies that were kept would be more."""


@pytest.fixture(scope="module")
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[OwnClub]:
    del postgres  # it must run
    async with open_club(idle_stack, NAME) as club:
        yield club


def memory_bytes(club: OwnClub) -> int:
    running = club.stack.processes.running(NAME)
    assert running
    return int(psutil.Process(running.pid).memory_info().rss)


async def test_a_flood_without_tokens_is_turned_away_and_leaves_nothing(club: OwnClub, idle_stack: TestStack) -> None:
    told = {
        "BOOKING_DATABASE_URL": club.database_url,
        "BOOKING_ADDRESS_REQUESTS_PER_MINUTE": str(ADDRESS_PER_MINUTE),
    }
    limited = await idle_stack.start("booking", "api", name="limited-besieged-club", **told)
    places, answers = asyncio.Semaphore(AT_ONCE), Counter[int]()

    async def knock(client: httpx.AsyncClient, number: int) -> None:
        path = "/v1/bookings" if number % 2 else "/v1/availability?venue_id=00000000-0000-4000-8000-000000000000"
        async with places:
            answers[(await client.get(limited + path)).status_code] += 1

    try:
        async with httpx.AsyncClient(timeout=60, trust_env=False) as client:
            await asyncio.gather(*(knock(client, number) for number in range(FLOOD)))
    finally:
        await idle_stack.stop("limited-besieged-club")
    assert answers[401] == FLOOD // 2, "who has no token is told so"
    assert answers[429] > 0, "and nobody asks what is open to all for ever"
    assert set(answers) <= {401, 404, 422, 429}
    assert await club.count("users") == 0


@asynccontextmanager
async def lorises(club: OwnClub) -> AsyncIterator[None]:
    """Connections that have sent half of their headers, and send no more."""
    place = urlsplit(club.url)
    opened = await asyncio.gather(*(asyncio.open_connection(place.hostname, place.port) for _ in range(LORISES)))
    for _, writer in opened:
        writer.write(b"POST /v1/bookings HTTP/1.1\r\nHost: club\r\nX-Slow: ")
        await writer.drain()
    try:
        yield
    finally:
        for _, writer in opened:
            writer.close()


async def test_requests_that_never_end_keep_nobody_else_waiting(club: OwnClub) -> None:
    """The gateway ends them after ten seconds; here, there is none."""
    before = memory_bytes(club)
    async with lorises(club):
        booking = await club.held("patient")
        assert (await club.cancel("patient", booking["id"])).status_code == 200
        assert (await club.client.get(f"{club.url}/readyz")).status_code == 200
    assert memory_bytes(club) - before < GROWTH_BYTES_MAX


async def test_bodies_that_are_too_large_or_too_deep_are_refused_and_cost_no_memory(club: OwnClub) -> None:
    await club.sign_in("deep")
    before, headers = memory_bytes(club), {"Authorization": f"Bearer {club.token('deep')}"}
    for _ in range(10):
        huge = await club.client.post(f"{club.url}/v1/bookings", content=bytes(HUGE_BYTES), headers=headers)
        assert (huge.status_code, huge.json()["code"]) == (413, "body-too-large")
    for nested in (b"[" * 30_000, b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 12_000):
        headers["Content-Type"] = "application/json"
        answer = await club.client.post(f"{club.url}/v1/bookings", content=nested, headers=headers)
        assert answer.status_code in (400, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    assert memory_bytes(club) - before < GROWTH_BYTES_MAX
    assert await club.count("bookings", "status = 'held'") == 0
