"""A booking's events and its player's profile in any order, with copies: each mail at most once, and never one that is old news."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from courtside_contracts.booking import BookingCancelled, BookingHeld
from services.notifications.app import consumers, letterhead_of
from services.notifications.emails.actions import Taken
from services.notifications.emails.consumers import Sending, Writing
from services.notifications.emails.pace import Pace
from tests.integration.notifications.worker import Worker
from tests.integration.permuting import Player, ends, orders, record
from tests.unit.notifications.builders import a_booking, a_profile

SIX = ("profile", "held", "confirmed", "confirmed", "confirmed again", "cancelled")
"""`confirmed again` is the same version under another event id, as after a redrive."""


@dataclass
class Counting:
    """A provider that keeps Resend's promise: one mail for one key."""

    name: str = "resend"
    sent: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By booking, the kinds in the order of the calls."""

    async def send(self, payload: Mapping[str, Any], idempotency_key: str) -> Taken:
        tags = {tag["name"]: tag["value"] for tag in payload["tags"]}
        assert tags["email_id"] == idempotency_key
        self.sent[tags["booking_id"]].append(tags["kind"])
        return Taken(f"mail-{idempotency_key}")


@pytest.mark.slow
async def test_in_any_order_the_last_word_is_mailed_once_and_last(worker: Worker) -> None:
    """What is old news by then is not mailed at all, so no order confirms a booking after it was cancelled."""
    provider = Counting()
    sending = Sending(provider, Pace(provider.name, per_second=100_000))
    players = Player(
        worker.settings,
        consumers(Writing(letterhead_of(worker.settings)), sending, breaker=None),
        worker.unit_of_work,
    )
    chosen = orders(SIX)

    async def run(order: tuple[str, ...]) -> tuple[str, ...]:
        booking_id, user_id = uuid4(), uuid4()
        confirmed = a_booking(booking_id=booking_id, user_id=user_id)
        facts = confirmed.model_dump()
        soon = datetime.now(UTC) + timedelta(hours=1)
        held = BookingHeld(**facts | {"status": "held", "version": 1, "hold_expires_at": soon})
        cancelled = BookingCancelled(**facts | {"status": "cancelled", "version": 3, "cancelled_by": "player"})
        told = {
            "profile": record(a_profile(user_id=user_id), str(uuid4())),
            "held": record(held, str(uuid4())),
            "confirmed": record(confirmed, str(uuid4())),
            "confirmed again": record(confirmed, str(uuid4())),
            "cancelled": record(cancelled, str(uuid4())),
        }
        for kind in order:
            await players._handle([told[kind]])
            await players._handle(await worker.queued(str(booking_id)))
        await players.play(told.values())  # once more, all of it: what waited for the profile comes to rest
        await players.play(await worker.queued(str(booking_id)))
        return tuple(provider.sent[str(booking_id)])

    assert len(chosen) == 360
    found = await ends(chosen, run)
    kinds = ("booking-held", "booking-confirmed", "booking-cancelled")
    assert set(found) <= {
        tuple(kind for kind in kinds if kind in some) for some in found
    }  # each once, none after later news
    assert {mails[-1] for mails in found} == {"booking-cancelled"}
    assert {len(mails) for mails in found} == {1, 2, 3}
