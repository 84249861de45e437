"""What a booking's events mean for its player's inbox.

    booking.*.v1 ─► mail rendered, stored and told of: one commit ─► notification.queued.v1
    notification.queued.v1 ─► try begun, commit ─► its turn, decided anew ─► Resend, under the mail's id
    Resend has taken it ─► sent, told, event claimed: one commit

A crash anywhere repeats from the stored mail: the same bytes under the same key, which Resend answers without mailing again. The two
halves are read by consumers of their own: a cancellation is written down, and stops what it makes old news, while a thousand mails wait
for their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import structlog

from courtside_contracts.booking import BookingCancelled, BookingEvent, BookingRescheduled
from courtside_contracts.notification import NotificationQueued
from courtside_contracts.payment import PaymentRefunded, PaymentRefundFailed, RefundEvent
from services.chassis.consuming import AlreadyHandled, Delivery
from services.chassis.retrying import Failure, NotTried, Overtaken
from services.chassis.unit_of_work import UnitOfWork
from services.notifications.bookings.mutations import follow
from services.notifications.bookings.queries import known
from services.notifications.emails import mutations, trying
from services.notifications.emails.actions import CALL_SECONDS, MailProvider, Taken
from services.notifications.emails.domain import Kind, Refund, Step, Story, kind_of_cancellation
from services.notifications.emails.pace import Pace
from services.notifications.emails.queries import was_invited
from services.notifications.emails.trying import NoSuchMail, Try
from services.notifications.emails.writing import Letterhead, write

log = structlog.get_logger()

SOON = timedelta(seconds=5)
"""A try lasts that long at most, as a rule."""


class BookingUnknown(Overtaken):
    """The booking travels on another topic than its money, and has not arrived yet."""


class AnotherUnderWay(NotTried):
    """Mails of one booking go out one after the other."""


@dataclass(frozen=True)
class Writing:
    letterhead: Letterhead

    async def tell(self, work: UnitOfWork, event: BookingEvent) -> None:
        """Of a booking that is held, confirmed or expired."""
        await self._tell(work, event, TELLING[event.type])

    async def tell_of_move(self, work: UnitOfWork, event: BookingRescheduled) -> None:
        await self._tell(work, event, Kind.BOOKING_RESCHEDULED, moved_from=event.previous_starts_at)

    async def tell_of_end(self, work: UnitOfWork, event: BookingCancelled) -> None:
        """Who was invited is asked once the booking's row is held: until then somebody else may be writing the invitation."""
        is_news = await follow(work, event)
        invited = await was_invited(work.session, event.booking_id)
        kind, particulars = (
            kind_of_cancellation(event.cancelled_by),
            {"reason": event.reason, "withdraws_invitation": invited},
        )
        await self._write(work, event, kind, particulars, is_news=is_news)

    async def tell_of_refund(self, work: UnitOfWork, event: PaymentRefunded) -> None:
        await self._tell_of_money(work, event, Kind.REFUND_DONE)

    async def tell_staff_of_refund(self, work: UnitOfWork, event: PaymentRefundFailed) -> None:
        await self._tell_of_money(work, event, Kind.REFUND_FAILED, event.failure)

    async def note(self, work: UnitOfWork, event: BookingEvent) -> None:
        """No mail: the booking is as its player knows it."""
        await follow(work, event)

    async def _tell(self, work: UnitOfWork, event: BookingEvent, kind: Kind, **particulars: object) -> None:
        is_news = await follow(work, event)
        await self._write(work, event, kind, particulars, is_news=is_news)

    async def _write(
        self, work: UnitOfWork, event: BookingEvent, kind: Kind, particulars: Mapping[str, object], *, is_news: bool
    ) -> None:
        story = Story.model_validate({"kind": kind, "booking": event.model_dump(), **particulars})
        await write(work, story, self.letterhead, is_news=is_news)

    async def _tell_of_money(self, work: UnitOfWork, event: RefundEvent, kind: Kind, failure: str = "") -> None:
        """It stays true whatever becomes of the booking, so it is no news of the booking's, and nothing overtakes it."""
        booking = await known(work.session, event.booking_id)
        if booking is None:
            raise BookingUnknown(f"booking {event.booking_id} has not been told of yet")
        refund = Refund(
            refund_id=str(event.refund_id),
            order_id=event.order_id,
            amount_minor=event.amount_minor,
            currency=event.currency,
            reason=event.reason,
            failure=failure,
        )
        await write(work, Story(kind=kind, booking=booking, refund=refund), self.letterhead)


TELLING = {
    "booking.held.v1": Kind.BOOKING_HELD,
    "booking.confirmed.v1": Kind.BOOKING_CONFIRMED,
    "booking.expired.v1": Kind.BOOKING_EXPIRED,
}


@dataclass(frozen=True)
class Sending:
    """At most as many handlers as a pipeline has lanes wait for their turn. `call_within` is how long a call takes at most."""

    provider: MailProvider
    pace: Pace
    call_within: timedelta = timedelta(seconds=CALL_SECONDS)
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def send(self, delivery: Delivery[NotificationQueued]) -> None:
        try:
            async with delivery.unit_of_work() as work:
                attempt = await trying.begin_try(work, delivery.event.email_id, self.pace, self.call_within)
        except NoSuchMail:
            await self._pass_over(delivery)
            return
        while attempt.step is Step.SEND and not attempt.may_call(delivery.unit_of_work.clock.now()):
            attempt = await self._wait(attempt, delivery)
        if attempt.step is Step.WAIT:
            raise AnotherUnderWay("another mail of this booking is being sent", SOON)
        if attempt.step is Step.SEND:
            await self._send(attempt, delivery)
        else:
            await self._set_aside(attempt, delivery)

    async def _pass_over(self, delivery: Delivery[NotificationQueued]) -> None:
        async with delivery.once():
            log.warning("no such mail: was the database restored?", email_id=str(delivery.event.email_id))

    async def _wait(self, attempt: Try, delivery: Delivery[NotificationQueued]) -> Try:
        await self.sleep(attempt.wait_seconds)
        async with self._ending(attempt, delivery), delivery.unit_of_work() as work:
            return await trying.go_on(work, attempt, self.pace)

    async def _send(self, attempt: Try, delivery: Delivery[NotificationQueued]) -> None:
        """A mail that is out is marked, though somebody else has claimed its record while this process was held up."""
        async with self._ending(attempt, delivery):
            taken = await self.provider.send(attempt.payload, str(attempt.email_id))
        try:
            async with delivery.once() as work:
                await self._mark_sent(work, attempt, taken)
        except AlreadyHandled:
            async with delivery.unit_of_work() as work:
                await self._mark_sent(work, attempt, taken)
            raise

    async def _mark_sent(self, work: UnitOfWork, attempt: Try, taken: Taken) -> None:
        await mutations.mark_sent(work, attempt.email_id, taken.provider_id)
        if taken.pause:
            await self.pace.pause(work, taken.pause)

    async def _set_aside(self, attempt: Try, delivery: Delivery[NotificationQueued]) -> None:
        async with delivery.once() as work:
            await mutations.set_aside(work, attempt.email_id, attempt.step)
        if attempt.step is Step.GIVE_UP:
            log.error("mail given up: its outcome is unknown", email_id=str(attempt.email_id))

    @asynccontextmanager
    async def _ending(self, attempt: Try, delivery: Delivery[NotificationQueued]) -> AsyncIterator[None]:
        """Whoever waits for this try to end, waits no longer than it takes."""
        try:
            yield
        except Failure as failure:
            async with delivery.unit_of_work() as work:
                await trying.end_try(work, attempt, failure, self.pace)
            raise
