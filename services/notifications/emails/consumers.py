"""What a booking's events mean for its player's inbox.

    booking.confirmed.v1 ─► mail stored, try begun, commit ─► Resend, under the mail's id ─► sent, told, event claimed: one commit

A crash anywhere repeats from the stored mail: the same bytes under the same key, which Resend answers without mailing again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from courtside_contracts.booking import BookingConfirmed
from services.chassis.consuming import Delivery
from services.notifications.emails import mutations
from services.notifications.emails.actions import MailProvider
from services.notifications.emails.domain import Step
from services.notifications.emails.tables import Email

log = structlog.get_logger()


@dataclass(frozen=True)
class Mailing:
    """`per_second` is the provider's limit; at most as many handlers as a pipeline has lanes wait for their turn."""

    provider: MailProvider
    sender: str
    per_second: float

    async def confirm(self, delivery: Delivery[BookingConfirmed]) -> None:
        async with delivery.unit_of_work() as work:
            email = await mutations.write_confirmation(work, delivery.event, self.sender)
            if email is None:
                return
            step = await mutations.begin_try(work, email)
        await self._carry_out(step, email, delivery)

    async def _carry_out(self, step: Step, email: Email, delivery: Delivery[BookingConfirmed]) -> None:
        provider_id = await self._send(email, delivery) if step is Step.SEND else None
        async with delivery.once() as work:
            if provider_id:
                await mutations.mark_sent(work, email.id, provider_id)
            elif step is Step.GIVE_UP:
                await mutations.give_up(work, email.id)
        if step is Step.GIVE_UP:
            log.error("mail given up: its outcome is unknown", email_id=str(email.id), first_try=email.first_tried_at)

    async def _send(self, email: Email, delivery: Delivery[BookingConfirmed]) -> str:
        async with delivery.unit_of_work() as work:
            wait_seconds = await mutations.take_turn(work, self.provider.name, self.per_second)
        await asyncio.sleep(wait_seconds)
        return await self.provider.send(email.payload, str(email.id))
