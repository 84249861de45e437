"""Lists: pages by cursor, filters by role, and a constant number of statements."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import event
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine

from deploy.tokens import user_id
from services.booking.app import ROUTERS, TITLE
from services.booking.availability.answering import Answers
from services.booking.bookings.outlook import Outlooks
from services.booking.settings import BookingSettings
from services.booking.users.mutations import KnownUsers
from services.booking.venues import queries as catalogue_module
from services.booking.venues.queries import Catalogue
from services.booking.venues.seed import VENUE_ID, court_id
from services.chassis import http
from services.chassis.auth import TokenVerifier
from services.chassis.clock import DatabaseClock
from services.chassis.database import Database, StatelessConnection
from services.chassis.doorbell import Doorbell
from services.chassis.service import Chassis
from services.chassis.unit_of_work import UnitOfWorkFactory
from tests.integration.booking.conftest import Club

INSERT = """
INSERT INTO bookings (id, court_id, venue_id, user_id, starts_at, ends_at, status, seat, price_minor, currency,
                      cancellation_window_hours, version, created_at)
SELECT gen_random_uuid(), $1, $2, $3, at, at + interval '90 minutes', $4, 1, 3600, 'EUR', 24, 2, now()
FROM unnest($5::timestamptz[]) AS at
"""
LONG_AGO = datetime(2021, 3, 1, 18, tzinfo=UTC)


async def played(club: Club, player: str, *starts: datetime, court: int = 1, status: str = "completed") -> UUID:
    """Bookings of former years, that no other test sees."""
    who = user_id(f"{player}@example.com")
    await club.database.execute(
        "INSERT INTO users (id, email, name, locale, role, version, created_at) "
        "VALUES ($1, $2, $3, 'en', 'player', 1, now()) ON CONFLICT DO NOTHING",
        who,
        f"{player}@example.com",
        player,
    )
    await club.database.execute(INSERT, court_id(court), VENUE_ID, who, status, list(starts))
    return who


def days(count: int, start: datetime = LONG_AGO) -> list[datetime]:
    """Two bookings at each instant: the id decides between them."""
    return [start + timedelta(days=number // 2) for number in range(count)]


async def pages(club: Club, player: str, role: str = "player", **filters: Any) -> list[list[dict[str, Any]]]:
    """Page by page, as the `Link` header leads."""
    found, path = [], str(httpx.URL("/v1/bookings", params=filters))
    while True:
        answer = await club.ask("GET", path, player, role)
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        link = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        assert bool(link) == bool(answer.json()["next_cursor"])
        if link is None:
            return found
        path = link[1]


async def ids(club: Club, player: str, role: str = "player", **filters: Any) -> list[str]:
    return [item["id"] for page in await pages(club, player, role, **filters) for item in page]


@pytest.fixture(scope="module", autouse=True)
async def staff(club: Club) -> None:
    for name in ("boss", "list-boss"):
        await club.hire(name)


async def test_pages_show_each_booking_once_by_start_and_id(club: Club) -> None:
    await played(club, "regular", *days(45))
    found = await pages(club, "regular")
    assert [len(page) for page in found] == [20, 20, 5]
    order = [(datetime.fromisoformat(item["starts_at"]), item["id"]) for page in found for item in page]
    assert order == sorted(order)
    assert len(set(order)) == 45


@pytest.mark.parametrize("limit", [1, 9, 45, 100])
async def test_a_page_is_as_long_as_was_asked_for(club: Club, limit: int) -> None:
    await played(club, f"reader-{limit}", *days(45))
    found = await pages(club, f"reader-{limit}", limit=limit)
    assert sum(map(len, found)) == 45
    assert all(len(page) == limit for page in found[:-1])
    assert found[-1]


async def test_what_is_booked_meanwhile_moves_no_page(club: Club) -> None:
    await played(club, "leafing", *days(10, LONG_AGO + timedelta(days=10)))
    answer = await club.ask("GET", "/v1/bookings?limit=4", "leafing")
    assert answer.status_code == 200, answer.text
    first = answer.json()
    await played(club, "leafing", *days(6))
    rest = await ids(club, "leafing", limit=4, cursor=first["next_cursor"])
    assert len(rest) == 6
    assert {item["id"] for item in first["items"]} & set(rest) == set()


async def test_players_see_their_own_only(club: Club) -> None:
    anna = await played(club, "list-anna", *days(3))
    bert = await played(club, "list-bert", *days(2))
    assert len(await ids(club, "list-anna")) == 3
    assert await ids(club, "list-anna", user_id=str(anna)) == await ids(club, "list-anna")
    foreign = await club.ask("GET", f"/v1/bookings?user_id={bert}", "list-anna")
    assert (foreign.status_code, foreign.json()["code"]) == (403, "staff-only")
    for role in ("staff", "admin"):
        assert len(await ids(club, "list-boss", role, user_id=str(bert))) == 2
    assert (await club.ask("GET", "/v1/bookings")).status_code == 401


async def test_filters_must_all_be_met(club: Club) -> None:
    start = datetime(2022, 5, 1, 18, tzinfo=UTC)
    who = await played(club, "filtered", *(start + timedelta(days=number) for number in range(6)))
    await played(club, "filtered", start, court=2, status="cancelled")
    mine = {"user_id": str(who)}
    assert len(await ids(club, "boss", "staff", **mine)) == 7
    assert len(await ids(club, "boss", "staff", **mine, court_id=str(court_id(2)))) == 1
    assert len(await ids(club, "boss", "staff", **mine, status="completed")) == 6
    assert len(await ids(club, "boss", "staff", **mine, status=["completed", "cancelled"], limit=2)) == 7
    window = {"from": (start + timedelta(days=1)).isoformat(), "until": (start + timedelta(days=3)).isoformat()}
    assert len(await ids(club, "filtered", **window)) == 2
    assert len(await ids(club, "boss", "staff", **mine, venue_id=str(uuid4()))) == 0


async def test_a_date_is_a_day_on_the_clubs_wall(club: Club) -> None:
    """On 27 March 2022 Madrid's clocks went from 02:00 to 03:00: the day had 23 hours."""
    midnight = datetime(2022, 3, 26, 23, tzinfo=UTC)
    next_midnight = datetime(2022, 3, 27, 22, tzinfo=UTC)
    edge = timedelta(minutes=1)
    who = await played(club, "punctilious", midnight - edge, midnight, next_midnight - edge, next_midnight)
    for place in ({"court_id": str(court_id(1))}, {"venue_id": str(VENUE_ID)}):
        found = await pages(club, "boss", "staff", user_id=str(who), date="2022-03-27", **place)
        assert [item["starts_at"] for item in found[0]] == ["2022-03-27T00:00:00+01:00", "2022-03-27T23:59:00+02:00"]
    lost = await club.ask("GET", "/v1/bookings?date=2022-03-27", "boss", "staff")
    assert (lost.status_code, lost.json()["code"]) == (422, "date-needs-court")


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "status=lost", "from=2022-01-01T00:00:00", "until=0001-01-01T00:00:00%2B14:00",
     "from=9999-12-31T23:59:59-12:00", "date=9999-12-31", "court=1", "user_id=me", "cursor=" + "x" * 501],
)  # fmt: skip
async def test_a_filter_that_makes_no_sense_is_refused(club: Club, query: str) -> None:
    answer = await club.ask("GET", f"/v1/bookings?{query}", "boss", "staff")
    assert (answer.status_code, answer.json()["code"]) == (422, "request-not-valid"), answer.text


