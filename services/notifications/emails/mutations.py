"""What happens to a mail, one transaction each: written, tried, sent or given up."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from uuid_utils.compat import uuid7

from courtside_contracts.booking import BookingConfirmed
from services.chassis.retrying import Fatal, Overtaken
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.emails import events, queries, rendering
from services.notifications.emails.domain import BOOKING_CONFIRMED, State, Step, is_one_address, next_step
from services.notifications.emails.tables import Email, ProviderTurn
from services.notifications.recipients.queries import Recipient, RecipientErased, recipient


class RecipientUnknown(Overtaken):
    """The profile travels on another topic, and has not arrived yet."""


class AddressNotUsable(Fatal):
    """The profile's address is not one address."""


async def write_confirmation(work: UnitOfWork, booking: BookingConfirmed, sender: str) -> Email | None:
    """The mail of this version of the booking: as it was stored, or rendered now and stored. `None` when its player was erased.

    Rendered once: new templates or a new profile between two tries would be another request under the same key, which Resend refuses.
    """
    wanted = (BOOKING_CONFIRMED, booking.booking_id, booking.version)
    if email := await queries.stored(work.session, *wanted):
        return email
    try:
        to = await _recipient(work, booking.user_id)
    except RecipientErased:
        return None
    await work.session.execute(
        insert(Email)
        .values(
            id=uuid7(),
            kind=BOOKING_CONFIRMED,
            booking_id=booking.booking_id,
            version=booking.version,
            user_id=booking.user_id,
            payload=rendering.booking_confirmed(booking, to, work.now).payload(sender, to.email, booking.booking_id),
            created_at=work.now,
        )
        .on_conflict_do_nothing()
    )
    written = await queries.stored(work.session, *wanted)
    assert written is not None
    return written


async def _recipient(work: UnitOfWork, user_id: UUID) -> Recipient:
    found = await recipient(work.session, user_id)
    if found is None:
        raise RecipientUnknown(f"the profile of user {user_id} has not arrived yet")
    if not is_one_address(found.email):
        raise AddressNotUsable(f"the profile of user {user_id} has no usable address")
    return found


async def begin_try(work: UnitOfWork, email: Email) -> Step:
    """What to do with it now. The first try's instant is committed before the call: from then on its outcome may be unknown."""
    step = next_step(email.state, email.first_tried_at, work.now)
    if step is Step.SEND:
        email.first_tried_at = email.first_tried_at or work.now
    return step


async def take_turn(work: UnitOfWork, provider: str, per_second: float) -> float:
    """Seconds until the next free place in the provider's pace, which is ours now. By the database's clock, for all workers."""
    gap, now = timedelta(seconds=1 / per_second), func.clock_timestamp()
    statement = insert(ProviderTurn).values(provider=provider, last_at=now)
    turn = statement.on_conflict_do_update(
        index_elements=["provider"], set_={"last_at": func.greatest(ProviderTurn.last_at + gap, now)}
    ).returning(func.extract("epoch", ProviderTurn.last_at - now))
    return max(0.0, float((await work.session.execute(turn)).scalar_one()))


async def mark_sent(work: UnitOfWork, email_id: UUID, provider_id: str) -> None:
    """And tell of it, once: a copy of the event that came under another id finds the mail marked."""
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    if email.state in (State.QUEUED, State.DROPPED):  # dropped while it was on its way
        email.state, email.provider_id, email.sent_at = State.SENT, provider_id, work.now
        work.publish(events.mail_sent(email))


async def give_up(work: UnitOfWork, email_id: UUID) -> None:
    email = await work.session.get_one(Email, email_id, with_for_update=True)
    if email.state == State.QUEUED:
        email.state = State.UNKNOWN


async def forget(work: UnitOfWork, user_id: UUID) -> None:
    """Mails keep that they were sent, not to whom or what they said. One that still waits is not sent any more."""
    theirs = update(Email).where(Email.user_id == user_id)
    await work.session.execute(theirs.where(Email.state == State.QUEUED).values(state=State.DROPPED, payload={}))
    await work.session.execute(theirs.where(Email.state != State.QUEUED).values(payload={}))
