"""Availability as the API shows it, made once for equal sheets."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from pydantic import BaseModel, ConfigDict, Field

from services.booking.availability.domain import Reason, Sheet
from services.booking.bookings.representation import Money
from services.booking.venues.domain import Court

BODIES_KEPT = 32
"""What is asked for most; 1.3 MB each at worst, 14 days of 50 courts."""

SLOTS_KEPT = 20_000
"""Some 250 bytes each."""


class SlotOut(BaseModel):
    model_config = ConfigDict(title="Slot")

    starts_at: datetime
    ends_at: datetime
    price: Money
    reason: Reason | None = Field(description="Why it cannot be held; null when it can.")


class CourtOut(BaseModel):
    model_config = ConfigDict(title="CourtAvailability")

    court_id: UUID
    name: str
    surface: str
    slot_minutes: int
    slots: list[SlotOut]


class DayOut(BaseModel):
    model_config = ConfigDict(title="DayAvailability")

    date: date
    notice: str | None = Field(description="Why the hours are not the usual ones, in the club's words.")
    courts: list[CourtOut]


class AvailabilityOut(BaseModel):
    """Slots by day and court, soonest first. Instants carry the venue's offset; a slot past midnight is of the day before."""

    model_config = ConfigDict(title="Availability")

    venue_id: UUID
    venue_name: str
    time_zone: str
    days: list[DayOut]


@dataclass(frozen=True)
class Body:
    content: bytes
    etag: str


@lru_cache(maxsize=BODIES_KEPT)
def body(sheet: Sheet) -> Body:
    """The answer in JSON with its ETag, a hash of the answer itself.

    Nobody writes a version: a row for each venue and day, counted up by every hold, would have all holds of a venue wait for each
    other's commit. The rows are read in any case, in the one round trip that asking for a version would cost too; what a hit saves
    is the making (here, as long as no row changes and no slot begins) and the sending (304). And a hash of the answer cannot be wrong:
    not after a change of prices or of this code, not between two processes.
    """
    content = orjson.dumps(represent(sheet))
    return Body(content, f'"{hashlib.blake2b(content, digest_size=12).hexdigest()}"')


def represent(sheet: Sheet) -> dict[str, Any]:
    venue, courts = sheet.question.venue, sheet.question.courts
    return {
        "venue_id": str(venue.id),
        "venue_name": venue.name,
        "time_zone": venue.zone.key,
        "days": [
            {
                "date": day,
                "notice": next((exception.reason for exception in venue.exceptions_on(day)), None),
                "courts": [_court(sheet, court, day) for court in courts],
            }
            for day in sheet.question.calendar
        ],
    }


def _court(sheet: Sheet, court: Court, day: date) -> dict[str, Any]:
    venue = sheet.question.venue
    return {
        "court_id": str(court.id),
        "name": court.name,
        "surface": court.surface,
        "slot_minutes": court.slot_minutes,
        "slots": [
            _slot(venue.zone, venue.currency, slot.starts_at, slot.ends_at, slot.price_minor, reason)
            for slot, reason in sheet.slots(court, day)
        ],
    }


@lru_cache(maxsize=SLOTS_KEPT)
def _slot(
    zone: ZoneInfo, currency: str, starts_at: datetime, ends_at: datetime, price_minor: int, reason: Reason | None
) -> orjson.Fragment:
    """All courts of a venue begin at the same few times, and most at the same price: what is kept is written, not made."""
    told = {
        "starts_at": starts_at.astimezone(zone).isoformat(),
        "ends_at": ends_at.astimezone(zone).isoformat(),
        "price": {"amount": price_minor, "currency": currency},
        "reason": reason,
    }
    return orjson.Fragment(
        orjson.dumps(told).decode()
    )  # the bytes of orjson keep 4 kB behind them, a string of them none
