"""The lives of checkouts, payments and refunds at the stand-in of Polar, with the official SDK and on its pages."""

import asyncio
import json
from pathlib import Path

import pytest
from polar.v2026_10.errors import HTTPValidationError, RefundedAlready

from tests.contract.running_polar import PURCHASE, RunningPolar, facts, running
from tests.contract.webhook_receiver import Receiver

pytestmark = pytest.mark.slow

DAY_S = 24 * 60 * 60
CRON_S = 15 * 60


async def test_a_customer_buys_on_the_page_and_the_webhooks_tell_the_story(
    standin: RunningPolar, receiver: Receiver
) -> None:
    checkout = await standin.open_checkout(success_url="http://club.test/thanks?checkout={CHECKOUT_ID}")
    page = await standin.http.get(checkout.url)
    assert page.status_code == 200
    assert all(
        text in page.text for text in ("€24.00", "ana@club.test", "no money moves", "Pay", "Decline card", "Back")
    )

    paid = await standin.http.post(f"{checkout.url}/pay")
    assert (paid.status_code, paid.headers["location"]) == (303, f"http://club.test/thanks?checkout={checkout.id}")

    deliveries = await receiver.until(lambda all_: len(all_) >= len(PURCHASE))
    assert facts(deliveries) == PURCHASE
    assert len({each.headers["webhook-id"] for each in deliveries}) == len(PURCHASE)
    assert deliveries[0].headers["user-agent"] == "polar.sh webhooks"
    order_paid = json.loads(deliveries[4].body)
    assert order_paid["api_version"] == "2026-10"
    assert order_paid["data"]["metadata"] == {"booking_id": "b1"}
    ledger = await standin.look("ledger?booking_id=b1")
    assert (ledger["charges"], ledger["refunds"]) == (1, 0)
    entry = ledger["entries"][0]
    assert (entry["kind"], entry["amount"], entry["currency"], entry["seq"]) == ("charge", 2400, "eur", 1)
    assert entry["order_id"] == order_paid["data"]["id"]


