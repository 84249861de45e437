"""What comes too late, or tells of no money, is handled all the same: so a letter of it that was redriven comes to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from services.chassis.subscribing import Record
from services.payments.app import consumers
from services.payments.webhooks.domain import PolarWebhook
from tests.integration import permuting
from tests.integration.payments.builders import Payments, player, webhook


def ended_hold(event_id: str) -> Record:
    return permuting.record(player(hold_ends_in=timedelta(minutes=-1)).held, event_id)


def no_money(event_id: str) -> Record:
    body = webhook("checkout.updated", id=str(uuid4()))
    return replace(permuting.record(PolarWebhook.model_validate_json(body), event_id), value=body)


@pytest.mark.parametrize("make", [ended_hold, no_money])
async def test_an_event_that_leaves_nothing_to_do_is_in_the_inbox(
    payments: Payments, make: Callable[[str], Record]
) -> None:
    event_id = str(uuid4())
    played = permuting.Player(payments.settings, consumers(payments.polar), payments.chassis.unit_of_work)
    await played.play([make(event_id)])
    assert len(await payments.rows("SELECT * FROM inbox WHERE event_id = :id", id=event_id)) == 1
