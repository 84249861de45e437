"""What the database must hold of bookings and blocks: what a model of the rules says, and what is always true of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import combinations
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.booking.venues.domain import Slot

STATE = """
SELECT (SELECT json_agg(b) FROM (SELECT id, user_id, status, version, court_id, starts_at, order_id, refunds_due, seat FROM bookings) b),
       (SELECT json_agg(o) FROM (SELECT court_id, lower(during) AS starts_at, upper(during) AS ends_at, booking_id FROM court_occupancy) o),
       (SELECT json_agg(e) FROM (SELECT aggregateid, convert_from(payload, 'UTF8')::json->'version' AS version FROM outbox
                                 WHERE aggregatetype = 'booking.events' ORDER BY seq) e)
"""


@dataclass(eq=False)
class Claim:
    """A booking as the model knows it; `player` is empty for a block, which only stands on a court."""

    court: UUID
    starts_at: datetime
    ends_at: datetime
    player: str = ""
    id: str = ""
    status: str = "held"
    version: int = 1
    price: int = 0
    hold_expires_at: datetime | None = None
    order: str | None = None
    refunds: list[str] = field(default_factory=list)

    @property
    def is_live(self) -> bool:
        return self.status in ("held", "confirmed", "blocked")

    def overlaps(self, slot: Slot) -> bool:
        return self.court == slot.court_id and self.starts_at < slot.ends_at and slot.starts_at < self.ends_at

    def go(self, status: str) -> None:
        self.status, self.version = status, self.version + 1

    def told(self) -> tuple[object, ...]:
        return self.status, self.version, str(self.court), self.starts_at, self.order, self.refunds


@dataclass(frozen=True)
class Books:
    """All rows of bookings, of occupancy, and the events that were told of bookings, read at once."""

    bookings: list[dict[str, Any]]
    occupancy: list[dict[str, Any]]
    events: list[dict[str, Any]]

    @classmethod
    async def read(cls, connection: asyncpg.Connection[Any]) -> Books:
        state = (await connection.fetch(STATE))[0]
        return cls(*(orjson.loads(part or "[]") for part in state))

    def agree_with(self, bookings: Iterable[Claim], blocks: Iterable[Claim]) -> None:
        known = list(bookings)
        assert {row["id"]: seen(row) for row in self.bookings} == {booking.id: booking.told() for booking in known}
        assert sorted(map(place, self.occupancy)) == sorted(
            (str(one.court), one.starts_at, one.ends_at) for one in (*known, *blocks) if one.is_live
        )

    def refuse_overlaps(self) -> None:
        for (court, starts, ends), (other, other_starts, other_ends) in combinations(map(place, self.occupancy), 2):
            assert court != other or ends <= other_starts or other_ends <= starts

    def refuse_a_third_booking(self) -> None:
        """Two seats for each player."""
        seats = [(row["user_id"], row["seat"]) for row in self.bookings if row["status"] in ("held", "confirmed")]
        assert len(seats) == len(set(seats))
        assert {seat for _, seat in seats} <= {1, 2}

    def refuse_gaps_in_versions(self) -> None:
        told: dict[str, list[int]] = {}
        for event in self.events:
            told.setdefault(event["aggregateid"], []).append(event["version"])
        assert told == {row["id"]: list(range(1, row["version"] + 1)) for row in self.bookings}

    def refuse_money_without_use(self, orders: Collection[str]) -> None:
        """Each paid order backs a booking or is owed back, never both and never neither."""
        played = ("confirmed", "completed")
        backing = [row["order_id"] for row in self.bookings if row["order_id"] and row["status"] in played]
        owed = [due["order_id"] for row in self.bookings for due in row["refunds_due"]]
        assert sorted(backing + owed) == sorted(orders)


def seen(row: dict[str, Any]) -> tuple[object, ...]:
    owed = [due["order_id"] for due in row["refunds_due"]]
    return (
        row["status"],
        row["version"],
        row["court_id"],
        datetime.fromisoformat(row["starts_at"]),
        row["order_id"],
        owed,
    )


def place(claim: dict[str, Any]) -> tuple[str, datetime, datetime]:
    starts_at, ends_at = datetime.fromisoformat(claim["starts_at"]), datetime.fromisoformat(claim["ends_at"])
    return claim["court_id"], starts_at, ends_at