async def test_a_cursor_continues_no_other_list(club: Club) -> None:
    who = await played(club, "list-carla", *days(3))
    await played(club, "list-dora", *days(3))
    cursor = (await club.ask("GET", "/v1/bookings?limit=1", "list-carla")).json()["next_cursor"]
    for player, role, more in (
        ("list-dora", "player", ""),
        ("list-carla", "player", "&status=completed"),
        ("boss", "staff", f"&user_id={who}"),
    ):
        answer = await club.ask("GET", f"/v1/bookings?limit=1&cursor={cursor}{more}", player, role)
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-not-valid")
    for forged in ("", "x", cursor[:-4], cursor[:10] + "AAAA" + cursor[14:], cursor + "é"):
        answer = await club.ask("GET", "/v1/bookings", "list-carla", params={"cursor": forged})
        assert (answer.status_code, answer.json()["code"]) == (400, "cursor-not-valid"), forged


# Statements: counted in this process, where both ways into the database can be listened to.


@asynccontextmanager
async def listening(club: Club) -> AsyncIterator[tuple[httpx.AsyncClient, list[str]]]:
    """The same application in this process, and every statement that it sends."""
    sent: list[str] = []
    settings = BookingSettings(
        database_url=SecretStr(club.database_url),
        jwks_file=club.stack.installation.paths.keys / "jwks.json",
        user_reads_per_minute=100_000,  # the limits' statement is one of them
    )
    engine = create_async_engine(settings.sqlalchemy_url())
    event.listen(engine.sync_engine, "before_cursor_execute", lambda *told: sent.append(told[2]))

    async def listen(connection: asyncpg.Connection[Any]) -> None:
        connection.add_query_logger(lambda record: sent.append(record.query))

    async with asyncpg.create_pool(
        club.database_url, min_size=0, init=listen, connection_class=StatelessConnection
    ) as pool:
        database, clock = Database(engine, async_sessionmaker(engine), pool, engine), DatabaseClock()
        unit_of_work = UnitOfWorkFactory(database, clock, lambda: None)
        chassis = Chassis(settings, database, clock, unit_of_work, Doorbell(club.database_url))
        state = {
            "chassis": chassis,
            "answers": Answers(chassis),
            "outlooks": Outlooks(chassis),
            "verifier": TokenVerifier(settings),
            "catalogue": Catalogue(database),
            "known_users": KnownUsers(unit_of_work),
        }
        app: Any = http.create_app(settings, TITLE, 65_536, ROUTERS, **state)
        # The catalogue looks again beside the requests, every five seconds: not while they are counted.
        still = patch.object(catalogue_module, "FRESH_SECONDS", float("inf"))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://club") as client:
            with still:
                yield client, sent
    await engine.dispose()


