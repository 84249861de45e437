"""Each changes one attempt within the caller's transaction."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from courtside_contracts.booking import BookingEvent, BookingHeld
from services.chassis.unit_of_work import UnitOfWork
from services.payments.checkouts import events, queries
from services.payments.checkouts.domain import (
    Checkout,
    Intent,
    ProfileHasNotArrived,
    Quote,
    State,
    hold_is_over,
)
from services.payments.checkouts.tables import PaymentAttempt
from services.payments.history.domain import BOOKING, PAYMENTS
from services.payments.history.mutations import note
from services.payments.profiles.queries import email_of, is_erased


async def intend(work: UnitOfWork, held: BookingHeld) -> Intent | None:
    """Write down that Polar is about to be asked. `None` when there is nothing to ask for: open, paid, given up, the hold is over, or
    its player was erased.
    """
    if hold_is_over(held, work.now) or await is_erased(work.session, held.user_id):
        await _lapse(work, _begun_for(held.booking_id), BOOKING)
        return None
    email = await email_of(work.session, held.user_id)
    if email is None:
        raise ProfileHasNotArrived(f"no profile of user {held.user_id} yet")
    if not await queries.has_attempt(work.session, held.booking_id) and (quote := await _begin(work, held, "creating")):
        return Intent(quote, email, repeated=False)
    if quote := await queries.begun(work.session, held.booking_id):
        return Intent(quote, email, repeated=True)
    return None


async def show(work: UnitOfWork, quote: Quote, checkout: Checkout, actor: str = PAYMENTS) -> bool:
    """The player may pay there, unless another process opened this attempt first, or the hold ended while Polar was asked: then the
    page stays unknown to everyone. Whether it is shown.
    """
    in_time = or_(PaymentAttempt.hold_expires_at.is_(None), PaymentAttempt.hold_expires_at > work.now)
    mine = (PaymentAttempt.id == quote.attempt_id) & (PaymentAttempt.state == "creating")
    page = {
        "checkout_id": checkout.id,
        "checkout_url": checkout.url,
        "checkout_expires_at": checkout.expires_at,
    }
    opened = update(PaymentAttempt).where(mine, in_time).values(state="open", changed_at=work.now, **page)
    if await work.session.scalar(opened.returning(PaymentAttempt.id)) is None:
        await _lapse(work, mine, actor)
        return False
    await note(work, quote.attempt_id, "opened", actor, checkout_id=checkout.id)
    work.publish(events.checkout_opened(quote, checkout))
    return True


async def give_up(work: UnitOfWork, event: BookingEvent) -> None:
    """The booking needs no page any more, whatever its hold says when it comes late. Money that comes all the same is decided about."""
    if event.status == "held":
        return
    if event.price_minor and not await queries.has_attempt(work.session, event.booking_id):
        await _begin(work, event, "lapsed")
    live = (PaymentAttempt.booking_id == event.booking_id) & PaymentAttempt.state.in_(("creating", "open"))
    await _lapse(work, live, BOOKING)


async def lapse(work: UnitOfWork, attempt_id: UUID, actor: str) -> bool:
    """Polar says that nobody can pay at its page any more. Whether that was news."""
    live = (PaymentAttempt.id == attempt_id) & PaymentAttempt.state.in_(("creating", "open"))
    return await _lapse(work, live, actor) > 0


async def lapse_overdue(work: UnitOfWork, actor: str) -> int:
    """Pages that were never made, for holds that are over. How many."""
    over = (PaymentAttempt.state == "creating") & (PaymentAttempt.hold_expires_at <= work.now)
    return await _lapse(work, over, actor)


async def settle(work: UnitOfWork, attempt_id: UUID) -> None:
    """Money came at its page, in time or not."""
    paid = update(PaymentAttempt).where(PaymentAttempt.id == attempt_id)
    await work.session.execute(paid.values(state="paid", changed_at=work.now))


async def _begin(work: UnitOfWork, event: BookingEvent, state: State) -> Quote | None:
    """`None` when the booking has an attempt: `payment_attempts_one_open` decides, whoever else tries now."""
    quote = Quote(uuid7(), event.booking_id, event.price_minor, event.currency)
    begun = insert(PaymentAttempt).values(
        id=quote.attempt_id,
        booking_id=quote.booking_id,
        venue_id=event.venue_id,
        state=state,
        amount_minor=quote.amount_minor,
        currency=quote.currency,
        hold_expires_at=event.hold_expires_at,
        created_at=work.now,
        changed_at=work.now,
    )
    if await work.session.scalar(begun.on_conflict_do_nothing().returning(PaymentAttempt.id)) is None:
        return None
    await note(work, quote.attempt_id, "begun" if state == "creating" else "lapsed", BOOKING)
    return quote


def _begun_for(booking_id: UUID) -> ColumnElement[bool]:
    return (PaymentAttempt.booking_id == booking_id) & (PaymentAttempt.state == "creating")


async def _lapse(work: UnitOfWork, wanted: ColumnElement[bool], actor: str) -> int:
    """A checkout that Polar may have made for it stays unknown to everyone, so nobody can pay it."""
    over = update(PaymentAttempt).where(wanted).values(state="lapsed", changed_at=work.now)
    lapsed = (await work.session.scalars(over.returning(PaymentAttempt.id))).all()
    for attempt_id in lapsed:
        await note(work, attempt_id, "lapsed", actor)
    return len(lapsed)
