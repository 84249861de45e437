"""Defects of the notification service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from services.chassis.retrying import Fatal
from services.notifications.bookings import mutations as bookings
from services.notifications.bookings.tables import BookingRow
from services.notifications.emails import trying
from services.notifications.emails.actions import Resend
from services.notifications.emails.consumers import Sending
from services.notifications.emails.domain import Step
from tests.faults.mutants.defects.replacing import every, replace


def double_mails() -> None:
    it_is_time = every(3)

    def make(sent: Any) -> Any:
        async def send(self: Resend, payload: Mapping[str, Any], idempotency_key: str) -> Any:
            if it_is_time():
                await sent(self, payload, f"{idempotency_key}-before")
            return await sent(self, payload, idempotency_key)

        return send

    replace(Resend, "send", make)


def keep_the_first() -> None:
    def make(inserted: Any) -> Any:
        async def only_insert(work: Any, event: Any, *, is_news: bool) -> Any:
            known = select(BookingRow.booking_id).where(BookingRow.booking_id == event.booking_id)
            return None if await work.session.scalar(known) else await inserted(work, event, is_news=is_news)

        return only_insert

    replace(bookings, "_insert_or_update", make)


def send_none() -> None:
    async def send(self: Sending, delivery: Any) -> None:
        """Nothing is done, so the pipeline marks the event as handled."""

    replace(Sending, "send", lambda _: send)


def give_mails_up() -> None:
    it_is_time = every(3)

    def make(sent: Any) -> Any:
        async def send(self: Resend, payload: Mapping[str, Any], idempotency_key: str) -> Any:
            if it_is_time():
                raise Fatal("by our word alone")
            return await sent(self, payload, idempotency_key)

        return send

    replace(Resend, "send", make)


def send_old_news() -> None:
    def make(decided: Any) -> Any:
        def next_step(mail: Any, now: Any) -> Step:
            step: Step = decided(mail, now)
            return Step.SEND if step is Step.SUPERSEDE else step

        return next_step

    replace(trying, "next_step", make)