async def test_paying_twice_charges_once(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout()
    pays = [standin.http.post(f"/_admin/checkouts/{checkout.id}/pay") for _ in range(5)]
    answers = await asyncio.gather(*pays, *(standin.http.post(f"{checkout.url}/pay") for _ in range(5)))
    assert sum(answer.status_code in {200, 303} for answer in answers) == 1
    assert (await standin.look("ledger"))["charges"] == 1

    again = await standin.http.post(f"/_admin/checkouts/{checkout.id}/pay")
    assert (again.status_code, again.json()["error"]) == (403, "NotOpenCheckout")
    page = await standin.http.get(checkout.url)
    assert (page.status_code, "already paid" in page.text) == (200, True)


async def test_a_second_confirmation_during_the_first_is_locked_out(tmp_path: Path) -> None:
    async with running(tmp_path, charge_s=3) as standin:
        checkout = await standin.open_checkout()
        first = asyncio.create_task(standin.http.post(f"/_admin/checkouts/{checkout.id}/pay"))
        async with standin.sdk() as polar, asyncio.timeout(60):
            while (await polar.checkouts.get(checkout.id)).status != "confirmed":
                pass
        second = await standin.http.post(f"/_admin/checkouts/{checkout.id}/pay")
        assert (second.status_code, second.json()["error"]) == (409, "CheckoutLocked")
        page = await standin.http.post(f"{checkout.url}/pay")
        assert (page.status_code, "already under way" in page.text) == (409, True)
        assert (await first).json()["status"] == "succeeded"
        assert (await standin.look("ledger"))["charges"] == 1


async def test_a_declined_card_leaves_the_checkout_open_for_another(standin: RunningPolar, receiver: Receiver) -> None:
    checkout = await standin.open_checkout()
    page = await standin.http.post(f"{checkout.url}/decline")
    assert (page.status_code, "declined" in page.text) == (402, True)
    await standin.admin(f"checkouts/{checkout.id}/decline")
    async with standin.sdk() as polar:
        assert (await polar.checkouts.get(checkout.id)).status == "open"
        attempts = (await polar.payments.list(checkout_id=checkout.id)).items
        assert [(each.status, each.decline_reason) for each in attempts] == [("failed", "card_declined")] * 2
    assert (await standin.look("ledger"))["entries"] == []
    declined = [("checkout.updated", "confirmed"), ("checkout.updated", "open")]
    assert facts(await receiver.until(lambda all_: len(all_) >= 5)) == [
        ("checkout.created", "open"),
        *declined,
        *declined,
    ]

    await standin.admin(f"checkouts/{checkout.id}/pay")
    assert (await standin.look("ledger"))["charges"] == 1


async def test_a_checkout_expires_after_a_day_first_on_the_page_then_by_the_cron(
    standin: RunningPolar, receiver: Receiver
) -> None:
    checkout = await standin.open_checkout()
    await standin.admin("clock", advance_s=DAY_S - 60)
    assert (await standin.http.get(checkout.url)).status_code == 200
    await standin.admin("clock", advance_s=60)
    page = await standin.http.post(f"{checkout.url}/pay")
    assert (page.status_code, "has expired" in page.text) == (410, True)
    await standin.admin("clock", advance_s=CRON_S)
    async with standin.sdk() as polar:
        assert (await polar.checkouts.get(checkout.id)).status == "expired"
    assert facts(await receiver.until(lambda all_: len(all_) >= 2))[1] == ("checkout.expired", "expired")
    refused = await standin.http.post(f"/_admin/checkouts/{checkout.id}/pay")
    assert (refused.status_code, refused.json()["error"]) == (410, "ExpiredCheckoutError")
    assert (await standin.look("ledger"))["entries"] == []


async def test_a_confirmed_checkout_does_not_expire_and_may_settle_late(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout()
    await standin.admin(f"checkouts/{checkout.id}/confirm")
    await standin.admin("clock", advance_s=2 * DAY_S)
    assert "still deciding" in (await standin.http.get(checkout.url)).text
    settled = await standin.admin(f"checkouts/{checkout.id}/settle")
    assert settled["status"] == "succeeded"
    await standin.admin(f"checkouts/{checkout.id}/settle")
    assert (await standin.look("ledger"))["charges"] == 1


async def test_a_slow_bank_settles_by_itself_when_its_time_has_come(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout(success_url="http://club.test/thanks")
    returned = await standin.http.post(f"{checkout.url}/pay-slowly")
    assert (returned.status_code, returned.headers["location"]) == (303, "http://club.test/thanks")
    assert (await standin.look("ledger"))["entries"] == []
    await standin.admin("clock", advance_s=31)
    assert (await standin.look("ledger"))["charges"] == 1


async def test_money_can_be_taken_without_an_order_and_only_the_payments_tell(
    standin: RunningPolar, receiver: Receiver
) -> None:
    checkout = await standin.open_checkout()
    await standin.admin(f"checkouts/{checkout.id}/charge-without-order")
    async with standin.sdk() as polar:
        assert (await polar.orders.list(checkout_id=checkout.id)).items == []
        [payment] = (await polar.payments.list(checkout_id=checkout.id)).items
        assert (payment.status, payment.order_id, payment.amount) == ("succeeded", None, 2400)
        assert (await standin.look("ledger"))["charges"] == 1
        await standin.admin(f"checkouts/{checkout.id}/settle")
        [order] = (await polar.orders.list(checkout_id=checkout.id)).items
        assert (await polar.payments.list(order_id=order.id)).items[0].id == payment.id
    assert (await standin.look("ledger"))["charges"] == 1
    assert facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE))) == PURCHASE


