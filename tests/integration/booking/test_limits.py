"""Rate limits: one for all API processes, and never in the way of a booking when their table is."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.booking.conftest import Club
from tests.integration.booking.slots import a_free_slot

pytestmark = pytest.mark.slow

WRITES, READS, ADDRESS = 5, 12, 25
SETTINGS = {
    "BOOKING_USER_WRITES_PER_MINUTE": str(WRITES),
    "BOOKING_USER_READS_PER_MINUTE": str(READS),
    "BOOKING_ADDRESS_REQUESTS_PER_MINUTE": "0",
}


@pytest.fixture(scope="module")
async def processes(club: Club) -> AsyncIterator[tuple[str, str]]:
    """Two API processes on the club's database."""
    stack, told = club.stack, {"BOOKING_DATABASE_URL": club.database_url, **SETTINGS}
    urls = [await stack.start("booking", "api", name=name, **told) for name in ("limited-1", "limited-2")]
    yield urls[0], urls[1]
    for name in ("limited-1", "limited-2"):
        await stack.stop(name)


async def read(club: Club, url: str, player: str) -> httpx.Response:
    return await club.client.get(f"{url}/v1/bookings", headers={"Authorization": f"Bearer {club.token(player)}"})


async def test_two_processes_share_one_limit(club: Club, processes: tuple[str, str]) -> None:
    began = time.monotonic()
    answers = await asyncio.gather(*(read(club, processes[n % 2], "eager") for n in range(40)))
    refilled = math.ceil((time.monotonic() - began) * READS / 60)
    passed = Counter(answer.status_code for answer in answers)[200]
    assert READS <= passed <= READS + refilled
    assert {answer.status_code for answer in answers} == {200, 429}
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.json()["code"] == "too-many-requests"
    assert refused.headers["content-type"] == "application/problem+json"
    assert 1 <= int(refused.headers["retry-after"]) <= 60 / READS
    assert refused.headers["ratelimit-policy"] == f'"user-reads";q={READS};w=60'
    assert refused.headers["ratelimit"].startswith('"user-reads";r=0;t=')


async def test_one_player_does_not_use_up_anothers(club: Club, processes: tuple[str, str]) -> None:
    answers = await asyncio.gather(*(read(club, processes[0], "greedy") for _ in range(READS + 5)))
    assert 429 in {answer.status_code for answer in answers}
    other = await read(club, processes[0], "modest")
    assert (other.status_code, other.headers["ratelimit"]) == (200, f'"user-reads";r={READS - 1};t=5')


async def test_writes_are_limited_apart_and_a_refused_one_writes_nothing(
    club: Club, processes: tuple[str, str]
) -> None:
    court_id, starts_at = a_free_slot()
    headers = {"Authorization": f"Bearer {club.token('hasty')}"}
    body = {"court_id": court_id, "starts_at": starts_at}
    answers = [
        await club.client.post(f"{processes[n % 2]}/v1/bookings", json=body, headers=headers) for n in range(WRITES + 2)
    ]
    assert [answer.status_code for answer in answers] == [201, *[409] * (WRITES - 1), 429, 429]
    assert answers[0].headers["ratelimit"].startswith(f'"user-writes";r={WRITES - 1};')
    assert await club.count("bookings", f"court_id = '{court_id}' AND starts_at = '{starts_at}'") == 1
    assert (await read(club, processes[0], "hasty")).status_code == 200


async def test_who_has_no_token_is_limited_by_the_address(club: Club) -> None:
    told = {"BOOKING_DATABASE_URL": club.database_url, "BOOKING_ADDRESS_REQUESTS_PER_MINUTE": str(ADDRESS)}
    url = await club.stack.start("booking", "api", name="limited-3", **told)
    headers = [{"X-Forwarded-For": address} for address in ("192.0.2.1", "192.0.2.2")]
    path = f"{url}/v1/calendars/guess.ics"
    guesses = await asyncio.gather(*(club.client.get(path, headers=headers[0]) for _ in range(ADDRESS + 10)))
    assert {answer.status_code for answer in guesses} == {404, 429}
    assert (await club.client.get(path, headers=headers[1])).status_code == 404
    await club.stack.stop("limited-3")


async def test_what_a_stranger_says_of_its_address_counts_for_nothing(club: Club) -> None:
    told = {"BOOKING_DATABASE_URL": club.database_url, "BOOKING_ADDRESS_REQUESTS_PER_MINUTE": str(ADDRESS)}
    url = await club.stack.start("booking", "api", name="limited-4", BOOKING_TRUSTED_PROXIES='["192.0.2.9"]', **told)
    claims = [{"X-Forwarded-For": f"198.51.100.{number}"} for number in range(ADDRESS + 10)]
    guesses = await asyncio.gather(*(club.client.get(f"{url}/v1/calendars/guess.ics", headers=one) for one in claims))
    assert {answer.status_code for answer in guesses} == {404, 429}
    await club.stack.stop("limited-4")


async def test_limits_that_cannot_be_read_limit_nobody(club: Club, processes: tuple[str, str]) -> None:
    await asyncio.gather(*(read(club, processes[0], "lucky") for _ in range(READS + 5)))
    await club.database.execute("ALTER TABLE rate_limits RENAME TO elsewhere")
    try:
        answers = await asyncio.gather(*(read(club, processes[n % 2], "lucky") for n in range(READS + 5)))
    finally:
        await club.database.execute("ALTER TABLE elsewhere RENAME TO rate_limits")
    assert {answer.status_code for answer in answers} == {200}
    assert "ratelimit" not in answers[0].headers


async def test_a_limit_that_is_slow_is_left_out(club: Club, processes: tuple[str, str]) -> None:
    async with club.database.transaction():
        await club.database.execute("LOCK TABLE rate_limits IN EXCLUSIVE MODE")
        assert (await read(club, processes[0], "patient")).status_code == 200


async def test_under_test_nobody_is_limited_unless_it_is_said(club: Club) -> None:
    assert "ratelimit" not in (await club.ask("GET", "/v1/bookings", "anybody")).headers
