"""Blocks are made and deleted, one transaction each. Lock order: courts, then blocks, then bookings by id, then occupancy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from sqlalchemy import delete, insert, select
from sqlalchemy.dialects.postgresql import Range

from courtside_contracts.court import BlockedSlotEvent, SlotBlocked, SlotUnblocked
from services.booking.blocked_slots import queries
from services.booking.blocked_slots.domain import (
    BOOKINGS_MAX,
    BlockedSlot,
    BlockedSlotNotFound,
    BookingsInTheWay,
    OverBookings,
    Scope,
    Span,
    is_refused,
)
from services.booking.blocked_slots.events import tell
from services.booking.blocked_slots.filling import ROUNDS_MAX, CourtContended, fill, take_free
from services.booking.blocked_slots.representation import in_the_way_out
from services.booking.blocked_slots.tables import blocked_slots
from services.booking.bookings import mutations as bookings
from services.booking.bookings.domain import Booking
from services.booking.bookings.queries import in_the_way
from services.booking.venues.queries import Catalogue, lock_courts
from services.chassis.unit_of_work import UnitOfWork

SHOWN_MAX = 100
"""Bookings that a refusal lists; it tells how many there are."""


async def block(
    work: UnitOfWork, catalogue: Catalogue, blocks: Sequence[BlockedSlot], over: OverBookings
) -> list[Booking]:
    """Make them stand, all or none. The bookings that were in the way: now cancelled, or kept."""
    spans = [block.span for block in blocks]
    await lock_courts(work.session, {span.court_id for span in spans})
    await work.session.execute(insert(blocked_slots), [_row(block) for block in blocks])
    met: dict[UUID, Booking] = {}
    for _ in range(ROUNDS_MAX):
        for booking in await in_the_way(work.session, spans, work.now, lock=True):
            if not await bookings.end_if_overdue(work, catalogue, booking):
                met[booking.id] = booking
        await _settle(work, catalogue, list(met.values()), over, blocks[0].reason)
        found = await take_free(work.session, spans, work.now)
        # Nothing is free, and who stands there is locked: so it stays until the commit. Else a hold or a cancellation came between.
        if found.free == 0 and found.booking_ids <= met.keys():
            await _tell(work, catalogue, SlotBlocked, blocks)
            return list(met.values())
    raise CourtContended("Too many want these courts at once. Nothing was changed; try again.")


async def _settle(
    work: UnitOfWork, catalogue: Catalogue, met: Sequence[Booking], over: OverBookings, reason: str
) -> None:
    if is_refused(over, len(met)):
        raise await _refusal(catalogue, met, over)
    if over == "cancel":
        for booking in met:
            if booking.status != "cancelled":  # in a round before
                await bookings.cancel(work, catalogue, booking, "club", reason)


async def _refusal(catalogue: Catalogue, met: Sequence[Booking], over: OverBookings) -> BookingsInTheWay:
    venue = await catalogue.venue(met[0].venue_id)
    advice = "Cancel or keep them with `over_bookings`, or choose another time."
    if over == "cancel":
        advice = f"One request cancels at most {BOOKINGS_MAX[over]}: block fewer, or close the venue, which cancels any number."
    return BookingsInTheWay(
        f"Bookings are in the way: {len(met)}. {advice}",
        bookings=[in_the_way_out(venue, booking) for booking in met[:SHOWN_MAX]],
        bookings_total=len(met),
    )


async def unblock(work: UnitOfWork, catalogue: Catalogue, chosen: BlockedSlot, scope: Scope) -> int:
    """Delete it, or more of its series: how many. Time that another block wants stays blocked."""
    wanted = queries.in_scope(chosen, scope)
    courts = await work.session.scalars(select(blocked_slots.c.court_id).where(wanted).distinct())
    await lock_courts(work.session, set(courts))
    gone = [
        queries.block_of(row)
        for row in await work.session.execute(delete(blocked_slots).where(wanted).returning(blocked_slots))
    ]
    if not gone:
        raise BlockedSlotNotFound("There is no such block any more.", blocked_slot_id=str(chosen.id))
    await fill(work.session, [block.span for block in gone], work.now)
    await _tell(work, catalogue, SlotUnblocked, sorted(gone, key=lambda block: block.id))
    return len(gone)


def _row(block: BlockedSlot) -> dict[str, object]:
    span: Span = block.span
    return {
        "id": block.id,
        "series_id": block.series_id,
        "venue_id": block.venue_id,
        "court_id": span.court_id,
        "during": Range(span.starts_at, span.ends_at),
        "reason": block.reason,
        "created_by": block.created_by,
        "created_at": block.created_at,
    }


async def _tell(
    work: UnitOfWork, catalogue: Catalogue, kind: type[BlockedSlotEvent], blocks: Iterable[BlockedSlot]
) -> None:
    for block in blocks:
        work.publish(tell(kind, block, *await catalogue.court(block.span.court_id)))
