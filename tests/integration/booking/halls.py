"""A hall of its own, whose courts can be blocked and closed without harm to other tests: each test takes a day of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx

from tests.integration.booking.slots import MADRID
from tests.integration.booking.workers import Worker

if TYPE_CHECKING:
    from tests.integration.booking.conftest import Club  # which has this hall as a fixture

COURTS = 6
PRICE_MINOR = 2000


_numbers: Iterator[int] = count()


def a_player() -> str:
    """Nobody has met them."""
    return f"guest{next(_numbers)}"


def at(day: datetime, hour: int, days_later: int = 0) -> datetime:
    """Local time, as it is on the court's door, whatever the clocks do between."""
    return (day.replace(hour=hour, tzinfo=None) + timedelta(days=days_later)).replace(tzinfo=MADRID)


@dataclass(frozen=True)
class Hall:
    """Six courts in Madrid on a 60 minute grid from 08:00 to 22:00, and the worker's half of the service in this process."""

    club: Club
    venue_id: UUID
    courts: list[str]
    worker: Worker
    _days: Iterator[int] = field(default_factory=lambda: count(2))

    def a_day(self) -> datetime:
        """Midnight of a day that no other test takes."""
        day = datetime.now(UTC).astimezone(MADRID).date() + timedelta(days=next(self._days))
        return datetime.combine(day, time(0), MADRID)

    async def hold(self, player: str, court: str, starts_at: datetime) -> httpx.Response:
        return await self.club.hold(player, court, starts_at.isoformat())

    async def booked(self, player: str, court: str, starts_at: datetime) -> dict[str, Any]:
        """Held and paid for."""
        answer = await self.hold(player, court, starts_at)
        assert answer.status_code == 201, answer.text
        booking: dict[str, Any] = answer.json()
        await self.pay(booking)
        return booking

    async def pay(self, booking: dict[str, Any]) -> None:
        await self.worker.pay(booking, f"order-of-{booking['id']}")

    async def cancel(self, booking: dict[str, Any], player: str) -> httpx.Response:
        return await self.club.ask("POST", f"/v1/bookings/{booking['id']}/cancel", player, json={})

    async def block(
        self, since: datetime, until: datetime, *courts: str, key: str | None = None, dry_run: bool = False, **more: Any
    ) -> httpx.Response:
        interval = {"starts_at": since.isoformat(), "ends_at": until.isoformat()}
        body = {"court_ids": courts or self.courts[:1], "reason": "maintenance", **interval, **more}
        path = f"/v1/venues/{self.venue_id}/blocked-slots" + ("?dry_run=true" if dry_run else "")
        headers = {"Idempotency-Key": key} if key else {}
        return await self.club.ask("POST", path, "keeper", role="staff", json=body, headers=headers)

    async def unblock(self, block_id: str, scope: str = "one") -> httpx.Response:
        return await self.club.ask("DELETE", f"/v1/blocked-slots/{block_id}?scope={scope}", "keeper", role="staff")

    async def status(self, booking: dict[str, Any]) -> str:
        return str(await self.club.database.fetchval("SELECT status FROM bookings WHERE id = $1", booking["id"]))

    async def written(self) -> dict[str, int]:
        """All that a refused request or a dry run must leave alone; the staff that asks may be new."""
        more = {table: await self.club.count(table) for table in ("blocked_slots", "closures")}
        cancelled = {"cancelled": await self.club.count("bookings", "status = 'cancelled'")}
        tables = await self.club.written() | more | cancelled
        del tables["users"]
        tables["outbox"] = await self.club.count("outbox", "aggregatetype <> 'user.profiles'")
        return tables

    async def told(self, aggregate_id: str) -> list[dict[str, Any]]:
        """What the outbox has of a booking or a court, in order: the data of each event, with its type."""
        rows = await self.club.database.fetch(
            "SELECT type, payload FROM outbox WHERE aggregateid = $1 ORDER BY seq", aggregate_id
        )
        return [{"type": row["type"], **json.loads(row["payload"])} for row in rows]

    async def who_has(self, court: str, starts_at: datetime, ends_at: datetime) -> list[str]:
        """Who occupies this time, in its order: `booking`, `block`, and `nobody` for each gap."""
        rows = await self.club.database.fetch(
            """
            WITH wanted AS (SELECT tstzrange($2, $3) AS during), standing AS (
                SELECT occupied.during * wanted.during AS during, CASE WHEN booking_id IS NULL THEN 'block' ELSE 'booking' END AS who
                FROM court_occupancy AS occupied, wanted WHERE court_id = $1 AND occupied.during && wanted.during
            ), gaps AS (
                SELECT unnest(tstzmultirange(wanted.during) - coalesce(range_agg(standing.during), '{}')) AS during, 'nobody' AS who
                FROM wanted LEFT JOIN standing ON true GROUP BY wanted.during
            )
            SELECT who FROM (TABLE standing UNION ALL TABLE gaps) AS everything ORDER BY lower(during)
            """,
            court,
            starts_at,
            ends_at,
        )
        return [row["who"] for row in rows]


@asynccontextmanager
async def open_hall(club: Club) -> AsyncIterator[Hall]:
    venue_id, courts = uuid4(), sorted(str(uuid4()) for _ in range(COURTS))
    await _write(club, venue_id, courts)
    await _until_known(club, venue_id)
    for name in ("keeper", "chief"):
        await club.hire(name, venue_id)
    async with Worker.open(club.database_url) as worker:
        yield Hall(club, venue_id, courts, worker)


async def _write(club: Club, venue_id: UUID, courts: list[str]) -> None:
    write = club.database
    async with write.transaction():
        await write.execute(
            "INSERT INTO venues (id, name, time_zone, currency, hold_minutes, cancellation_window_hours, max_active_bookings, "
            "booking_horizon_days) VALUES ($1, 'Hall', 'Europe/Madrid', 'EUR', 15, 24, 2, 365)",
            venue_id,
        )
        await write.execute(
            "INSERT INTO opening_hours (venue_id, weekday, opens, closes) "
            "SELECT $1, day, '08:00', '22:00' FROM generate_series(0, 6) AS day",
            venue_id,
        )
        await write.execute(
            "INSERT INTO courts (id, venue_id, name, surface, slot_minutes, active) SELECT id, $1, 'Court', 'turf', 60, true "
            "FROM unnest($2::uuid[]) AS id",
            venue_id,
            courts,
        )
        await write.execute(
            "INSERT INTO price_rules (id, venue_id, weekdays, starts, ends, price_minor, priority) "
            "VALUES (gen_random_uuid(), $1, '{0,1,2,3,4,5,6}', '00:00', '00:00', $2, 0)",
            venue_id,
            PRICE_MINOR,
        )


async def _until_known(club: Club, venue_id: UUID) -> None:
    """The API reads its venues every few seconds."""
    query = {"venue_id": str(venue_id), "date": "2030-01-01"}
    for _ in range(100):
        if (await club.ask("GET", "/v1/availability", params=query)).status_code == 200:
            return
        await asyncio.sleep(0.2)
    raise AssertionError("the API has not read the hall")