@pytest.mark.parametrize(("role", "statements"), [("player", 3), ("staff", 4)])
async def test_a_list_costs_the_same_for_one_row_and_for_a_hundred(club: Club, role: str, statements: int) -> None:
    who = await played(club, f"list-{role}", LONG_AGO)
    headers = {"Authorization": f"Bearer {club.token(f'list-{role}', role)}"}
    path = f"/v1/bookings?limit=100&user_id={who}"
    async with listening(club) as (client, sent):
        await client.get(path, headers=headers)  # reads the catalogue, once in five seconds
        counted = []
        for _ in range(2):
            sent.clear()
            rows = len((await client.get(path, headers=headers)).json()["items"])
            counted.append((rows, len(sent)))
            await played(club, f"list-{role}", *days(99))
    # The limit, that the caller is not erased, where staff works, and the list.
    assert counted == [(1, statements), (100, statements)], sent


@pytest.mark.parametrize("path", ["/v1/me/calendar", f"/v1/availability?venue_id={VENUE_ID}&date=2021-03-01"])
async def test_other_reads_cost_the_same_however_much_there_is(club: Club, path: str) -> None:
    headers = {"Authorization": f"Bearer {club.token('counted')}"}
    async with listening(club) as (client, sent):
        await client.get(path, headers=headers)
        counted = []
        for _ in range(2):
            sent.clear()
            assert (await client.get(path, headers=headers)).status_code == 200
            counted.append(len(sent))
            await played(club, "counted", *days(99))
    assert counted[0] == counted[1] <= 2, sent


async def test_a_feed_costs_the_same_for_one_booking_and_for_a_hundred(club: Club) -> None:
    recently = datetime.now(UTC) - timedelta(days=60)
    await played(club, "collector", recently)
    url = (await club.ask("POST", "/v1/me/calendar", "collector")).json()["url"]
    async with listening(club) as (client, sent):
        counted = []
        for _ in range(2):
            await client.get("/v1/calendars/" + url.rpartition("/")[2])
            sent.clear()
            feed = (await client.get("/v1/calendars/" + url.rpartition("/")[2])).text
            counted.append((feed.count("BEGIN:VEVENT"), len(sent)))
            await played(club, "collector", *days(99, recently))
    assert counted == [(1, counted[0][1]), (100, counted[0][1])]
