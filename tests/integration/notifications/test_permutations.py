"""A booking's events and its player's profile in any order, with copies: one mail, sent and told of once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from courtside_contracts.booking import BookingCancelled, BookingHeld
from services.notifications.app import consumers
from services.notifications.emails.consumers import Mailing
from tests.integration.notifications.worker import Worker
from tests.integration.permuting import Player, ends, orders, record
from tests.unit.notifications.builders import a_booking, a_profile

SIX = ("profile", "held", "confirmed", "confirmed", "confirmed again", "cancelled")
"""`confirmed again` is the same version under another event id, as after a redrive."""


@dataclass
class Counting:
    """A provider that keeps Resend's promise: one mail for one key."""

    name: str = "resend"
    sent: Counter[str] = field(default_factory=Counter)

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> str:
        assert payload["to"]
        self.sent[idempotency_key] += 1
        return f"mail-{idempotency_key}"


@pytest.mark.slow
async def test_profile_and_booking_in_any_order_are_one_mail(worker: Worker) -> None:
    provider = Counting()
    mailing = Mailing(provider, worker.settings.sender, per_second=100_000)
    player = Player(worker.settings, consumers(mailing, breaker=None), worker.unit_of_work)
    chosen = orders(SIX)

    async def run(order: tuple[str, ...]) -> tuple[Any, ...]:
        booking_id, user_id = uuid4(), uuid4()
        confirmed = a_booking(booking_id=booking_id, user_id=user_id)
        facts = confirmed.model_dump()
        held = BookingHeld(**facts | {"status": "held", "version": 1, "hold_expires_at": confirmed.starts_at})
        cancelled = BookingCancelled(**facts | {"status": "cancelled", "version": 3, "cancelled_by": "player"})
        told = {
            "profile": record(a_profile(user_id=user_id), str(uuid4())),
            "held": record(held, str(uuid4())),
            "confirmed": record(confirmed, str(uuid4())),
            "confirmed again": record(confirmed, str(uuid4())),
            "cancelled": record(cancelled, str(uuid4())),
        }
        await player.play(told[kind] for kind in order)
        return await end(worker, provider, str(booking_id))

    assert len(chosen) == 360
    found = await ends(chosen, run)
    assert list(found) == [(("sent",), 1, ("notification.sent.v1",))]


async def end(worker: Worker, provider: Counting, booking_id: str) -> tuple[Any, ...]:
    """The states of its mails, the calls for them, and what was told of it."""
    async with worker.unit_of_work() as work:
        mails = await work.session.execute(
            text("SELECT id, state FROM emails WHERE booking_id = :id"), {"id": booking_id}
        )
        rows = mails.all()
        told = await work.session.scalars(
            text("SELECT type FROM outbox WHERE aggregateid = :id ORDER BY seq"), {"id": booking_id}
        )
        kinds = tuple(told)
    return tuple(row.state for row in rows), sum(provider.sent[str(row.id)] for row in rows), kinds
