"""A debt is a debt until its money is back: whoever else gives some back meanwhile, and whatever becomes of that."""

from __future__ import annotations

import asyncio

from courtside_contracts.payment import PaymentRefunded
from tests.integration.payments.exchange import Exchange, Visit
from tests.integration.payments.test_proofs import REFUNDS, confirmed


async def test_a_player_who_cancels_is_paid_when_the_refund_that_polar_had_begun_by_itself_fails(
    exchange: Exchange,
) -> None:
    visit = await confirmed(exchange)
    order_id = await order_of(exchange, visit)
    await exchange.payments.standin.pull(f"orders/{order_id}/refund", pending_s=None)
    refund_id = await pending_at_polar(exchange, order_id)
    await exchange.webhook("refund.created", id=refund_id, order_id=order_id)
    await exchange.carry()
    assert await exchange.cancel(visit)
    waiting = asyncio.create_task(exchange.carry())
    await until_put_off(exchange, visit)
    assert (await exchange.ledger(visit))["refunds"] == 0, "Polar's own may still come to something"
    await exchange.payments.standin.pull(f"refunds/{refund_id}/fail")
    await exchange.webhook("refund.updated", id=refund_id, order_id=order_id)
    await waiting

    [refunded] = await exchange.payments.events(PaymentRefunded, visit.booking_id)
    assert (refunded.reason, refunded.refunded_minor) == ("cancelled_by_player", 2400)
    assert await exchange.differences_of(visit) == []
    await exchange.must_close(visit)


async def test_a_player_who_cancels_is_not_paid_twice_when_the_refund_that_polar_had_begun_succeeds(
    exchange: Exchange,
) -> None:
    visit = await confirmed(exchange)
    order_id = await order_of(exchange, visit)
    await exchange.payments.standin.pull(f"orders/{order_id}/refund", pending_s=None)
    refund_id = await pending_at_polar(exchange, order_id)
    await exchange.webhook("refund.created", id=refund_id, order_id=order_id)
    await exchange.carry()
    assert await exchange.cancel(visit)
    waiting = asyncio.create_task(exchange.carry())
    await until_put_off(exchange, visit)
    await exchange.payments.standin.pull(f"refunds/{refund_id}/succeed")
    await waiting

    assert (await exchange.ledger(visit))["refunds"] == 1
    assert await exchange.differences_of(visit) == []
    await exchange.must_close(visit)


async def test_a_part_that_failed_is_owed_although_the_rest_went_back_later(exchange: Exchange) -> None:
    """Staff gave 10 of 24, which the bank refuses after the player has cancelled; the other 14 were waiting behind them."""
    visit = await confirmed(exchange)
    await exchange.payments.standin.fail("refund_course", "POST", REFUNDS, visit.booking_id, pending_s=None)
    await exchange.refund_by_staff(visit, amount_minor=1000)
    await exchange.carry()
    order_id = await order_of(exchange, visit)
    part_id = await pending_at_polar(exchange, order_id)
    assert await exchange.cancel(visit)
    waiting = asyncio.create_task(exchange.carry())
    await until_put_off(exchange, visit)
    await exchange.payments.standin.pull(f"refunds/{part_id}/fail")
    await exchange.webhook("refund.updated", id=part_id, order_id=order_id)
    await waiting

    assert (await exchange.ledger(visit))["balance_minor"] == 1000
    [owed] = await exchange.differences_of(visit)
    assert (owed["kind"], owed["detail"]) == ("refund owed", "1000 in minor units: failed")
    await exchange.refund_by_staff(visit)
    await exchange.carry()
    assert await exchange.differences_of(visit) == []
    await exchange.must_close(visit)


async def test_of_a_payment_of_which_polar_gave_back_a_part_before_we_heard_of_it_the_rest_goes_back(
    exchange: Exchange,
) -> None:
    visit = await exchange.hold()
    order_id = await exchange.pay(visit)
    await exchange.payments.standin.pull(f"orders/{order_id}/refund", amount=100)
    await exchange.expire(visit)
    await exchange.hold(visit.slot)
    await exchange.tell_paid(order_id, visit.checkout_id)
    await exchange.carry()

    assert await exchange.quarantined(order_id) == []
    assert await exchange.status(visit) == "expired"
    assert await exchange.differences_of(visit) == []
    await exchange.must_close(visit)


async def order_of(exchange: Exchange, visit: Visit) -> str:
    [account] = await exchange.accounts(visit)
    return str(account["orders"][0]["id"])


async def pending_at_polar(exchange: Exchange, order_id: str) -> str:
    found = (await exchange.payments.polar.client.refunds.list(order_id=order_id)).items
    [pending] = [one for one in found if one.status == "pending"]
    return pending.id


async def until_put_off(exchange: Exchange, visit: Visit) -> None:
    """Until its refund waits behind another."""
    state = "SELECT state FROM refunds WHERE booking_id = :id AND origin = 'booking'"
    async with asyncio.timeout(30):
        while not (  # noqa: ASYNC110 - another task changes what is looked at
            exchange.paying.tiers.waiting and await exchange.payments.rows(state, id=visit.booking_id)
        ):
            await asyncio.sleep(0.01)
