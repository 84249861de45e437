"""The copy of the venues that a process keeps, and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import event

from services.booking.venues import queries
from services.booking.venues.seed import VENUE_ID
from tests.integration.booking.in_process import Office, migrate


async def test_a_look_under_way_gives_its_connection_back_before_the_database_is_closed(
    new_database: Callable[[str], Awaitable[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "FRESH_SECONDS", 0.0)
    url = await new_database("booking")
    await migrate(url)
    given_back, under_way = asyncio.Event(), asyncio.Event()
    async with Office.open(url) as office:
        await office.catalogue.venue(VENUE_ID)
        engine = office.chassis.database.engine.sync_engine
        event.listen(engine, "checkout", lambda *_: under_way.set())
        event.listen(engine, "checkin", lambda *_: given_back.set())
        await office.catalogue.venue(VENUE_ID)  # the copy is old by now: another look goes on beside us
        await under_way.wait()
        assert not given_back.is_set()
    assert given_back.is_set()


async def test_whoever_counts_money_hears_of_the_venues_at_the_first_look(
    new_database: Callable[[str], Awaitable[str]],
) -> None:
    url = await new_database("booking")
    await migrate(url)
    heard: list[str] = []
    async with Office.open(url) as office:
        catalogue = queries.Catalogue(
            office.chassis.database, lambda venues: heard.extend(each.currency for each in venues)
        )
        venue = await catalogue.venue(VENUE_ID)
    assert heard == [venue.currency]
