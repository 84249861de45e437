"""PostgreSQL is killed, restarted and runs out of disk while players book: what was promised is there, and nobody sees an error of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from pydantic import SecretStr

from deploy.local.postgres import DURABLE
from services.booking.settings import BookingSettings
from services.chassis import outbox_lag
from services.chassis.database import Database
from services.chassis.dead_letters import crons
from tests.faults.clubs import OwnClub, open_club
from tests.faults.players import Players
from tests.faults.small_disks import small_disk
from tests.stack import TestStack

pytestmark = [pytest.mark.slow, pytest.mark.child_servers]

NAME = "mortal-club"
DISK_MEGABYTES = 320


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[TestStack]:
    """With a server of its own, which flushes what it promises: this is about promises."""
    stack = await TestStack.open()
    try:
        await stack.start_postgres(DURABLE)
        yield stack
    finally:
        await stack.close()


async def reconnected(club: OwnClub) -> OwnClub:
    """With another connection to look by: the old one died with the server."""
    database = await asyncpg.connect(club.database_url)
    return OwnClub(club.url, club.database_url, database, club.stack, club.client, club.slots)


@pytest.mark.parametrize("end", ["killed", "restarted fast"])
async def test_what_was_promised_before_the_server_ended_is_there_afterwards(stack: TestStack, end: str) -> None:
    async with open_club(stack, NAME) as club:
        players = Players(club)
        async with players.booking():
            await players.have_held(20)
            await (stack.kill if end == "killed" else stack.stop)("postgres")
            await players.are_refused(8)
            assert (await club.client.get(f"{club.url}/livez")).status_code == 200
            await stack.start_postgres(DURABLE)
            await players.have_held(20)
        players.club = await reconnected(club)
        await players.must_have_what_they_were_told()
        assert players.answers[503] > 0
        assert set(players.answers) <= {201, 503}
        assert players.lost == 0, "the API itself was there all the time"
        await players.club.database.close()


async def test_who_only_measures_outlives_its_database(stack: TestStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the server goes in the middle of their questions: a process whose gauge is not kept still books."""
    monkeypatch.setattr(outbox_lag, "MEASURE_SECONDS", 0.0)
    monkeypatch.setattr(crons, "COUNT_SECONDS", 0.0)
    async with open_club(stack, NAME) as club:
        database = await Database.open(BookingSettings(database_url=SecretStr(club.database_url)))
        aides = [asyncio.create_task(outbox_lag.measure_lag(database)) for _ in range(10)]
        aides += [asyncio.create_task(crons.count_letters(database)) for _ in range(10)]
        for end in (stack.stop, stack.kill) * 3:
            await end("postgres")
            await stack.start_postgres(DURABLE)
        assert not [aide.exception() for aide in aides if aide.done()]
        for aide in aides:
            aide.cancel()
        await asyncio.wait(aides)
        await database.close()


async def test_a_disk_that_is_full_is_503_and_books_again_once_there_is_room(stack: TestStack) -> None:
    await stack.stop("postgres")
    with small_disk(stack.postgres.data, DISK_MEGABYTES) as disk:
        await stack.start_postgres(DURABLE)
        async with open_club(stack, NAME) as club:
            players = Players(club)
            async with players.booking():
                await players.have_held(10)
                disk.fill()
                await players.are_refused(8)
                assert (await club.client.get(f"{club.url}/livez")).status_code == 200
                disk.free()
                await players.have_held(10)
            await players.must_have_what_they_were_told()
            assert set(players.answers) == {201, 503}
        await stack.stop("postgres")
