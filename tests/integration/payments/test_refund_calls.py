"""Polar knows no idempotency key, so a refund is called by one process at a time, and never on an old look."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import pytest

from courtside_contracts.payment import PaymentRefundRequested
from services.chassis.retrying import Transient
from services.payments.actions import Polar
from services.payments.failures import OutcomeUnknown
from services.payments.refunds import actions
from services.payments.refunds.consumers import pay_back
from services.payments.refunds.domain import Call, CallTakenOver, PolarRefund, Sighting
from tests.integration.payments.exchange import REST, Exchange, Visit
from tests.integration.payments.test_proofs import confirmed


@pytest.mark.parametrize("place", ["look", "create"])
async def test_a_process_that_stood_still_before_its_call_does_not_call_after_another_did(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """As by SIGSTOP: after its look at Polar, or right before the call. Staff give a part, of which Polar would give a second one."""
    visit = await confirmed(exchange)
    reached, goes_on = stands_still(monkeypatch, place)
    asked = await asked_for_a_part(exchange, visit)
    frozen = asyncio.create_task(pay_back(exchange.payments.delivery(asked), exchange.payments.polar, REST))
    await reached.wait()
    await until_over(exchange, asked)
    goes_on.set()
    with pytest.raises(CallTakenOver):
        await frozen
    await pay_back(exchange.payments.delivery(asked), exchange.payments.polar, REST)
    await exchange.carry()

    ledger = await exchange.ledger(visit)
    assert (ledger["charges"], ledger["refunds"], ledger["balance_minor"]) == (1, 1, 1400)
    assert await exchange.differences_of(visit) == []


def stands_still(monkeypatch: pytest.MonkeyPatch, place: str) -> tuple[asyncio.Event, asyncio.Event]:
    """The first that comes there; behind the look, before the call."""
    look, create, reached, goes_on = actions.look, actions.create, asyncio.Event(), asyncio.Event()

    async def stand() -> None:
        if not reached.is_set():
            reached.set()
            await goes_on.wait()

    async def looking(polar: Polar, order_id: str) -> Sighting:
        seen = await look(polar, order_id)
        await stand()
        return seen

    async def creating(polar: Polar, call: Call, net_minor: int) -> PolarRefund:
        await stand()
        return await create(polar, call, net_minor)

    monkeypatch.setattr(actions, place, looking if place == "look" else creating)
    return reached, goes_on


async def test_a_call_rests_from_when_it_was_made_and_not_from_the_looks_before_it(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polar takes as long to be looked at as the whole rest."""
    visit = await confirmed(exchange)
    rest = timedelta(seconds=1)
    look, looked_at, broken_off_at = actions.look, list[float](), list[float]()

    async def looking(polar: Polar, order_id: str) -> Sighting:
        looked_at.append(time.monotonic())
        seen = await look(polar, order_id)
        await asyncio.sleep(rest.total_seconds())
        return seen

    async def creating(*_: Any) -> PolarRefund:
        broken_off_at.append(time.monotonic())
        raise OutcomeUnknown("reset")

    monkeypatch.setattr(actions, "look", looking)
    monkeypatch.setattr(actions, "create", creating)
    asked = await asked_for_a_part(exchange, visit)
    async with asyncio.timeout(30):
        while len(looked_at) < 2:
            with pytest.raises(Transient):
                await pay_back(exchange.payments.delivery(asked), exchange.payments.polar, rest)
            await asyncio.sleep(0.02)
    assert looked_at[1] - broken_off_at[0] >= rest.total_seconds() - 0.05, "0.05: the database's clock is not ours"
    monkeypatch.undo()
    await until_over(exchange, asked, rest)
    await exchange.carry()
    assert (await exchange.ledger(visit))["balance_minor"] == 1400


async def asked_for_a_part(exchange: Exchange, visit: Visit) -> PaymentRefundRequested:
    """Of which the consumers of this exchange never hear."""
    await exchange.refund_by_staff(visit, amount_minor=1000)
    await exchange.forget_what_was_said()
    [asked] = await exchange.payments.events(PaymentRefundRequested, visit.booking_id)
    return asked  # type: ignore[no-any-return]  # of the kind that was asked for


async def until_over(exchange: Exchange, asked: PaymentRefundRequested, rest: timedelta = REST) -> None:
    """Another process carries it out, as soon as it may."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await pay_back(exchange.payments.delivery(asked), exchange.payments.polar, rest)
            except Transient:
                await asyncio.sleep(0.02)
