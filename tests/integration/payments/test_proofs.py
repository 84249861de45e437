"""The proofs that no player is charged twice and no refund is forgotten, each ending with Polar's own ledger."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from courtside_contracts.payment import PaymentRefunded, PaymentRefundFailed
from tests.integration.payments.exchange import Exchange, Visit

CHECKOUTS, REFUNDS = "/v1/checkouts/", "/v1/refunds/"


async def test_a_checkout_whose_answer_is_lost_is_one_page_and_one_charge(exchange: Exchange) -> None:
    for action in ("accept_then_reset", "bad_json", "missing_field", "accept_then_status"):
        visit = await exchange.hold_unheard()
        more: dict[str, dict[str, Any]] = {"missing_field": {"field": "url"}, "accept_then_status": {"code": 500}}
        await exchange.payments.standin.fail(action, "POST", CHECKOUTS, visit.booking_id, **more.get(action, {}))
        await exchange.carry()
        await exchange.look_at_page(visit)

        made = (await exchange.payments.polar.client.checkouts.list(query=visit.email)).items
        assert [checkout.url for checkout in made] == [visit.url], action
        assert await exchange.pages_shown(visit) == {visit.url}
        await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
        await exchange.carry()
        assert await exchange.status(visit) == "confirmed"
        await exchange.must_close(visit)


async def test_a_payment_told_of_five_times_in_parallel_confirms_once(exchange: Exchange) -> None:
    """Twice under one id, as a redelivery; and under ids of their own, as from further endpoints. Two workers get all of them at once."""
    visit = await exchange.hold()
    order_id = await exchange.pay(visit)
    ids = [f"{number}-{order_id}" for number in (1, 1, 2, 3, 4)]
    await asyncio.gather(*(exchange.tell_paid(order_id, visit.checkout_id, webhook_id) for webhook_id in ids))
    await exchange.carry_by_two_workers()

    told = await exchange.events(visit)
    assert (told.count("payment.succeeded"), told.count("booking.confirmed")) == (1, 1)
    await exchange.must_close(visit)


async def test_a_refund_told_of_before_its_payment_ends_refunded(exchange: Exchange) -> None:
    visit = await exchange.hold()
    order_id = await exchange.pay(visit)
    await exchange.payments.standin.pull(f"orders/{order_id}/refund")
    await exchange.webhook("order.refunded", id=order_id, checkout_id=visit.checkout_id)
    await exchange.carry()
    await exchange.tell_paid(order_id, visit.checkout_id)
    await exchange.carry()
    await exchange.expire(visit)
    await exchange.carry()

    told = await exchange.events(visit)
    assert "booking.confirmed" not in told
    assert told.count("payment.refunded") == 1
    assert await exchange.status(visit) == "expired"
    await exchange.must_close(visit)


async def test_a_late_payment_is_refunded_when_the_court_is_taken(exchange: Exchange) -> None:
    late = await exchange.hold()
    await exchange.expire(late)
    quick = await exchange.hold(late.slot)
    order_id = await exchange.pay(late)
    for _ in range(2):
        await exchange.tell_paid(order_id, late.checkout_id)
        await exchange.carry()

    assert (await exchange.status(late), await exchange.status(quick)) == ("expired", "held")
    ledger = await exchange.ledger(late)
    assert (ledger["charges"], ledger["refunds"]) == (1, 1)
    [refunded] = await exchange.payments.events(PaymentRefunded, late.booking_id)
    assert (refunded.reason, refunded.amount_minor, refunded.refunded_minor) == ("paid_too_late", 2400, 2400)
    await exchange.must_close(late, quick)


async def test_a_late_payment_confirms_when_the_court_is_still_free(exchange: Exchange) -> None:
    late = await exchange.hold()
    await exchange.expire(late)
    await exchange.carry()
    await exchange.tell_paid(await exchange.pay(late), late.checkout_id)
    await exchange.carry()

    assert await exchange.status(late) == "confirmed"
    assert (await exchange.ledger(late))["refunds"] == 0
    await exchange.must_close(late)


@pytest.mark.parametrize(
    "action",
    ["accept_then_reset", "accept_then_break_off", "accept_then_status", "bad_json", "unknown_enum", "reset_before"],
)
async def test_a_refund_whose_answer_is_lost_is_given_once(exchange: Exchange, action: str) -> None:
    visit = await confirmed(exchange)
    more: dict[str, dict[str, Any]] = {"accept_then_status": {"code": 502}, "unknown_enum": {"field": "status"}}
    await exchange.payments.standin.fail(action, "POST", REFUNDS, visit.booking_id, **more.get(action, {}))
    assert await exchange.cancel(visit)
    await exchange.carry()

    ledger = await exchange.ledger(visit)
    assert (ledger["charges"], ledger["refunds"], ledger["balance_minor"]) == (1, 1, 0)
    assert len(await exchange.payments.events(PaymentRefunded, visit.booking_id)) == 1
    await exchange.must_close(visit)


async def test_of_two_pages_that_are_paid_one_is_kept_and_one_goes_back_as_a_duplicate(exchange: Exchange) -> None:
    """A second page of the same attempt, as two processes make that are asked at once: only one of them is shown."""
    for stray_first in (False, True):
        visit = await exchange.hold()
        stray = await exchange.second_page(visit)
        orders = [(await exchange.pay_at(page), page) for page in (visit.checkout_id, stray)]
        for order_id, page in reversed(orders) if stray_first else orders:
            await exchange.tell_paid(order_id, page)
            await exchange.carry()

        assert await exchange.status(visit) == "confirmed"
        [back] = (await exchange.payments.polar.client.refunds.list(order_id=orders[1][0])).items
        assert (back.reason, back.status, back.amount) == ("duplicate", "succeeded", 2400)
        await exchange.must_close(visit)


@pytest.mark.parametrize(
    ("edited", "reason"),
    [
        ({"amount": 2500}, "other-amount"),
        ({"amount": 1200}, "other-amount"),
        ({"currency": "usd"}, "other-currency"),
        ({"product_id": "7f1d3c5e-0b1a-4c53-9a55-c0a275bdc002"}, "other-product"),
    ],
)
async def test_another_sum_than_was_quoted_confirms_nothing_and_waits_for_a_person(
    exchange: Exchange, edited: dict[str, Any], reason: str
) -> None:
    visit = await exchange.hold()
    await exchange.payments.standin.pull(f"checkouts/{visit.checkout_id}/edit", **edited)
    order_id = await exchange.pay(visit)
    for _ in range(2):
        await exchange.tell_paid(order_id, visit.checkout_id)
        await exchange.carry()

    assert await exchange.status(visit) == "held"
    assert "payment.succeeded" not in await exchange.events(visit)
    assert [doubt["reason"] for doubt in await exchange.quarantined(order_id)] == [reason]

    await exchange.refund_by_staff(visit)
    await exchange.carry()
    assert await exchange.quarantined(order_id) == []
    await exchange.must_close(visit)


async def test_what_is_unknown_is_stored_and_answered_and_harms_nobody(exchange: Exchange) -> None:
    visit = await exchange.hold()
    order_id = await exchange.pay(visit)
    await exchange.webhook("padel.tournament_won", id="t1")
    await exchange.webhook("order.paid", id=order_id, checkout_id=visit.checkout_id, status="a status of next year")
    await exchange.webhook("checkout.updated", id=visit.checkout_id, status="a status of next year")
    await exchange.carry()

    assert await exchange.status(visit) == "confirmed"
    await exchange.must_close(visit)


async def test_a_refund_that_fails_after_pending_is_owed_again_until_a_person_gives_it(exchange: Exchange) -> None:
    visit = await confirmed(exchange)
    await exchange.payments.standin.fail("refund_course", "POST", REFUNDS, visit.booking_id, pending_s=None)
    await exchange.cancel(visit)
    await exchange.carry()
    [account] = await exchange.accounts(visit)
    assert [refund["state"] for refund in account["refunds"]] == ["pending"]
    assert "payment.refunded" not in await exchange.events(visit), "told only when the money is there"

    [pending] = (await exchange.payments.polar.client.refunds.list(order_id=account["orders"][0]["id"])).items
    await exchange.payments.standin.pull(f"refunds/{pending.id}/fail")
    await exchange.webhook("refund.updated", id=pending.id, order_id=pending.order_id)
    await exchange.carry()
    [account] = await exchange.accounts(visit)
    assert account["refund_failed"]
    assert [difference["kind"] for difference in await exchange.differences_of(visit)] == ["refund owed"]
    [failed] = await exchange.payments.events(PaymentRefundFailed, visit.booking_id)
    assert (failed.refunded_minor, failed.failure) == (0, "failed")

    await exchange.refund_by_staff(visit)
    await exchange.carry()
    assert await exchange.differences_of(visit) == []
    await exchange.must_close(visit)


async def confirmed(exchange: Exchange) -> Visit:
    visit = await exchange.hold()
    await exchange.tell_paid(await exchange.pay(visit), visit.checkout_id)
    await exchange.carry()
    assert await exchange.status(visit) == "confirmed"
    return visit