async def test_an_id_of_the_club_that_is_known_with_another_address_is_refused_at_the_till(
    standin: RunningPolar,
) -> None:
    await standin.buy(external_customer_id="player-7")
    checkout = await standin.open_checkout(external_customer_id="player-7", customer_email="leo@club.test")
    page = await standin.http.post(f"{checkout.url}/pay")
    assert page.status_code == 422
    refused = await standin.http.post(f"/_admin/checkouts/{checkout.id}/pay")
    assert (refused.status_code, refused.json()["error"]) == (422, "CheckoutCustomerExternalIdMismatch")
    assert (await standin.look("ledger"))["charges"] == 1


async def test_an_order_can_be_for_another_sum_than_was_quoted(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout(2400)
    await standin.admin(f"checkouts/{checkout.id}/edit", amount=1200, currency="usd", metadata={"booking_id": "b9"})
    await standin.admin(f"checkouts/{checkout.id}/pay")
    async with standin.sdk() as polar:
        [order] = (await polar.orders.list(checkout_id=checkout.id)).items
        assert (order.total_amount, order.net_amount, order.currency) == (1200, 1200, "usd")
        assert order.metadata == {"booking_id": "b9"}
    assert (await standin.look("ledger"))["balance_minor"] == 1200


async def test_a_checkout_without_an_address_asks_for_one(standin: RunningPolar) -> None:
    checkout = await standin.open_checkout(customer_email=None)
    refused = await standin.http.post(f"{checkout.url}/pay", data={"email": "nonsense"})
    assert (refused.status_code, "Email address is required" in refused.text) == (422, True)
    await standin.http.post(f"{checkout.url}/pay", data={"email": "leo@club.test"})
    async with standin.sdk() as polar:
        assert (await polar.orders.list(checkout_id=checkout.id)).items[0].customer.email == "leo@club.test"


async def test_refunds_partial_then_the_rest_then_no_more(standin: RunningPolar, receiver: Receiver) -> None:
    order = await standin.buy(2400)
    async with standin.sdk() as polar:
        await polar.refunds.create(order_id=order.id, reason="customer_request", amount=1000)
        partly = await polar.orders.get(order.id)
        assert (partly.status, partly.paid, partly.refundable_amount) == ("partially_refunded", True, 1400)
        with pytest.raises(HTTPValidationError) as too_much:
            await polar.refunds.create(order_id=order.id, reason="customer_request", amount=1401)
        assert too_much.value.error.detail is not None
        assert "exceeds refundable amount" in too_much.value.error.detail[0].msg
        await polar.refunds.create(order_id=order.id, reason="duplicate", amount=1400)
        assert (await polar.orders.get(order.id)).status == "refunded"
        with pytest.raises(RefundedAlready):
            await polar.refunds.create(order_id=order.id, reason="duplicate", amount=1)
    entries = (await standin.look("ledger?metadata[booking_id]=b1"))["entries"]
    assert [(each["kind"], each["amount"]) for each in entries] == [
        ("charge", 2400),
        ("refund", 1000),
        ("refund", 1400),
    ]
    story = facts(await receiver.until(lambda all_: len(all_) >= len(PURCHASE) + 6))[len(PURCHASE) :]
    assert story == [
        ("refund.created", "succeeded"),
        ("order.updated", "partially_refunded"),
        ("order.refunded", "partially_refunded"),
        ("refund.created", "succeeded"),
        ("order.updated", "refunded"),
        ("order.refunded", "refunded"),
    ]


async def test_a_pending_refund_moves_money_later_and_counts_against_the_rest_at_once(tmp_path: Path) -> None:
    async with running(tmp_path, refund_s=3600) as standin, standin.sdk() as polar:
        order = await standin.buy(2400)
        assert (await polar.refunds.create(order_id=order.id, reason="other", amount=2000)).status == "pending"
        assert (await standin.look("ledger"))["refunds"] == 0
        with pytest.raises(HTTPValidationError):
            await polar.refunds.create(order_id=order.id, reason="other", amount=401)
        await standin.admin("clock", advance_s=3601)
        assert [each.status for each in (await polar.refunds.list(order_id=order.id)).items] == ["succeeded"]
        assert (await standin.look("ledger"))["refunds"] == 1
