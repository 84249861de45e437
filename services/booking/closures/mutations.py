"""Blocks first, then the cancellations: from the closure's own commit on nobody gets a slot in it, however long the rest takes."""

from __future__ import annotations

from uuid import UUID

from services.booking.blocked_slots import domain as blocked_slots
from services.booking.blocked_slots import mutations as blocking
from services.booking.blocked_slots.domain import Span
from services.booking.blocked_slots.queries import of_series
from services.booking.bookings import mutations as bookings
from services.booking.bookings.queries import in_the_way
from services.booking.closures import queries
from services.booking.closures.domain import Closure
from services.booking.venues.domain import Venue
from services.booking.venues.queries import Catalogue
from services.chassis.unit_of_work import UnitOfWork, UnitOfWorkFactory

BATCH = 20
"""Bookings that one transaction cancels: some 50 ms, and little to do again after a crash."""


async def close(work: UnitOfWork, catalogue: Catalogue, venue: Venue, closure: Closure) -> None:
    """Block all courts around the bookings, which `carry_on` cancels. The blocks are a series with the closure's id."""
    spans = [
        Span(court.id, closure.starts_at, closure.ends_at) for court in sorted(venue.courts, key=lambda court: court.id)
    ]
    blocks = blocked_slots.blocks(
        spans,
        series_id=closure.id,
        venue_id=venue.id,
        reason=closure.reason,
        by=closure.created_by,
        now=work.now,
    )
    closure.total = len(await blocking.block(work, catalogue, blocks, "keep")) if blocks else 0
    if closure.total == 0:
        closure.finish(work.now)
    work.session.add(closure)


async def carry_on(work: UnitOfWork, catalogue: Catalogue, closure_id: UUID | None = None) -> int:
    """One batch of a closure, with its progress: how many bookings it ended; fewer than `BATCH` finish the closure.

    What is found is what still stands, so each booking is cancelled and told of once, whoever was killed in between. A court that was
    unblocked meanwhile keeps its bookings.
    """
    closure = await queries.unfinished(work.session, closure_id)
    if closure is None:
        return 0
    spans = [block.span for block in await of_series(work.session, closure.id)]
    found = await in_the_way(work.session, spans, work.now, lock=True, limit=BATCH)
    for booking in found:
        if not await bookings.end_if_overdue(work, catalogue, booking):
            await bookings.cancel(work, catalogue, booking, "club", closure.reason)
            closure.cancelled += 1
    if len(found) < BATCH:
        closure.finish(work.now)
    return len(found)


async def carry_out(unit_of_work: UnitOfWorkFactory, catalogue: Catalogue, closure_id: UUID) -> None:
    """Batch after batch to the end, one transaction each. Who calls it again after a crash goes on where that one was."""
    while await unit_of_work.run(lambda work: carry_on(work, catalogue, closure_id)) == BATCH:
        pass
