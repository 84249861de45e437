"""A list of bookings: what it may be asked for, and where its next page begins."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, and_, true, tuple_

from services.booking.bookings.domain import Booking
from services.booking.bookings.life_cycle import Status
from services.booking.bookings.tables import bookings
from services.booking.users.rights import Rights
from services.booking.venues.domain import Venue
from services.booking.venues.queries import Catalogue
from services.chassis import cursors, problems
from services.chassis.instants import Instant


class DateNeedsCourt(problems.Invalid):
    """A `date` is a local day of a venue: say which, by `court_id` or `venue_id`."""


class BookingFilters(BaseModel):
    """Those given must all be met. A player sees the own bookings only; `user_id` of others is for staff."""

    model_config = ConfigDict(extra="forbid")

    status: list[Status] = Field(default=[], description="One of these", examples=[["held", "confirmed"]])
    from_: Instant | None = Field(
        default=None, alias="from", description="Starts then or later", examples=["2026-11-28T00:00:00+01:00"]
    )
    until: Instant | None = Field(
        default=None, description="Starts before then", examples=["2026-12-05T00:00:00+01:00"]
    )
    court_id: UUID | None = None
    venue_id: UUID | None = None
    date: Annotated[dt.date, Field(ge=dt.date(2000, 1, 1), lt=dt.date(3000, 1, 1))] | None = Field(
        default=None,
        description="A local day of the venue: needs `court_id` or `venue_id`",
        examples=["2026-11-28"],
    )
    user_id: UUID | None = None
    limit: int = Field(default=20, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=500, description="`next_cursor` of the page before")


@dataclass(frozen=True)
class Listing:
    """The conditions that a caller's filters come to, and the page of them that is wanted."""

    filters: BookingFilters
    rights: Rights
    day: tuple[dt.datetime, dt.datetime] | None
    bound_to: dict[str, Any]

    @classmethod
    async def of(cls, filters: BookingFilters, rights: Rights, catalogue: Catalogue) -> Listing:
        """Raises `StaffOnly` when somebody who works nowhere asks for another player's."""
        if filters.user_id not in (None, rights.user_id):
            rights.require_staff_somewhere()
        day = local_day(await _venue(filters, catalogue), filters.date) if filters.date else None
        return cls(filters, rights, day, cursors.binding(filters, list="bookings", caller=str(rights.user_id)))

    def conditions(self) -> Iterator[ColumnElement[bool]]:
        asked, columns = self.filters, bookings.c
        yield self.rights.covers(columns.user_id, columns.venue_id)
        for column, value in ((columns.user_id, asked.user_id), (columns.court_id, asked.court_id)):
            if value:
                yield column == value
        if asked.venue_id:
            yield columns.venue_id == asked.venue_id
        if asked.status:
            yield columns.status.in_(asked.status)
        for first, end in ((asked.from_, asked.until), self.day or (None, None)):
            if first:
                yield columns.starts_at >= first
            if end:
                yield columns.starts_at < end
        if asked.cursor is not None:
            after = cursors.decode(asked.cursor, self.bound_to, cursors.BY_START)
            yield tuple_(columns.starts_at, columns.id) > tuple_(*after)

    def where(self) -> ColumnElement[bool]:
        return and_(true(), *self.conditions())

    def cut(self, found: Sequence[Booking]) -> tuple[Sequence[Booking], str | None]:
        return cursors.cut(found, self.filters.limit, _position, self.bound_to)


def _position(booking: Booking) -> tuple[str, str]:
    return booking.starts_at.isoformat(), str(booking.id)


async def _venue(filters: BookingFilters, catalogue: Catalogue) -> Venue:
    if filters.court_id:
        venue, _ = await catalogue.court(filters.court_id)
        return venue
    if filters.venue_id:
        return await catalogue.venue(filters.venue_id)
    raise DateNeedsCourt("Say whose day it is: add `court_id` or `venue_id`.")


def local_day(venue: Venue, date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """From midnight to midnight on the venue's wall: 23 or 25 hours when the clocks change."""
    midnight = dt.datetime.combine(date, dt.time.min, venue.zone)
    return midnight, dt.datetime.combine(date + dt.timedelta(days=1), dt.time.min, venue.zone)
