"""Each changes one attempt within the caller's transaction."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from courtside_contracts.booking import BookingHeld
from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts import events, queries
from services.payments.checkouts.domain import Checkout, Intent, ProfileHasNotArrived, Quote, hold_is_over
from services.payments.checkouts.tables import PaymentAttempt
from services.payments.profiles.queries import email_of, is_erased


async def intend(work: UnitOfWork, held: BookingHeld) -> Intent | None:
    """Write down that Polar is about to be asked. `None` when there is nothing to ask for: open, paid, the hold is over, or its
    player was erased.
    """
    if hold_is_over(held, work.now) or await is_erased(work.session, held.user_id):
        await _let_lapse(work, held.booking_id)
        return None
    email = await email_of(work.session, held.user_id)
    if email is None:
        raise ProfileHasNotArrived(f"no profile of user {held.user_id} yet")
    if quote := await _begin(work, held):
        return Intent(quote, email, repeated=False)
    if quote := await queries.begun(work.session, held.booking_id):
        return Intent(quote, email, repeated=True)
    return None


async def _begin(work: UnitOfWork, held: BookingHeld) -> Quote | None:
    """`None` when the booking has an attempt: `payment_attempts_one_open` decides, whoever else tries now."""
    quote = Quote(uuid7(), held.booking_id, held.price_minor, held.currency)
    begun = insert(PaymentAttempt).values(
        id=quote.attempt_id,
        booking_id=quote.booking_id,
        state="creating",
        amount_minor=quote.amount_minor,
        currency=quote.currency,
        created_at=work.now,
        changed_at=work.now,
    )
    inserted = await work.session.scalar(begun.on_conflict_do_nothing().returning(PaymentAttempt.id))
    return quote if inserted else None


async def show(work: UnitOfWork, quote: Quote, checkout: Checkout) -> None:
    """The player may pay there, unless another process opened this attempt first: then that one's page is the only one shown."""
    opened = (
        update(PaymentAttempt)
        .where(PaymentAttempt.id == quote.attempt_id, PaymentAttempt.state == "creating")
        .values(
            state="open",
            checkout_id=checkout.id,
            checkout_url=checkout.url,
            checkout_expires_at=checkout.expires_at,
            changed_at=work.now,
        )
    )
    if await work.session.scalar(opened.returning(PaymentAttempt.id)):
        work.publish(events.checkout_opened(quote, checkout))


async def settle(work: UnitOfWork, attempt_id: UUID) -> None:
    paid = update(PaymentAttempt).where(PaymentAttempt.id == attempt_id, PaymentAttempt.state == "open")
    await work.session.execute(paid.values(state="paid", changed_at=work.now))


async def _let_lapse(work: UnitOfWork, booking_id: UUID) -> None:
    """A checkout that Polar may have made for it stays unknown to everyone, so nobody can pay it."""
    begun = update(PaymentAttempt).where(PaymentAttempt.booking_id == booking_id, PaymentAttempt.state == "creating")
    await work.session.execute(begun.values(state="lapsed", changed_at=work.now))
