from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from services.payments.checkouts.domain import Attempt, Quote
from services.payments.checkouts.tables import PaymentAttempt

Covers = Callable[[Any], ColumnElement[bool]]
"""Of a venue's id: whether its rows exist for the caller."""
QUOTE = (PaymentAttempt.id, PaymentAttempt.booking_id, PaymentAttempt.amount_minor, PaymentAttempt.currency)


async def begun(session: AsyncSession, booking_id: UUID) -> Quote | None:
    """The quote whose checkout Polar was asked for, and whose answer was never stored."""
    found = select(*QUOTE).where(PaymentAttempt.booking_id == booking_id, PaymentAttempt.state == "creating")
    row = (await session.execute(found)).one_or_none()
    return Quote(*row) if row else None


async def has_attempt(session: AsyncSession, booking_id: UUID) -> bool:
    found = select(PaymentAttempt.id).where(PaymentAttempt.booking_id == booking_id).limit(1)
    return await session.scalar(found) is not None


async def attempt_at(session: AsyncSession, checkout_id: str) -> UUID | None:
    """Whose page this is, among those that were shown."""
    return await session.scalar(select(PaymentAttempt.id).where(PaymentAttempt.checkout_id == checkout_id))


async def is_unfinished(session: AsyncSession, checkout_id: str) -> bool:
    """Whether this is a page that was shown, and that nobody has paid at as far as we know."""
    found = select(PaymentAttempt.id).where(PaymentAttempt.checkout_id == checkout_id, PaymentAttempt.state != "paid")
    return await session.scalar(found) is not None


async def locked(session: AsyncSession, attempt_id: UUID) -> Attempt | None:
    """Locked until the transaction ends: whoever decides about the money of this attempt decides alone."""
    columns = (*QUOTE, PaymentAttempt.state, PaymentAttempt.checkout_id)
    row = (
        await session.execute(select(*columns).where(PaymentAttempt.id == attempt_id).with_for_update())
    ).one_or_none()
    return Attempt(Quote(*row[:4]), row[4], row[5]) if row else None


async def attempts_of(session: AsyncSession, booking_id: UUID, covers: Covers) -> Sequence[PaymentAttempt]:
    """The oldest first."""
    found = select(PaymentAttempt).where(PaymentAttempt.booking_id == booking_id, covers(PaymentAttempt.venue_id))
    return (await session.scalars(found.order_by(PaymentAttempt.created_at, PaymentAttempt.id))).all()


async def attempt(session: AsyncSession, attempt_id: UUID, covers: Covers) -> PaymentAttempt | None:
    found = select(PaymentAttempt).where(PaymentAttempt.id == attempt_id, covers(PaymentAttempt.venue_id))
    return await session.scalar(found)


def of_venues(attempt_id: InstrumentedAttribute[UUID | None], covers: Covers) -> ColumnElement[bool]:
    """Of rows that name an attempt: those of venues that exist for the caller."""
    return attempt_id.in_(select(PaymentAttempt.id).where(covers(PaymentAttempt.venue_id)))


async def unfinished(session: AsyncSession, attempt_ids: Sequence[UUID]) -> Mapping[UUID, Attempt]:
    """Those of these that are neither paid nor lapsed."""
    columns = (*QUOTE, PaymentAttempt.state, PaymentAttempt.checkout_id)
    live = PaymentAttempt.id.in_(attempt_ids) & PaymentAttempt.state.in_(("creating", "open"))
    rows = (await session.execute(select(*columns).where(live))).all()
    return {row[0]: Attempt(Quote(*row[:4]), row[4], row[5]) for row in rows}


async def stuck(session: AsyncSession, before: datetime) -> Sequence[UUID]:
    """Bookings whose player waits for a page that should long be there."""
    waiting = (PaymentAttempt.state == "creating") & (PaymentAttempt.created_at < before)
    return (await session.scalars(select(PaymentAttempt.booking_id).where(waiting))).all()
