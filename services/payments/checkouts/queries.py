from __future__ import annotations

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.payments.checkouts.domain import Quote, State
from services.payments.checkouts.tables import PaymentAttempt

QUOTE = (PaymentAttempt.id, PaymentAttempt.booking_id, PaymentAttempt.amount_minor, PaymentAttempt.currency)


async def begun(session: AsyncSession, booking_id: UUID) -> Quote | None:
    """The quote whose checkout Polar was asked for, and whose answer was never stored."""
    found = select(*QUOTE).where(PaymentAttempt.booking_id == booking_id, PaymentAttempt.state == "creating")
    row = (await session.execute(found)).one_or_none()
    return Quote(*row) if row else None


async def locked(session: AsyncSession, checkout_id: str) -> tuple[Quote, State] | None:
    """The attempt that a checkout is for, locked: whoever decides about its money decides alone."""
    found = select(*QUOTE, PaymentAttempt.state).where(PaymentAttempt.checkout_id == checkout_id).with_for_update()
    row = (await session.execute(found)).one_or_none()
    return (Quote(*row[:4]), row[4]) if row else None
