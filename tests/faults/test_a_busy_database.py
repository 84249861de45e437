"""The database is there and has no time: every connection is taken, somebody sleeps in a transaction, transactions lose to others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Iterable

import asyncpg
import httpx
import pytest

from deploy.local.postgres import Postgres
from services.chassis.database import ACQUIRE_SECONDS, SERVER_SETTINGS
from tests.faults.clubs import OwnClub, open_club
from tests.stack import TestStack

pytestmark = pytest.mark.slow

CONNECTIONS = 2
CROWD = 120
"""One after the other, each as long as a lock is waited for, they would take two minutes."""
LOCK_SECONDS = int(SERVER_SETTINGS["lock_timeout"]) / 1000
QUICK_SECONDS = 60.0
"""What a crowd is told within, with time for a machine that has other things to do: `ACQUIRE_SECONDS` and one lock, by what is set."""


@pytest.fixture(scope="module")
async def club(idle_stack: TestStack, postgres: Postgres) -> AsyncIterator[OwnClub]:
    del postgres  # it must run
    told = {"BOOKING_DATABASE_POOL_SIZE": str(CONNECTIONS)}
    async with open_club(idle_stack, "busy-club", told=told) as club:
        yield club


def explained(answers: Iterable[httpx.Response]) -> bool:
    """Each refusal says what it is, and when to come again."""
    return all(
        answer.headers["content-type"] == "application/problem+json" and int(answer.headers["retry-after"]) > 0
        for answer in answers
        if answer.status_code == 503
    )


async def health(club: OwnClub, path: str) -> tuple[int, str]:
    answer = await club.client.get(club.url + path)
    return answer.status_code, str(answer.json()["status"])


async def refused_in_seconds(club: OwnClub, crowd: Iterable[Awaitable[httpx.Response]]) -> float:
    """Until everybody was told to come again, while the process said that it is well."""
    began = time.monotonic()
    asked = asyncio.gather(*crowd)
    await until_waiting(club, CONNECTIONS)
    assert await health(club, "/livez") == (200, "pass")
    assert (await health(club, "/readyz"))[0] == 200
    answers = await asked
    assert {answer.status_code for answer in answers} == {503}
    assert explained(answers)
    return time.monotonic() - began


async def test_a_crowd_that_waits_for_one_player_is_told_soon_and_the_process_stays_well(club: OwnClub) -> None:
    """By the pool of the hold: the player's row is locked, and every hold waits for it with a connection in its hand."""
    player = await club.sign_in("beset")
    async with club.database.transaction():
        await club.database.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", player)
        took = await refused_in_seconds(club, (club.hold_one("beset") for _ in range(CROWD)))
    assert took < QUICK_SECONDS < CROWD / CONNECTIONS * LOCK_SECONDS
    assert ACQUIRE_SECONDS + 2 * LOCK_SECONDS < QUICK_SECONDS
    assert (await club.hold_one("beset")).status_code == 201


async def test_a_crowd_that_waits_for_one_booking_is_told_soon_and_the_process_stays_well(club: OwnClub) -> None:
    """By the pool of everything else."""
    booking = await club.held("popular")
    async with club.database.transaction():
        await club.database.execute("SELECT FROM bookings WHERE id = $1 FOR UPDATE", booking["id"])
        took = await refused_in_seconds(club, (club.cancel("popular", booking["id"]) for _ in range(CROWD)))
    assert took < QUICK_SECONDS
    assert (await club.cancel("popular", booking["id"])).status_code == 200


async def test_a_server_without_a_free_connection_is_503_and_then_as_before(club: OwnClub) -> None:
    """`CONNECTION LIMIT` of the role, and no pool has a connection: what `max_connections` does, to this club alone."""
    superuser = await club.stack.postgres.connect()
    database = club.database_url.rpartition("/")[2]
    try:
        await superuser.execute(f'ALTER DATABASE "{database}" CONNECTION LIMIT 0')
        await superuser.execute(CLOSE_OTHERS, database, club.database.get_server_pid())
        answers = await asyncio.gather(*(club.hold_one(f"late{number}") for number in range(10)))
        assert {answer.status_code for answer in answers} == {503}
        assert explained(answers)
        assert await health(club, "/livez") == (200, "pass")
        await superuser.execute(f'ALTER DATABASE "{database}" CONNECTION LIMIT -1')
        assert (await club.hold_one("late0")).status_code == 201
    finally:
        await superuser.close()


async def test_who_sleeps_in_a_transaction_holds_up_nobody_but_who_wants_the_same(club: OwnClub) -> None:
    """A person's session has changed a booking and not committed: its player is told to come again, and all others book."""
    booking = await club.held("slept-on")
    sleeper = await asyncpg.connect(club.database_url)
    try:
        await sleeper.execute("BEGIN")
        await sleeper.execute("UPDATE bookings SET version = version WHERE id = $1", booking["id"])
        refused = await club.cancel("slept-on", booking["id"])
        assert (refused.status_code, refused.json()["code"]) == (503, "database-busy")
        others = await asyncio.gather(*(club.hold_one(f"wakeful{number}") for number in range(10)))
        assert {answer.status_code for answer in others} == {201}
    finally:
        await sleeper.close()
    assert (await club.cancel("slept-on", booking["id"])).status_code == 200


async def test_a_session_of_ours_that_sleeps_in_a_transaction_is_ended_by_the_server(club: OwnClub) -> None:
    """Whatever it is that stands still, what it locked is free again after a minute at the most: here, a fifth of a second."""
    assert 0 < int(SERVER_SETTINGS["idle_in_transaction_session_timeout"]) <= 60_000
    booking = await club.held("forgotten")
    settings = SERVER_SETTINGS | {"idle_in_transaction_session_timeout": "200"}
    sleeper = await asyncpg.connect(club.database_url, server_settings=settings)
    await sleeper.execute("BEGIN")
    await sleeper.execute("UPDATE bookings SET version = version WHERE id = $1", booking["id"])
    async with asyncio.timeout(60):
        while (answer := await club.cancel("forgotten", booking["id"])).status_code == 503:
            assert explained([answer])
    assert answer.status_code == 200
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)):
        await sleeper.execute("COMMIT")
    await sleeper.close()


LOSE = """
CREATE SEQUENCE losses;
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF nextval('losses') % 3 <> 0 THEN RAISE 'lost' USING ERRCODE = '{sqlstate}'; END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lose BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION lose()
"""


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"], ids=["serialization failure", "deadlock"])
async def test_a_transaction_that_loses_twice_is_done_at_its_third_try(club: OwnClub, sqlstate: str) -> None:
    """In place, within the request: nobody hears of it."""
    await club.database.execute(LOSE.format(sqlstate=sqlstate))
    try:
        booking = await club.held(f"loser{sqlstate}")
        cancelled = await club.cancel(f"loser{sqlstate}", booking["id"])
    finally:
        await club.database.execute("DROP TRIGGER lose ON outbox; DROP FUNCTION lose; DROP SEQUENCE losses")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert await club.count("outbox", f"aggregateid = '{booking['id']}'") == 2


CLOSE_OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2"
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def until_waiting(club: OwnClub, wanted: int) -> None:
    """So many sessions of the club wait for a lock."""
    observer = await asyncpg.connect(club.database_url)
    try:
        async with asyncio.timeout(60):
            while await observer.fetchval(WAITING) < wanted:  # noqa: ASYNC110 - it is the server that brings it about
                await asyncio.sleep(0.05)
    finally:
        await observer.close()
