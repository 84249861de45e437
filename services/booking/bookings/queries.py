from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import ARRAY, DateTime, TableValuedAlias, Uuid, bindparam, column, func, select
from sqlalchemy.dialects.postgresql import TSTZRANGE
from sqlalchemy.ext.asyncio import AsyncSession

from services.booking.blocked_slots.domain import Span
from services.booking.bookings.domain import Booking
from services.booking.bookings.listing import Listing
from services.booking.bookings.tables import bookings, court_occupancy
from services.booking.users.rights import rights_of
from services.chassis import problems
from services.chassis.auth import Principal

CALENDAR_PAST = timedelta(days=180)
CALENDAR_ENTRIES = 500
"""Some 200 kB of iCalendar."""


class BookingNotFound(problems.NotFound):
    """There is no such booking, or it is somebody else's."""


async def visible(session: AsyncSession, booking_id: UUID, caller: Principal, *, lock: bool = False) -> Booking:
    """The caller's own booking, or one of a venue they work at. Somebody else's does not exist for them."""
    rights = await rights_of(session, caller)
    found = select(Booking).where(bookings.c.id == booking_id, rights.covers(bookings.c.user_id, bookings.c.venue_id))
    booking = await session.scalar(found.with_for_update() if lock else found)
    if booking is None:
        raise BookingNotFound("There is no such booking of yours.", booking_id=str(booking_id))
    return booking


async def page(session: AsyncSession, listing: Listing) -> tuple[Sequence[Booking], str | None]:
    """By start, and the cursor of the next page if there is one. One statement, whatever the number of rows."""
    by_start = select(Booking).where(listing.where()).order_by(bookings.c.starts_at, bookings.c.id)
    return listing.cut((await session.scalars(by_start.limit(listing.filters.limit + 1))).all())


async def for_calendar(session: AsyncSession, user_id: UUID, now: datetime) -> list[Booking]:
    """What a player's calendar shows: the latest of the last half year and all to come, cancelled ones too, so that they vanish there."""
    mine = (bookings.c.user_id == user_id) & (bookings.c.starts_at > now - CALENDAR_PAST)
    shown = select(Booking).where(mine, bookings.c.status != "expired").order_by(bookings.c.starts_at.desc())
    return list(await session.scalars(shown.limit(CALENDAR_ENTRIES)))


async def locked(session: AsyncSession, booking_id: UUID) -> Booking | None:
    """The row is locked until the transaction ends, so events of one booking are written one after the other."""
    return await session.scalar(select(Booking).where(bookings.c.id == booking_id).with_for_update())


async def active_of(session: AsyncSession, user_id: UUID, now: datetime) -> Sequence[Booking]:
    """What a player has still to play or to pay, soonest first. A game that is over waits for a cron only."""
    live = bookings.c.status.in_(("held", "confirmed")) & (bookings.c.ends_at > now)
    found = select(Booking).where(bookings.c.user_id == user_id, live).order_by(bookings.c.starts_at)
    return (await session.scalars(found)).all()


async def in_the_way(
    session: AsyncSession, spans: Sequence[Span], now: datetime, *, lock: bool = False, limit: int | None = None
) -> Sequence[Booking]:
    """Bookings that stand on these spans and are not over, in the order of ids, in which they are locked too."""
    wanted = _table_of(spans)
    span = func.tstzrange(wanted.c.starts_at, wanted.c.ends_at, type_=TSTZRANGE)
    touched = (court_occupancy.c.court_id == wanted.c.court_id) & court_occupancy.c.during.op("&&")(span)
    # Once more by the booking's own columns: they are what is looked at again after waiting for its lock.
    there = (bookings.c.id == court_occupancy.c.booking_id) & (bookings.c.court_id == wanted.c.court_id)
    overlapping = (bookings.c.starts_at < wanted.c.ends_at) & (bookings.c.ends_at > wanted.c.starts_at)
    live = bookings.c.status.in_(("held", "confirmed")) & (bookings.c.ends_at > now)
    found = (
        select(Booking)
        .select_from(wanted)
        .join(court_occupancy, touched)
        .join(bookings, there & overlapping)
        .where(live)
        .order_by(bookings.c.id)
        .limit(limit)
    )
    return (await session.scalars(found.with_for_update(of=bookings) if lock else found)).unique().all()


def _table_of(spans: Sequence[Span]) -> TableValuedAlias:
    instants = ARRAY(DateTime(timezone=True))
    return (
        func.unnest(
            bindparam(None, [span.court_id for span in spans], ARRAY(Uuid)),
            bindparam(None, [span.starts_at for span in spans], instants),
            bindparam(None, [span.ends_at for span in spans], instants),
        )
        .table_valued(
            column("court_id", Uuid),
            column("starts_at", DateTime(timezone=True)),
            column("ends_at", DateTime(timezone=True)),
        )
        .render_derived("span")
    )
