"""Believable bookings of one club, on its own grid and at its own prices: what is coming, and years of what was."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import count, islice
from typing import NamedTuple
from uuid import UUID

from deploy.invented_clubs import Player
from services.booking.venues.domain import Slot, Venue

COMING_SHARE = 10
"""One booking in ten is still to be played."""
EVENING_HOUR, EVENING, DAY = 16, 0.9, 0.6
"""How much of a court is booked from that hour (UTC) on, and before."""
OUTCOMES, WEIGHTS = ("completed", "cancelled", "expired"), (80, 92, 100)
"""In percent, added up."""


class BookingRow(NamedTuple):
    """The columns of `bookings`, by name."""

    id: UUID
    court_id: UUID
    venue_id: UUID
    user_id: UUID
    starts_at: datetime
    ends_at: datetime
    status: str
    seat: int
    price_minor: int
    currency: str
    cancellation_window_hours: int
    hold_expires_at: datetime | None
    order_id: str | None
    refunds_due: str
    version: int
    created_at: datetime


def coming(
    venue: Venue, players: list[Player], wanted: int, now: datetime, chance: random.Random
) -> Iterator[BookingRow]:
    """Confirmed ones from tomorrow on, one share of those wanted. A player has no more of them than seats."""
    seats = [(player, seat) for seat in range(1, venue.max_active_bookings + 1) for player in players]
    chance.shuffle(seats)
    today = venue.local(now).date()
    days = (today + timedelta(days=ahead) for ahead in range(1, venue.booking_horizon_days))
    slots = islice(_busy_slots(venue, days, chance), wanted // COMING_SHARE)
    for (court_id, slot), (player, seat) in zip(slots, seats, strict=False):
        yield _booking(venue, court_id, slot, player, "confirmed", seat, now, chance)


def past(
    venue: Venue, players: list[Player], wanted: int, now: datetime, chance: random.Random
) -> Iterator[BookingRow]:
    """As many as wanted, backwards from yesterday."""
    today = venue.local(now).date()
    days = (today - timedelta(days=back) for back in count(1))
    for court_id, slot in islice(_busy_slots(venue, days, chance), wanted):
        (outcome,) = chance.choices(OUTCOMES, cum_weights=WEIGHTS)
        yield _booking(venue, court_id, slot, chance.choice(players), outcome, 1, now, chance)


def _busy_slots(venue: Venue, days: Iterable[date], chance: random.Random) -> Iterator[tuple[UUID, Slot]]:
    """With the court, since the courts of an invented club are all alike: one grid is computed for all of them.

    No slot of a grid comes twice on a court, and those of one grid never overlap: so neither do the bookings.
    """
    for day in days:
        slots = [
            (slot, EVENING if slot.starts_at.hour >= EVENING_HOUR else DAY)
            for slot in venue.slots(venue.courts[0], day)
        ]
        for court in venue.courts:
            yield from ((court.id, slot) for slot, busy in slots if chance.random() < busy)


def _booking(
    venue: Venue,
    court_id: UUID,
    slot: Slot,
    player: Player,
    status: str,
    seat: int,
    now: datetime,
    chance: random.Random,
) -> BookingRow:
    created_at = min(now, slot.starts_at - timedelta(days=1)) - timedelta(minutes=chance.randrange(40_000))
    paid = status != "expired"
    booking_id = _version_7(created_at, chance)
    order_id = str(booking_id) if paid else None
    return BookingRow(
        id=booking_id,
        court_id=court_id,
        venue_id=venue.id,
        user_id=player.id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        status=status,
        seat=seat,
        price_minor=slot.price_minor,
        currency=venue.currency,
        cancellation_window_hours=venue.cancellation_window_hours,
        hold_expires_at=None if paid else created_at + timedelta(minutes=venue.hold_minutes),
        order_id=order_id,
        refunds_due=_refund(order_id, slot.price_minor) if status == "cancelled" else "[]",
        version=2 if status in ("confirmed", "expired") else 3,
        created_at=created_at,
    )


def _refund(order_id: str | None, price_minor: int) -> str:
    return json.dumps([{"order_id": order_id, "amount_minor": price_minor, "reason": "cancelled_by_player"}])


def _version_7(instant: datetime, chance: random.Random) -> UUID:
    """As the service's own ids: by time, so that indexes grow at their end."""
    milliseconds = int(instant.timestamp() * 1000)
    return UUID(int=milliseconds << 80 | 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62))
