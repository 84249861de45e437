"""Defects of the notification service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from services.notifications.bookings import mutations as bookings
from services.notifications.bookings.tables import BookingRow
from services.notifications.emails import consumers, trying
from services.notifications.emails.actions import Resend
from services.notifications.emails.domain import Step


def double_mails() -> None:
    sent, count = Resend.send, [0]

    async def send(self: Resend, payload: Mapping[str, Any], idempotency_key: str) -> Any:
        taken = await sent(self, payload, idempotency_key)
        count[0] += 1
        if count[0] % 3 == 0:
            await sent(self, payload, f"{idempotency_key}-again")
        return taken

    Resend.send = send  # type: ignore[method-assign]  # on purpose


def keep_the_first() -> None:
    inserted = bookings._insert_or_update

    async def only_insert(work: Any, event: Any, *, is_news: bool) -> BookingRow | None:
        known = select(BookingRow.booking_id).where(BookingRow.booking_id == event.booking_id)
        if await work.session.scalar(known):
            return None
        return await inserted(work, event, is_news=is_news)

    bookings._insert_or_update = only_insert


def send_none() -> None:
    async def send(self: Any, delivery: Any) -> None:
        """Nothing is done, so the pipeline marks the event as handled."""

    consumers.Sending.send = send  # type: ignore[method-assign]  # on purpose


def send_old_news() -> None:
    decided = trying.next_step

    def next_step(mail: Any, now: Any) -> Step:
        step = decided(mail, now)
        return Step.SEND if step is Step.SUPERSEDE else step

    trying.next_step = next_step
